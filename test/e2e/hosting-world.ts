import { type AgentView } from '@reins/shared/api/agents';
import { type SessionView } from '@reins/shared/api/sessions';
import { ApiClient, type Answer, eventually } from '../support/api-client';
import { bootController, type TestController } from '../support/controller';
import { type HostFacts, newHost, ScriptedHost } from '../support/hosts';
import { type Credentials } from '../support/scripted-harness';

/** A controller with a worker, and scripted hosts that belong to one test at a time. */
export class HostingWorld {
  /** Hosts of one test are told from those of the others by this label. */
  labels: Record<string, string> = {};
  private tests = 0;
  private readonly open: ScriptedHost[] = [];

  private constructor(
    readonly controller: TestController,
    readonly api: ApiClient,
    readonly workerId: string,
  ) {}

  static async boot(): Promise<HostingWorld> {
    const controller = await bootController({
      HEARTBEAT_MS: '300',
      LEASE_MS: '1500',
      LOST_AFTER_MS: '2500',
      SESSION_END_TIMEOUT_MS: '1000',
      LAUNCH_TIMEOUT_MS: '60000',
    });
    const api = new ApiClient(controller.url);
    return new HostingWorld(controller, api, await api.worker());
  }

  nextTest(): void {
    this.labels = { test: `t${++this.tests}` };
  }

  closeHosts(): void {
    for (const host of this.open.splice(0)) host.close();
  }

  identity(name: string, more: object = {}): Promise<Credentials> {
    return newHost(this.api, name, { labels: this.labels, ...more });
  }

  async connect(credentials: Credentials, facts: HostFacts = {}): Promise<ScriptedHost> {
    const host = await ScriptedHost.connect(this.controller.url, credentials, facts);
    this.open.push(host);
    return host;
  }

  async host(name: string, facts: HostFacts = {}): Promise<ScriptedHost> {
    return this.connect(await this.identity(name), facts);
  }

  /** A session on one of this test's hosts. */
  placed(mode = 'min_load'): Promise<SessionView> {
    return this.api.session(this.workerId, { placement: { mode, labels: this.labels } });
  }

  create(body: object): Promise<Answer<Record<string, unknown>>> {
    return this.api.call('POST', '/sessions', { workerId: this.workerId, ...body });
  }

  agent(id: string): Promise<AgentView> {
    return this.api.must<AgentView>('GET', `/agents/${id}`);
  }

  edit(id: string, change: object): Promise<AgentView> {
    return this.api.must<AgentView>('PUT', `/agents/${id}`, change);
  }

  active(sessionId: string): Promise<SessionView> {
    return this.api.until(sessionId, 'active');
  }

  end(sessionId: string): Promise<unknown> {
    return this.api.must('DELETE', `/sessions/${sessionId}`);
  }

  /** Waits until the session says that it has no host, and why. */
  waiting(sessionId: string, words: RegExp): Promise<SessionView> {
    return eventually(async () => {
      const session = await this.api.get(sessionId);
      expect(session.statusReason).toMatchObject({ code: 'no_host' });
      expect(session.statusReason?.message).toMatch(words);
      return session;
    });
  }
}
