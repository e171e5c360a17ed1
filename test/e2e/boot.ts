import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JwtService } from '@nestjs/jwt';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { startEmbeddedMongo } from '@reins/embedded-mongo';
import request, { type Test } from 'supertest';
import { startController } from '../../apps/controller/src/bootstrap';
import { loadConfig } from '../../apps/controller/src/config/config';

const SECRET = 'a secret of the tests that is long enough';

export type Body = Record<string, unknown>;

/** A caller with one token; every method gives a supertest request that carries it. */
export class Client {
  constructor(
    private readonly url: string,
    readonly token: string | undefined,
  ) {}

  readonly get = (path: string): Test => this.with(request(this.url).get(path));
  readonly post = (path: string, body?: unknown): Test => this.sending(request(this.url).post(path), body);
  readonly put = (path: string, body?: unknown): Test => this.sending(request(this.url).put(path), body);
  readonly delete = (path: string): Test => this.with(request(this.url).delete(path));

  /** Sends a body as it is, right or wrong. */
  raw(method: 'post' | 'put', path: string, body: string, type = 'application/json'): Test {
    return this.with(request(this.url)[method](path)).set('Content-Type', type).send(body);
  }

  private sending(test: Test, body: unknown): Test {
    return body === undefined ? this.with(test) : this.with(test).send(body as object);
  }

  private with(test: Test): Test {
    return this.token === undefined ? test : test.set('Authorization', `Bearer ${this.token}`);
  }
}

export interface Booted {
  app: NestExpressApplication;
  url: string;
  anonymous: Client;
  /** A user of the organisation. */
  user(orgId: string, role?: string): Promise<Client>;
  /** Whoever has this token or API key. */
  bearer(token: string): Client;
  sign(claims: Body, expiresIn?: number): Promise<string>;
  /** Ends the database under the controller; only where it is one of its own. */
  cutDatabase(): Promise<void>;
  stop(): Promise<void>;
}

/** A whole controller on a port of its own, with MONGODB_URI or an embedded database of its own. */
export async function boot(environment: Record<string, string> = {}): Promise<Booted> {
  const dir = mkdtempSync(join(tmpdir(), 'reins-e2e-'));
  const database =
    process.env.MONGODB_URI === undefined ? await startEmbeddedMongo({ dir: join(dir, 'db'), port: 0 }) : undefined;
  const config = loadConfig(
    {
      NODE_ENV: 'test',
      LOG_LEVEL: 'silent',
      PORT: '0',
      SHUTDOWN_GRACE_MS: '1000',
      AUTH_MODE: 'jwt',
      JWT_SECRET: SECRET,
      REINS_DATA_DIR: join(dir, 'data'),
      MONGODB_URI: process.env.MONGODB_URI ?? database?.uri,
      ...environment,
    },
    () => SECRET,
  );
  const { app, url, stop } = await startController(config);
  const jwt = new JwtService({ secret: SECRET });
  const sign = (claims: Body, expiresIn = 3600) => jwt.signAsync(claims, { expiresIn });
  return {
    app,
    url,
    sign,
    anonymous: new Client(url, undefined),
    bearer: (token) => new Client(url, token),
    user: async (orgId, role = 'organization.owner') =>
      new Client(url, await sign({ sub: `${role}@${orgId}`, roles: [role], orgId })),
    cutDatabase: async () => {
      if (database === undefined) throw new Error('the database of MONGODB_URI is not ours to end');
      await database.close();
    },
    stop: async () => {
      await stop();
      await database?.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** An organisation nobody has used before. */
export function newOrg(): string {
  return `org-${randomUUID().slice(0, 8)}`;
}
