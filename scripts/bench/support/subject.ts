import { newId, newObjectId } from '@reins/shared/ids';
import { ApiClient, credentialsOf } from '../../../test/support/api-client';
import { type BuiltController, startBuiltController } from '../../../test/support/processes';
import { type Credentials, ScriptedHarness } from '../../../test/support/scripted-harness';
import { BenchHarness } from './bench-harness';
import { profileEnvironment } from './cpu-profile';
import { controllerDatabase, type Database, openDatabase } from './database';
import { HttpClient } from './http';
import { loopDelayP99Ms } from './loop-delay';

/** Leaves the credentials as test/support/idle-harness.mjs does, and costs a megabyte instead of a node. */
const IDLE_HARNESS = [
  'sh',
  '-c',
  `printf '{"agentId":"%s","secret":"%s"}' "$AIWM_AGENT_ID" "$AIWM_AGENT_SECRET" > "$REINS_STATE_DIR/credentials.json"; exec sleep 600`,
];
const CONNECTS_AT_ONCE = 20;

/** What is measured: the built controller in a process of its own, with sessions whose harnesses the driver plays. */
export class Subject {
  readonly http: HttpClient;
  private readonly harnesses: BenchHarness[] = [];

  private constructor(
    readonly controller: BuiltController,
    readonly api: ApiClient,
    readonly database: Database,
    private readonly profiled: boolean,
  ) {
    this.http = new HttpClient(controller.url);
  }

  /**
   * `profileDir`: where the controller leaves a CPU profile when it stops. `env` is on top of the defaults. `databaseUri`:
   * another way to the database that `env` leads the controller to.
   */
  static async start(profileDir?: string, env: Record<string, string> = {}, databaseUri?: string): Promise<Subject> {
    const profile = profileDir === undefined ? {} : profileEnvironment(profileDir);
    const controller = await startBuiltController({
      env: { HARNESS_COMMAND: JSON.stringify(IDLE_HARNESS), ...controllerDatabase().env, ...profile, ...env },
    });
    const database = await openDatabase(controller.dataDir, databaseUri);
    return new Subject(controller, new ApiClient(controller.url), database, profileDir !== undefined);
  }

  get pid(): number {
    return this.controller.pid;
  }

  /**
   * Sessions with a connected harness each. The first is made as everybody makes one; the others are copies of it in the
   * database, since starting hundreds of processes that only sleep would take longer than the measurement.
   */
  async sessions(count: number): Promise<BenchHarness[]> {
    const workerId = await this.api.worker();
    const { id } = await this.api.session(workerId);
    const first = await credentialsOf(this.controller.dataDir, id);
    const credentials = [first, ...(await this.copies(id, first, count - 1))];
    const harnesses: BenchHarness[] = [];
    for (let at = 0; at < count; at += CONNECTS_AT_ONCE) {
      const group = credentials.slice(at, at + CONNECTS_AT_ONCE);
      harnesses.push(...(await Promise.all(group.map((one) => this.connect(one)))));
    }
    this.harnesses.push(...harnesses);
    return harnesses;
  }

  /** The warm-up is over: from here on figures count. Resets what the controller has gathered so far. */
  async measure(): Promise<void> {
    if (this.profiled) process.kill(this.pid, 'SIGUSR2');
    await loopDelayP99Ms(this.controller.url);
  }

  /** Credentials of a fresh session whose harness has not connected yet. */
  async credentials(): Promise<Credentials> {
    const { id } = await this.api.session(await this.api.worker());
    return credentialsOf(this.controller.dataDir, id);
  }

  async stop(): Promise<void> {
    for (const { scripted } of this.harnesses) scripted.close();
    this.http.close();
    try {
      await this.controller.terminate();
      await this.database.close();
    } finally {
      await this.controller.stop();
    }
  }

  private async connect(credentials: Credentials): Promise<BenchHarness> {
    const scripted = await ScriptedHarness.connect(this.controller.url, credentials);
    await scripted.start();
    return new BenchHarness(scripted);
  }

  private async copies(sessionId: string, { agentId, secret }: Credentials, count: number): Promise<Credentials[]> {
    if (count <= 0) return [];
    const database = this.database.client.db(this.database.name);
    const agents = database.collection<{ _id: string }>('agents');
    const sessions = database.collection<{ _id: string }>('sessions');
    const agent = await agents.findOne({ _id: agentId });
    const session = await sessions.findOne({ _id: sessionId });
    if (agent === null || session === null) throw new Error(`session ${sessionId} is not in the database`);
    const ids = Array.from({ length: count }, () => ({ agentId: newObjectId(), sessionId: newId('session') }));
    await agents.insertMany(ids.map((id) => ({ ...agent, _id: id.agentId, sessionId: id.sessionId })));
    await sessions.insertMany(
      ids.map((id) => ({ ...session, _id: id.sessionId, agentId: id.agentId, launchId: newId('launch') })),
    );
    return ids.map((id) => ({ agentId: id.agentId, secret }));
  }
}
