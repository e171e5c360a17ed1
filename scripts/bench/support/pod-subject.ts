import { type AddressInfo, createServer } from 'node:net';
import { JwtService } from '@nestjs/jwt';
import { ApiClient, eventually } from '../../../test/support/api-client';
import { type BuiltController, startBuiltController } from '../../../test/support/processes';
import { cluster, image, reachableFromPods } from '../../../test/cluster/support/cluster';
import { temporaryNamespace, type TemporaryNamespace } from '../../../test/cluster/support/namespace';
import { type ClusterClient, clusterClient } from './cluster-client';
import { profileEnvironment } from './cpu-profile';
import { controllerDatabase, type Database, openDatabase } from './database';
import { HttpClient } from './http';

const JWT_SECRET = 'the token secret of a benchmark, which protects nothing';
export const SESSION_LABEL = 'reins.dev/session';
const GONE_WITHIN_MS = 90_000;
const LOOK_EVERY_MS = 50;

/** What is measured: the built controller in a process of its own, whose sessions are pods of a namespace of their own. */
export class PodSubject {
  private constructor(
    readonly controller: BuiltController,
    readonly url: string,
    readonly api: ApiClient,
    readonly http: HttpClient,
    readonly database: Database,
    readonly client: ClusterClient,
    private readonly temporary: TemporaryNamespace,
  ) {}

  static async start(profileDir?: string, env: Record<string, string> = {}): Promise<PodSubject> {
    const temporary = await temporaryNamespace({ restricted: true });
    const port = await freePort();
    const resources = { requests: { cpu: '10m', memory: '64Mi' } };
    try {
      const controller = await startBuiltController({
        env: {
          KUBECONFIG: cluster().kubeconfig,
          HOST: '0.0.0.0',
          PORT: String(port),
          PUBLIC_URL: `http://${reachableFromPods(port)}`,
          AUTH_MODE: 'jwt',
          JWT_SECRET,
          LAUNCHER: 'kubernetes',
          KUBERNETES_NAMESPACE: temporary.name,
          KUBERNETES_POD: JSON.stringify({ workspace: { size: '64Mi' }, resources }),
          ...controllerDatabase().env,
          ...(profileDir === undefined ? {} : profileEnvironment(profileDir)),
          ...env,
        },
      });
      const user = { sub: 'bench', roles: ['organization.owner'], orgId: 'bench' };
      const token = await new JwtService({ secret: JWT_SECRET }).signAsync(user, { expiresIn: 86_400 });
      const headers = { Authorization: `Bearer ${token}` };
      const url = `http://127.0.0.1:${port}`;
      const database = await openDatabase(controller.dataDir);
      const [api, http] = [new ApiClient(url, headers), new HttpClient(url, headers)];
      return new PodSubject(controller, url, api, http, database, await clusterClient(), temporary);
    } catch (error) {
      await temporary.delete();
      throw error;
    }
  }

  get pid(): number {
    return this.controller.pid;
  }

  get namespace(): string {
    return this.temporary.name;
  }

  /** A worker without an agent CLI. `warmPods`: how many pods its runtime keeps ready. */
  async worker(warmPods = 0): Promise<{ workerId: string; runtime: { id: string; warmPods?: number } }> {
    const name = `bench-${warmPods}`;
    const body = { name, baseImage: 'node:20', vwImage: image('harness'), ...(warmPods > 0 && { warmPods }) };
    const runtime = await this.api.must<{ id: string; warmPods?: number }>('POST', '/admin/runtimes', body);
    const worker = { name, runtimeId: runtime.id, cliType: 'javascript' };
    const { id } = await this.api.must<{ id: string }>('POST', '/admin/workers', worker);
    return { workerId: id, runtime };
  }

  /** Ends a session and waits until nothing of it runs, so that the next measurement has the node for itself. */
  async end(sessionId: string): Promise<void> {
    await this.api.must('DELETE', `/sessions/${sessionId}`);
    await this.api.until(sessionId, 'ended', GONE_WITHIN_MS);
    await this.gone(`${SESSION_LABEL}=${sessionId}`);
  }

  /** Returns when no pod with such labels is left. */
  async gone(labelSelector: string): Promise<void> {
    const { client, namespace } = this;
    const none = async (): Promise<void> => {
      const { items } = await client.core.listNamespacedPod({ namespace, labelSelector });
      if (items.length > 0) throw new Error(`pods with ${labelSelector} do not go`);
    };
    await eventually(none, GONE_WITHIN_MS, LOOK_EVERY_MS);
  }

  async stop(): Promise<void> {
    this.http.close();
    try {
      await this.controller.terminate();
      await this.database.close();
    } finally {
      await this.controller.stop();
      await this.temporary.delete();
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
