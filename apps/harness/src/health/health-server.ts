import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { describeError, type Logger } from '../log/logger';
import { EXPOSITION_TYPE } from '../metrics/exposition';
import { type HealthReport } from './health-report';

export interface HealthServerOptions {
  host: string;
  /** Undefined: the usual port, or any free one where that is taken. 0: any free one. */
  port: number | undefined;
  /** Written while it listens, so that whoever knows the folder finds the port. */
  file: string;
  health: () => HealthReport;
  isReady: () => boolean;
  metrics: () => string;
  log: Logger;
}

/** Free on most machines; registered for nothing that listens where harnesses run. */
export const USUAL_PORT = 9464;

/** Answers `/health`, `/ready` and `/metrics`. Whatever goes wrong here is logged and hinders nothing else. */
export class HealthServer {
  private server: Server | undefined;

  constructor(private readonly options: HealthServerOptions) {}

  /** Listens; where that fails the harness goes on without. Never rejects. */
  async start(): Promise<void> {
    const { host, port, log } = this.options;
    const candidates = port === undefined ? [USUAL_PORT, 0] : [port];
    for (const candidate of candidates) {
      try {
        this.server = await this.listen(candidate);
        this.announce(this.server.address() as AddressInfo);
        return;
      } catch (error) {
        const taken = { host, port: candidate, reason: describeError(error) };
        if (candidate === candidates.at(-1)) log.warn('there is no /health: the port cannot be had', taken);
        else log.debug('the usual port of /health is taken', taken);
      }
    }
  }

  /** Where it listens; undefined where it does not. */
  get port(): number | undefined {
    return (this.server?.address() as AddressInfo | null | undefined)?.port;
  }

  stop(): void {
    if (this.server === undefined) return;
    this.server.close();
    this.server.closeAllConnections();
    this.server = undefined;
    const { file, log } = this.options;
    try {
      rmSync(file, { force: true });
    } catch (error) {
      log.debug('the address of /health is still written', { file, reason: describeError(error) });
    }
  }

  private listen(port: number): Promise<Server> {
    const server = createServer((request, response) => {
      try {
        this.answer(request.method ?? '', (request.url ?? '/').split('?')[0] ?? '/', response);
      } catch (error) {
        this.options.log.error('/health could not be answered', { reason: describeError(error) });
        send(response, 500, { message: 'Internal error' });
      }
    });
    // Neither an idle scraper nor this server keeps a harness alive that is done.
    server.unref();
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, this.options.host, () => {
        server.off('error', reject);
        server.on('error', (error) => this.options.log.warn('/health failed', { reason: error.message }));
        resolve(server);
      });
    });
  }

  private answer(method: string, path: string, response: ServerResponse): void {
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return send(response, 405, { message: 'Only GET is answered' });
    }
    switch (path) {
      case '/health': {
        const report = this.options.health();
        return send(response, report.status === 'down' ? 503 : 200, report);
      }
      case '/ready': {
        const ready = this.options.isReady();
        return send(response, ready ? 200 : 503, { ready });
      }
      case '/metrics':
        return void response.writeHead(200, { 'content-type': EXPOSITION_TYPE }).end(this.options.metrics());
      default:
        return send(response, 404, { message: 'There are /health, /ready and /metrics' });
    }
  }

  private announce({ port }: AddressInfo): void {
    const { host, file, log } = this.options;
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
    log.info('health and metrics', { url, port });
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      writeFileSync(file, `${JSON.stringify({ url, host, port, pid: process.pid })}\n`, { mode: 0o600 });
    } catch (error) {
      log.warn('the address of /health could not be written', { file, reason: describeError(error) });
    }
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(`${text}\n`);
}
