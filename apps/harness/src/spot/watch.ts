import { readFile } from 'node:fs/promises';
import { type Clock } from '@reins/shared/util/clock';
import { type SpotNoticeSettings } from '../config/config.schema';
import { httpRequest, HttpRefusal } from '../link/http';
import { describeError, type Logger } from '../log/logger';
import { noticeIn, type SpotNotice } from './notice';

export interface SpotWatchOptions extends SpotNoticeSettings {
  onNotice: (notice: SpotNotice) => void;
  log: Logger;
  clock: Clock;
}

/** A metadata service is on this machine. */
const TIMEOUT_MS = 2_000;
const TOKEN_SECONDS = 21_600;
const TOKEN_PATH = '/latest/api/token';
/** Each cloud insists on its own header, and ignores those of the others. */
const HEADERS = { 'metadata-flavor': 'Google', metadata: 'true' };

/** Looks for the notice that this machine goes away, until there is one or it is stopped. */
export class SpotWatch {
  private readonly over = new AbortController();
  private token: string | undefined;
  private complaint: string | undefined;

  constructor(private readonly options: SpotWatchOptions) {}

  /** Does nothing where neither an address nor a file is named. Resolves when it is over; never rejects. */
  async run(): Promise<void> {
    const { url, file, pollMs, onNotice, clock } = this.options;
    if (url === undefined && file === undefined) return;
    while (!this.over.signal.aborted) {
      const notice = (await this.inFile(file)) ?? (await this.atAddress(url));
      if (this.over.signal.aborted) return;
      if (notice !== undefined) return onNotice(notice);
      await clock.sleep(pollMs, this.over.signal).catch(() => undefined);
    }
  }

  stop(): void {
    this.over.abort();
  }

  private async inFile(path: string | undefined): Promise<SpotNotice | undefined> {
    if (path === undefined) return undefined;
    try {
      return noticeIn(await readFile(path, 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.complain(error);
      return undefined;
    }
  }

  private async atAddress(url: string | undefined): Promise<SpotNotice | undefined> {
    if (url === undefined) return undefined;
    try {
      const notice = noticeIn(await this.read(url));
      this.complaint = undefined;
      return notice;
    } catch (error) {
      // Amazon has nothing at this address until there is a notice.
      if (!(error instanceof HttpRefusal && error.status === 404)) this.complain(error);
      return undefined;
    }
  }

  private async read(url: string): Promise<string> {
    const tokenUrl = this.options.tokenUrl ?? this.usualTokenUrl(url);
    if (this.options.tokenUrl !== undefined) this.token ??= await this.fetchToken(this.options.tokenUrl);
    try {
      return await this.get(url);
    } catch (error) {
      if (!(error instanceof HttpRefusal && error.status === 401) || tokenUrl === undefined) throw error;
      this.token = await this.fetchToken(tokenUrl);
      return this.get(url);
    }
  }

  private async get(url: string): Promise<string> {
    const headers = {
      ...HEADERS,
      accept: '*/*',
      ...(this.token === undefined ? {} : { 'x-aws-ec2-metadata-token': this.token }),
    };
    const { body } = await httpRequest(url, { headers, timeoutMs: TIMEOUT_MS, signal: this.over.signal });
    return body.toString('utf8');
  }

  /** Amazon's is known, and it asks for a token wherever that is demanded. */
  private usualTokenUrl(url: string): string | undefined {
    const { origin, pathname } = new URL(url);
    return pathname.startsWith('/latest/meta-data/') ? `${origin}${TOKEN_PATH}` : undefined;
  }

  private async fetchToken(url: string): Promise<string> {
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': String(TOKEN_SECONDS) };
    const options = { method: 'PUT' as const, headers, timeoutMs: TIMEOUT_MS, signal: this.over.signal };
    const { body } = await httpRequest(url, options);
    return body.toString('utf8').trim();
  }

  /** Once for each reason: it is asked every few seconds. */
  private complain(error: unknown): void {
    const reason = describeError(error);
    if (this.over.signal.aborted || reason === this.complaint) return;
    this.complaint = reason;
    this.options.log.warn('whether this machine goes away cannot be learned', { reason });
  }
}
