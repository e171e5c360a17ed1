import { join } from 'node:path';
import { ModulesContainer } from '@nestjs/core';
import { getConnectionToken } from '@nestjs/mongoose';
import { type CreatedApiKey, type CreatedViewerToken } from '@reins/shared/api/access';
import { type AgentView } from '@reins/shared/api/agents';
import { type CreatedNodeToken } from '@reins/shared/api/nodes';
import mongoose, { type Connection } from 'mongoose';
import { requestContext } from '../../apps/controller/src/common/request-context';
import { TenantRepository } from '../../apps/controller/src/database/tenant.repository';
import { ApiClient, credentialsOf } from '../support/api-client';
import { endOf, ScriptedHarness, textOf } from '../support/scripted-harness';
import { boot, type Booted, newOrg } from './callers';
import { replayed } from './session-viewers';
import { SCOPE_IS_FORGEABLE, WITHOUT_SCOPE } from './unscoped-methods';

const HARNESS_COMMAND = JSON.stringify([process.execPath, join(__dirname, '../support/idle-harness.mjs')]);

/**
 * What a request may ask the database without naming its organisation, by collection, method and the fields of the
 * filter. Whoever adds to it has to be able to say why nothing of another organisation comes of it.
 */
const UNSCOPED_QUERIES: Record<string, string> = {
  'agents.find(_id,isDeleted)': 'all that connect in one moment, each compared with its organisation afterwards',
  'agents.find(_id)': 'which updates of one moment have happened, by marks nobody else has',
  'api_keys.findOne(hash)': 'the key itself says whose it is',
  'viewer_tokens.findOne(hash)': 'the token itself says whose it is',
  'enrollment_tokens.findOne(hash)': 'the token itself says whose it is',
  'token_revocations.find()': 'read into memory for all, after one was added',
  'tools.find($or,isDeleted)': "the organisation's own tools and those shared with all",
  'tools.find($or,_id,isDeleted)': "the organisation's own tools and those shared with all",
  'tools.countDocuments($or,isDeleted)': "the organisation's own tools and those shared with all",
  'tools.aggregate($or,isDeleted)': "the organisation's own tools and those shared with all",
};

interface Query {
  collection: string;
  method: string;
  args: unknown[];
  /** Of the request it was made for: the tests put their organisation there. */
  correlationId: string;
}

jest.setTimeout(120_000);

let controller: Booted;
let tenantCollections: Set<string>;
const queries: Query[] = [];

beforeAll(async () => {
  mongoose.set('debug', (collection: string, method: string, ...args: unknown[]) => {
    const context = requestContext();
    if (context !== undefined) queries.push({ collection, method, args, correlationId: context.correlationId });
  });
  controller = await boot({ HARNESS_COMMAND, SESSION_END_TIMEOUT_MS: '500' });
  const { models } = controller.app.get<Connection>(getConnectionToken());
  const tenants = Object.values(models).filter(({ schema }) => schema.path('orgId') !== undefined);
  tenantCollections = new Set(tenants.map(({ collection }) => collection.name));
}, 60_000);

afterAll(async () => {
  await controller?.close();
  mongoose.set('debug', false);
}, 60_000);

describe('tenancy', () => {
  it('S4 every query of every route names the organisation of its caller, and no other', async () => {
    const orgs = [newOrg(), newOrg()];
    for (const org of orgs) await useEverything(org);

    // Harnesses connect with correlation ids of their own; who they are is known only by what they ask for.
    const ofTenants = queries.filter(
      ({ collection, correlationId }) => tenantCollections.has(collection) && orgs.includes(correlationId),
    );
    for (const org of orgs)
      expect(ofTenants.filter(({ correlationId }) => correlationId === org).length).toBeGreaterThan(200);
    expect(new Set(ofTenants.map(({ collection }) => collection)).size).toBeGreaterThan(15);
    const wrong = ofTenants.flatMap((query) => {
      const asked = organisationsOf(query);
      // What is stored has its own organisation; one write may carry what several requests left.
      const fits = (org: unknown): boolean =>
        /^(insert|bulkWrite)/.test(query.method) ? typeof org === 'string' : org === query.correlationId;
      if (asked.every(fits)) return [];
      return asked.every((org) => org === undefined)
        ? [nameOf(query)]
        : [`${nameOf(query)} asked for another organisation`];
    });
    expect([...new Set(wrong)].filter((name) => !Object.hasOwn(UNSCOPED_QUERIES, name))).toEqual([]);
  });

  it('S3 no query of a list widens it to another organisation', async () => {
    const [mine, theirs] = [newOrg(), newOrg()];
    const mark = `of-${theirs}`;
    const [reader, stranger] = [await callerOf(mine), await callerOf(theirs)];
    const worker = await stranger.worker('javascript', { description: mark });
    const { id } = await stranger.session(worker, { breadcrumbs: [mark] });
    await stranger.must('POST', '/agents', { ...AGENT, name: mark });
    await stranger.must('POST', '/nodes', { name: mark, role: ['worker'] });
    await stranger.must('POST', '/instructions', { name: mark, systemPrompt: 'be of help' });
    await stranger.must('POST', '/admin/api-keys', { name: mark });
    await stranger.must('POST', '/admin/token-revocations', { userId: mark });

    const lists = (await everyRoute(reader)).filter(([method, path]) => method === 'GET' && !path.includes('{'));
    const widening = ['orgId', 'owner.orgId', 'filter[orgId]', 'filter[owner.orgId]', 'filter[owner][orgId]'];
    const queries = [
      ...widening.flatMap((name) => [`${name}=${theirs}`, `${name}[$ne]=${mine}`, `${name}[$exists]=true`]),
      `filter[$or][0][orgId]=${theirs}`,
      `filter[$where]=1`,
      `filter[name][$regex]=.`,
      `filter[_id]=${id}`,
      `$or[0][orgId]=${theirs}`,
      `__proto__[orgId]=${theirs}`,
      `scope=public&orgId=${theirs}`,
    ];
    expect(lists.length).toBeGreaterThan(12);
    for (const [, path] of lists) {
      for (const query of queries) {
        const { status, body } = await reader.call('GET', `${path}?${query}`);
        expect({ path, query, fine: status < 500 && ![401, 403].includes(status) }).toMatchObject({ fine: true });
        expect({ path, query, seen: JSON.stringify(body).includes(mark) }).toEqual({ path, query, seen: false });
      }
    }
    // The mark is there to be seen by those whose it is.
    const own = await Promise.all(
      lists.map(async ([, path]) => JSON.stringify((await stranger.call('GET', path)).body)),
    );
    expect(own.filter((body) => body.includes(mark)).length).toBeGreaterThanOrEqual(6);
  });

  it('S4 no repository is left out of the list of methods without a tenant', () => {
    const providers = [...controller.app.get(ModulesContainer).values()].flatMap((module) => [
      ...module.providers.values(),
    ]);
    const repositories = new Set(
      providers.flatMap(({ instance }) => (instance instanceof TenantRepository ? [instance.constructor.name] : [])),
    );
    expect(repositories.size).toBeGreaterThan(15);
    expect(SCOPE_IS_FORGEABLE).toBe(false);
    expect([...repositories].filter((name) => !Object.hasOwn(WITHOUT_SCOPE, name))).toEqual([]);
  });
});

/** The organisation in each filter or document of a query. */
function organisationsOf({ method, args }: Query): unknown[] {
  return filtersOf(method, args).map((filter) => (filter as { orgId?: unknown } | undefined)?.orgId);
}

function filtersOf(method: string, [first, second]: unknown[]): unknown[] {
  if (method === 'aggregate') return [(first as { $match?: object }[])[0]?.$match];
  if (method === 'distinct') return [second];
  if (method === 'bulkWrite')
    return (first as { updateOne?: { filter?: object } }[]).map((write) => write.updateOne?.filter);
  return Array.isArray(first) ? first : [first];
}

function nameOf({ collection, method, args }: Query): string {
  const [filter] = filtersOf(method, args);
  return `${collection}.${method}(${Object.keys((filter as object | undefined) ?? {})
    .sort()
    .join(',')})`;
}

async function callerOf(org: string, token?: string): Promise<ApiClient> {
  const bearer = token ?? (await controller.sign({ sub: 'owner', roles: ['organization.owner'], orgId: org }));
  return new ApiClient(controller.url, { Authorization: `Bearer ${bearer}`, 'X-Correlation-Id': org });
}

const AGENT = { name: 'a', description: 'd', status: 'active', type: 'autonomous', secret: 'the secret of this agent' };

/** Calls every route of the API as each kind of caller, with ids that exist and ids that do not. */
async function useEverything(org: string): Promise<void> {
  const owner = await callerOf(org);

  const worker = await owner.worker();
  const { id } = await owner.session(worker);
  const harness = await ScriptedHarness.connect(controller.url, await credentialsOf(controller.dataDir, id));
  await harness.start();
  await owner.until(id, 'active');
  const answer = owner.prompt(id, 'p');
  const turn = await harness.take();
  await harness.push(1, [textOf(turn, 't'), endOf(turn)]);
  await answer;
  await replayed(owner, id, 0);

  const agent = await owner.must<AgentView>('POST', '/agents', AGENT);
  await owner.must('POST', `/agents/${agent._id}/connect`, { secret: AGENT.secret });
  const node = await owner.must<{ _id: string }>('POST', '/nodes', { name: 'n', role: ['worker'] });
  const nodeToken = await owner.must<CreatedNodeToken>('POST', `/nodes/${node._id}/token`);
  const key = await owner.must<CreatedApiKey>('POST', '/admin/api-keys', { name: 'k', roles: ['organization.owner'] });
  const viewer = await owner.must<CreatedViewerToken>('POST', `/sessions/${id}/viewer-tokens`);
  const tool = {
    name: 't',
    type: 'builtin',
    description: 'd',
    category: 'data',
    schema: { inputSchema: {}, outputSchema: {} },
  };
  await owner.call('POST', '/tools', tool);
  await owner.call('POST', '/instructions', { name: 'i', systemPrompt: 'be of help' });
  await owner.must('POST', '/admin/token-revocations', { userId: 'somebody' });

  const routes = await everyRoute(owner);
  for (const token of [key.key, viewer.token, nodeToken.token, harness.configuration.token]) {
    const caller = await callerOf(org, token);
    for (const [method, path] of routes)
      if (method === 'GET') await caller.call(method, filled(path, id, agent._id, node._id));
  }
  // What ends things comes last, or the rest would find nothing.
  const lasting = routes.filter(([method]) => method !== 'DELETE');
  const ending = routes.filter(([method]) => method === 'DELETE');
  const leave = new AbortController();
  for await (const _ of owner.sse(
    'GET',
    '/agents/events',
    undefined,
    { 'Last-Event-ID': `ev-${'0'.repeat(26)}` },
    leave.signal,
  ))
    break;
  leave.abort();
  for (const [method, path] of [...lasting, ...ending]) {
    const body = method === 'GET' || method === 'DELETE' ? undefined : {};
    await owner.call(method, path.replace(/\{\w+\}/g, '65f0c0ffee65f0c0ffee65f0'), body);
    await owner.call(method, filled(path, id, agent._id, node._id), body);
  }
  await owner.until(id, 'ended');
  harness.close();
}

async function everyRoute(owner: ApiClient): Promise<[string, string][]> {
  const { paths } = await owner.must<{ paths: Record<string, object> }>('GET', '/api-docs/openapi.json');
  const routes = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method): [string, string] => [method.toUpperCase(), path]),
  );
  return routes
    .filter(([, path]) => path !== '/agents/events')
    .map(([method, path]) => [method, path === '/sessions/{id}/events' ? `${path}?follow=false` : path]);
}

function filled(path: string, session: string, agent: string, node: string): string {
  const id = path.startsWith('/agents') ? agent : path.startsWith('/nodes') ? node : session;
  return path.replace('{id}', id).replace(/\{\w+\}/g, 'x');
}
