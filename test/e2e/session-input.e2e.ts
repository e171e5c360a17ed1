import { request } from 'node:http';
import { join } from 'node:path';
import { newId } from '@reins/shared/ids';
import { startInterval } from '@reins/shared/util';
import { ApiClient } from '../support/api-client';
import { bootController, type TestController } from '../support/controller';
import {
  type Answer,
  BAD_HEADERS,
  BAD_IDS,
  BAD_VALUES,
  BODIES,
  deep,
  fieldsOf,
  judge,
  mustBeRefused,
  NASTY,
  type OpenApi,
  outside,
  type Route,
  type Schema,
  short,
  spoil,
  WRONG_TYPES,
} from './session-input-cases';

const HARNESS_COMMAND = JSON.stringify([process.execPath, join(__dirname, '../support/idle-harness.mjs')]);
/** A request that takes longer hangs. */
const ANSWER_WITHIN_MS = 20_000;

interface Sent {
  headers?: Record<string, string | string[]>;
  body?: string;
  query?: string;
}

const SESSION_SIDE = /^\/(sessions|operations|admin\/workers\/\{id\}\/sessions)(\/|$)/;

let controller: TestController;
let openApi: OpenApi;
let routes: Route[] = [];
let ids: Record<string, string> = {};
let stopAborting: () => Promise<void>;

beforeAll(async () => {
  controller = await bootController({ HARNESS_COMMAND, LAUNCH_TIMEOUT_MS: '3600000' });
  const api = new ApiClient(controller.url);
  openApi = await api.must<OpenApi>('GET', '/api-docs/openapi.json');
  routes = Object.entries(openApi.paths)
    .filter(([path]) => SESSION_SIDE.test(path))
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, found]) => ({ ...found, method, path })));
  const worker = await api.worker();
  const session = (await api.session(worker)).id;
  const turn = api.call('POST', `/sessions/${session}/prompt`, { prompt: 'x' });
  await api.must('POST', `/sessions/${session}/abort`, {});
  // Whatever bad prompt is accepted waits for a harness that never comes: it is ended from aside.
  const aborting = startInterval({
    everyMs: 100,
    run: async () => void (await api.must('POST', `/sessions/${session}/abort`, { scope: 'session' })),
    onError: (error) => {
      throw error;
    },
  });
  stopAborting = () => aborting.stop();
  await turn;
  const operations = await api.must<{ id: string }[]>('GET', `/sessions/${session}/operations`);
  const { blobId } = await api.must<{ blobId: string }>('PUT', `/sessions/${session}/blobs`, 'bytes');
  const turnId = (await api.telemetry(session))[0]?.id ?? '';
  ids = { session, worker, turnId, blobId, operation: operations[0]?.id ?? '' };
}, 60_000);

afterAll(async () => {
  await stopAborting?.();
  await controller?.close();
}, 60_000);

/** The route's path with ids that exist, or with `id` in the place of one of them. */
function pathOf(route: Route, spoilt: { name: string; id: string } | undefined = undefined): string {
  const kind = route.path.startsWith('/operations')
    ? 'operation'
    : route.path.startsWith('/admin')
      ? 'worker'
      : 'session';
  return route.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (name === spoilt?.name) return spoilt.id;
    return ids[name === 'id' ? kind : name] ?? '';
  });
}

let sent = 0;

/** Sends what fetch would refuse or repair; of an event stream only the head is read. */
function send(method: string, path: string, { headers = {}, body, query = '' }: Sent = {}): Promise<Answer> {
  const { hostname, port } = new URL(controller.url);
  const correlation = `input-${++sent}`;
  return new Promise<Answer>((resolve, reject) => {
    const outgoing = request({
      hostname,
      port,
      method,
      path: query === '' ? path : `${path}?${query}`,
      headers: {
        'x-correlation-id': correlation,
        ...(body !== undefined && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
        ...headers,
      },
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    outgoing.once('error', reject);
    outgoing.once('response', (response) => {
      const { statusCode: status = 0, headers: answered } = response;
      const done = (text: string): void => {
        if (answered['x-correlation-id'] === correlation) resolve({ status, headers: answered, text });
        else reject(new Error(`x-correlation-id is ${String(answered['x-correlation-id'])}, not ${correlation}`));
      };
      if (answered['content-type']?.startsWith('text/event-stream') === true) {
        done('');
        response.on('error', () => undefined);
        outgoing.destroy();
        return;
      }
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => done(text));
      response.once('error', reject);
    });
    outgoing.end(body);
  }).catch((error: unknown) => {
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(`${method} ${path.slice(0, 100)}?${query.slice(0, 60)} ${(body ?? '').slice(0, 100)}: ${what}`);
  });
}

/** Sends a spoilt request and judges it; a session it made is ended again. */
async function attempt(route: Route, what: string, path: string, options: Sent, field?: string): Promise<Answer> {
  const answer = await send(route.method.toUpperCase(), path, options);
  judge(`${route.method} ${route.path} ${what}`, answer, field);
  if (answer.status === 201 && route.path === '/sessions') {
    await send('DELETE', `/sessions/${(JSON.parse(answer.text) as { id: string }).id}`);
  }
  return answer;
}

function resolved(schema: Schema): Schema {
  const name = schema.$ref?.split('/').pop();
  return name === undefined ? schema : (openApi.components.schemas[name] ?? {});
}

const bodySchema = (route: Route): Schema | undefined => {
  const schema = route.requestBody?.content['application/json']?.schema;
  return schema === undefined ? undefined : resolved(schema);
};

const withBody = (): Route[] => routes.filter((route) => bodySchema(route) !== undefined);

/** A right body, whose fields are then spoilt one by one. */
function rightBody(route: Route): Record<string, unknown> {
  if (route.path === '/sessions') {
    const limits = { cpuMs: 100, wallMs: 100, memoryBytes: 16 * 1024 * 1024 };
    return {
      workerId: ids['worker'],
      repository: { url: 'https://git.example/org/r', branch: 'main' },
      breadcrumbs: ['b'],
      settings: { onInterrupt: 'hold', turnIdleMs: 1000, limits },
    };
  }
  if (route.path.endsWith('/abort')) return { subsessionId: 's', requestId: newId('turn'), scope: 'turn' };
  return { prompt: 'p', subsessionId: 's', timeout: 5, breadcrumbs: ['b'] };
}

const LISTS_BY_ID = ['/admin/workers/{id}/sessions'];

jest.setTimeout(180_000);

describe('bad input to the routes of sessions', () => {
  it('the routes are those this suite is about', () => {
    const found = routes.map(({ method, path }) => `${method} ${path}`);
    expect(found.length).toBeGreaterThanOrEqual(17);
    expect(found).toEqual(
      expect.arrayContaining(['post /sessions', 'put /sessions/{id}/blobs', 'get /operations/{id}']),
    );
    expect(withBody().map(({ path }) => path)).toEqual(
      expect.arrayContaining(['/sessions', '/sessions/{id}/prompt', '/sessions/{id}/stream', '/sessions/{id}/abort']),
    );
  });

  it.each(['/sessions', '/sessions/{id}/prompt', '/sessions/{id}/stream', '/sessions/{id}/abort'])(
    'POST %s names every spoilt field',
    async (path) => {
      const route = withBody().find((one) => one.path === path) as Route;
      const right = rightBody(route);
      expect((await attempt(route, 'right', pathOf(route), { body: JSON.stringify(right) })).status).not.toBe(400);
      for (const { path: field, schema, required } of fieldsOf(bodySchema(route) ?? {})) {
        for (const value of [...NASTY, ...outside(schema)]) {
          const body = JSON.stringify(spoil(right, field, value));
          const what = `with ${field} = ${short(value)}`;
          const answer = await attempt(route, what, pathOf(route), { body }, field);
          if (mustBeRefused(schema, required, value) && answer.status !== 400) {
            throw new Error(`${route.path} ${what} got ${answer.status}, not 400: ${answer.text.slice(0, 200)}`);
          }
        }
      }
    },
  );

  it('broken bodies and other content types are answered in the shape', async () => {
    for (const route of withBody()) {
      for (const body of BODIES) await attempt(route, `body ${body.slice(0, 40)}`, pathOf(route), { body });
      for (const type of WRONG_TYPES) {
        const options = { body: JSON.stringify({ x: 1 }), headers: { 'Content-Type': type } };
        await attempt(route, `as ${type}`, pathOf(route), options);
      }
      const large = JSON.stringify({ prompt: 'x'.repeat(5 * 1024 * 1024) });
      expect((await attempt(route, 'too large', pathOf(route), { body: large })).status).toBe(413);
    }
  });

  it('routes without a body do not mind one', async () => {
    for (const route of routes.filter((one) => bodySchema(one) === undefined && one.method === 'get')) {
      const query = route.path.endsWith('/events') ? 'follow=false' : '';
      for (const body of ['{', 'null', deep(10_000, '[', ']')]) {
        await attempt(route, `body ${body.slice(0, 10)}`, pathOf(route), { body, query });
      }
    }
  });

  it('malformed ids and ids of another kind are 400 or 404', async () => {
    for (const route of routes) {
      const names = [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
      const body = bodySchema(route) === undefined ? {} : { body: JSON.stringify(rightBody(route)) };
      for (const name of names) {
        for (const id of BAD_IDS) {
          const answer = await attempt(route, `${name} = ${id}`, pathOf(route, { name, id }), body);
          // Lists that are found by an id alone are empty for one that is not there.
          const empty = LISTS_BY_ID.includes(route.path) && answer.status === 200 && answer.text === '[]';
          // A traversal is resolved before it is sent and may end at another route.
          if (empty || id.includes('..')) continue;
          if (![400, 404].includes(answer.status))
            throw new Error(`${route.path} with ${id}: ${answer.status} ${answer.text}`);
        }
      }
    }
    // Nothing of this has ended the session the tests are about.
    expect((await send('GET', `/sessions/${ids['session']}`)).text).toContain('"status":"pending"');
  });

  it('spoilt query values are named', async () => {
    for (const route of routes) {
      const query = (route.parameters ?? []).filter((parameter) => parameter.in === 'query');
      for (const { name, schema } of query) {
        const base = name !== 'follow' && route.path.endsWith('/events') ? 'follow=false&' : '';
        for (const value of BAD_VALUES) {
          const what = `${name}=${value.slice(0, 40)}`;
          const answer = await attempt(route, what, pathOf(route), { query: `${base}${name}=${value}` }, name);
          const number = Number(value);
          const wrong =
            schema.type === 'integer' ? value !== '' && !Number.isSafeInteger(number) : schema.enum !== undefined;
          if (wrong && answer.status !== 400) throw new Error(`${route.path}?${what} got ${answer.status}, not 400`);
        }
        for (const key of [`${name}[]=1`, `${name}[$gt]=1`, `${name}[__proto__]=1`]) {
          await attempt(route, key, pathOf(route), { query: base + key }, name);
        }
        const twice = await attempt(route, 'twice', pathOf(route), { query: `${base}${name}=1&${name}=2` }, name);
        expect([route.path, name, twice.status]).toEqual([route.path, name, 400]);
      }
      const plain = route.path.endsWith('/events') ? 'follow=false&' : '';
      if (route.method !== 'get') continue;
      for (const junk of [
        'unknown=1',
        '__proto__[x]=1',
        '=',
        '&&&',
        '%ZZ=%ZZ',
        `${'a=1&'.repeat(1500)}`,
        '?',
        '[]=1',
      ]) {
        await attempt(route, junk.slice(0, 20), pathOf(route), { query: plain + junk });
      }
    }
  });

  it('header junk is refused or ignored', async () => {
    const withHeader = (name: string): Route[] =>
      routes.filter(({ path, method }) =>
        name === 'Idempotency-Key'
          ? method === 'post' && !path.endsWith('/abort')
          : path.endsWith('/stream') || path.endsWith('/events'),
      );
    for (const name of ['Idempotency-Key', 'Last-Event-ID']) {
      for (const route of withHeader(name)) {
        const body = route.method === 'post' ? { body: JSON.stringify(rightBody(route)) } : {};
        for (const value of BAD_HEADERS) {
          const options = { ...body, headers: { [name]: value }, query: route.method === 'get' ? 'follow=false' : '' };
          await attempt(route, `${name}: ${short(value)}`, pathOf(route), options, name);
        }
      }
    }
    for (const key of ['a b', 'é', 'x'.repeat(300)]) {
      const options = { body: '{"prompt":"p"}', headers: { 'Idempotency-Key': key } };
      expect((await send('POST', `/sessions/${ids['session']}/prompt`, options)).status).toBe(400);
    }
    for (const junk of ['Bearer', 'Bearer ', 'Basic eDp5', 'Bearer x y', 'Bearer rk_', 'é']) {
      for (const route of routes.filter(({ method }) => method === 'get')) {
        const answer = await attempt(route, junk, pathOf(route), { headers: { Authorization: junk } });
        expect(answer.status).toBe(401);
      }
    }
  });

  it('a correlation id that is not a sane one is replaced', async () => {
    for (const junk of ['', 'a b', 'é', 'x'.repeat(500), '{"a":1}']) {
      const { hostname, port } = new URL(controller.url);
      const given = await new Promise<string>((resolve, reject) => {
        const headers = { 'x-correlation-id': junk };
        const outgoing = request({ hostname, port, path: '/sessions/none', headers }, (response) => {
          response.resume();
          resolve(String(response.headers['x-correlation-id']));
        });
        outgoing.once('error', reject).end();
      });
      expect(given).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it('blobs: a checksum that is malformed or does not fit is refused, whatever the content type', async () => {
    const path = `/sessions/${ids['session']}/blobs`;
    const route = routes.find((one) => one.method === 'put') as Route;
    for (const sha256 of ['x', '', 'A'.repeat(64), '0'.repeat(63), '0'.repeat(64), '%00', 'a&sha256=b']) {
      for (const type of ['application/json', 'text/html', 'x', 'é']) {
        const options = { body: '{"not json', query: `sha256=${sha256}`, headers: { 'Content-Type': type } };
        expect((await attempt(route, `sha256=${sha256}`, path, options, 'sha256')).status).toBe(400);
      }
    }
    const odd = await send('PUT', path, { body: '<script>', headers: { 'Content-Type': 'text/html' } });
    expect(odd.status).toBe(201);
    const { blobId } = JSON.parse(odd.text) as { blobId: string };
    expect((await send('GET', `${path}/${blobId}`)).headers['content-type']).toBe('application/octet-stream');
  });

  it('after all this the controller is ready', async () => {
    expect((await send('GET', '/ready')).status).toBe(200);
  });
});
