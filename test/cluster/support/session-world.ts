import { type AddressInfo, createServer } from 'node:net';
import { type SessionView } from '@reins/shared/api/sessions';
import { JwtService } from '@nestjs/jwt';
import { ApiClient } from '../../support/api-client';
import { bootController, type TestController } from '../../support/controller';
import { image, reachableFromPods } from './cluster';
import { claims, jobs, networkPolicies, pods, secrets } from './objects';

const JWT_SECRET = 'the token secret of the cluster tests, which protects nothing';

export interface World {
  controller: TestController;
  api: ApiClient;
  /** Everything of sessions that is in the namespace, by kind. */
  remains(): Promise<Record<string, number>>;
  /** A worker whose pods run this kind of agent. */
  worker(cliType?: string, pod?: object, harnessImage?: string, more?: object): Promise<string>;
  session(workerId: string, more?: object): Promise<SessionView>;
  close(): Promise<void>;
}

/** A controller in this process that runs its sessions as pods of a namespace. */
export async function bootWorld(namespace: string, env: Record<string, string> = {}): Promise<World> {
  const port = await freePort();
  const controller = await bootController({
    HOST: '0.0.0.0',
    PORT: String(port),
    PUBLIC_URL: `http://${reachableFromPods(port)}`,
    AUTH_MODE: 'jwt',
    JWT_SECRET,
    LAUNCHER: 'kubernetes',
    KUBERNETES_NAMESPACE: namespace,
    KUBERNETES_POD: JSON.stringify({
      workspace: { size: '64Mi' },
      resources: { requests: { cpu: '10m', memory: '64Mi' } },
    }),
    ...env,
  });
  const user = { sub: 'tests', roles: ['organization.owner'], orgId: 'cluster-tests' };
  const token = await new JwtService({ secret: JWT_SECRET }).signAsync(user, { expiresIn: 86_400 });
  const url = `http://127.0.0.1:${port}`;
  const api = new ApiClient(url, { Authorization: `Bearer ${token}` });
  return {
    controller,
    api,
    remains: async () => {
      const selector = 'app.kubernetes.io/managed-by=reins';
      const kinds = { jobs, pods, secrets, claims, networkPolicies };
      const counted = Object.entries(kinds).map(
        async ([kind, list]) => [kind, (await list(namespace, selector)).length] as const,
      );
      return Object.fromEntries(await Promise.all(counted));
    },
    worker: async (cliType = 'javascript', pod = {}, harnessImage = image('harness'), more = {}) => {
      const name = `${cliType}-${Math.random().toString(36).slice(2)}`;
      const runtime = { name, baseImage: 'node:20', vwImage: harnessImage };
      const { id: runtimeId } = await api.must<{ id: string }>('POST', '/admin/runtimes', runtime);
      const worker = { name, runtimeId, cliType, pod, ...more };
      return (await api.must<{ id: string }>('POST', '/admin/workers', worker)).id;
    },
    session: (workerId, more) => api.session(workerId, more),
    close: () => controller.close(),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
