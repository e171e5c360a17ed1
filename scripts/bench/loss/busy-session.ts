import { type TurnView } from '@reins/shared/api/sessions';
import { type ApiClient } from '../../../test/support/api-client';
import { type HttpClient } from '../support/http';
import { SessionEvents } from '../support/session-events';

/** Says that it runs, and then needs longer than it will be given. */
const LONG = 'console.log("under way"); await new Promise((go) => setTimeout(go, 600000));';
/** Lets the agent sleep for as long as it likes. */
export const UNLIMITED = { JAVASCRIPT_WALL_MS: '3600000' };

/** A session whose harness works on a turn, and which is to lose it. */
export class BusySession {
  private constructor(
    private readonly api: ApiClient,
    private readonly http: HttpClient,
    private readonly events: SessionEvents,
    readonly id: string,
  ) {}

  static async create(api: ApiClient, http: HttpClient, workerId: string): Promise<BusySession> {
    const { id } = await api.session(workerId);
    return new BusySession(api, http, await SessionEvents.follow(http, id), id);
  }

  /** Returns when a turn is under way; starts a harness for it where there is none. */
  async work(): Promise<void> {
    this.events.forget();
    const stream = await this.http.open('POST', `/sessions/${this.id}/stream`, { prompt: LONG });
    stream.on('error', () => undefined);
    stream.resume();
    await this.events.seen('the turn under way', ({ type }) => type === 'console');
    this.events.forget();
  }

  /** When a viewer knows that the session is suspended and its turn interrupted: the later of both. */
  async isLost(): Promise<number> {
    const [suspended, interrupted] = await Promise.all([
      this.events.state('suspended'),
      this.events.seen(
        'the turn interrupted',
        ({ type, data }) => type === 'turn.completed' && data['status'] === 'interrupted',
      ),
    ]);
    return Math.max(suspended, interrupted);
  }

  /** Throws unless the API says the same. */
  async check(): Promise<void> {
    const { status, statusReason } = await this.api.get(this.id);
    if (status !== 'suspended') throw new Error(`the session is ${status}, not suspended`);
    if (statusReason?.code !== 'harness_exited') throw new Error(`the reason is ${statusReason?.code}`);
    const [turn] = await this.api.must<TurnView[]>('GET', `/sessions/${this.id}/telemetry?limit=1`);
    if (turn?.status !== 'interrupted') throw new Error(`the turn is ${turn?.status}, not interrupted`);
  }

  close(): void {
    this.events.close();
  }
}
