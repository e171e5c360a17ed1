import { randomUUID } from 'node:crypto';
import { JwtService } from '@nestjs/jwt';
import request from 'supertest';
import { bootController, type TestController } from '../support/controller';

const JWT_SECRET = 'a secret of these tests that is long enough';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

interface Answer {
  status: number;
  body: unknown;
  text: string;
  headers: Record<string, string>;
}

/** A request under way, as supertest makes it, with a body of unknown type. */
export interface Call extends PromiseLike<Answer> {
  expect(status: number, body?: unknown): Call;
  expect(header: string, value: string | RegExp): Call;
  set(headers: Record<string, string>): Call;
}

/** A caller with one token; every request carries it. */
export class Caller {
  constructor(
    private readonly url: string,
    private readonly token: string | undefined,
  ) {}

  get(path: string): Call {
    return this.call('get', path);
  }

  post(path: string, body?: unknown): Call {
    return this.call('post', path, body);
  }

  put(path: string, body?: unknown): Call {
    return this.call('put', path, body);
  }

  patch(path: string, body?: unknown): Call {
    return this.call('patch', path, body);
  }

  delete(path: string): Call {
    return this.call('delete', path);
  }

  /** Sends this text as the body, right or wrong. */
  raw(method: 'post' | 'put' | 'patch', path: string, body: string, contentType = 'application/json'): Call {
    return this.prepared(method, path).set('Content-Type', contentType).send(body);
  }

  private call(method: Method, path: string, body?: unknown): Call {
    const test = this.prepared(method, path);
    return body === undefined ? test : test.send(body as object);
  }

  private prepared(method: Method, path: string): request.Test {
    const test = request(this.url)[method](path);
    return this.token === undefined ? test : test.set('Authorization', `Bearer ${this.token}`);
  }
}

export interface Booted extends TestController {
  anonymous: Caller;
  /** A user of the organisation. */
  user(orgId: string, role?: string): Promise<Caller>;
  /** Whoever has this token or API key. */
  bearer(token: string): Caller;
  sign(claims: object, expiresIn?: number): Promise<string>;
}

/** A controller that asks for tokens, and callers who have them. */
export async function boot(environment: Record<string, string> = {}): Promise<Booted> {
  const env = { NODE_ENV: 'test', SHUTDOWN_GRACE_MS: '1000', AUTH_MODE: 'jwt', JWT_SECRET };
  const controller = await bootController({ ...env, ...environment });
  const { url } = controller;
  const jwt = new JwtService({ secret: JWT_SECRET });
  const sign = (claims: object, expiresIn = 3600) => jwt.signAsync(claims, { expiresIn });
  return {
    ...controller,
    sign,
    anonymous: new Caller(url, undefined),
    bearer: (token) => new Caller(url, token),
    user: async (orgId, role = 'organization.owner') =>
      new Caller(url, await sign({ sub: `${role}@${orgId}`, roles: [role], orgId })),
  };
}

/** An organisation nobody has used before. */
export function newOrg(): string {
  return `org-${randomUUID().slice(0, 8)}`;
}
