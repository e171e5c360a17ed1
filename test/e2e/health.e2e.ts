import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedMongo } from '@reins/embedded-mongo';
import { Readiness } from '../../apps/controller/src/health/readiness';
import { boot, type Booted, newOrg } from './callers';

interface Document {
  openapi: string;
  paths: Record<string, Record<string, { summary?: string; tags?: string[]; responses: Record<string, unknown> }>>;
}

describe('health, metrics and description', () => {
  let controller: Booted;

  beforeAll(async () => {
    controller = await boot();
  }, 60_000);

  afterAll(() => controller.close(), 60_000);

  it('tells what it is', async () => {
    const { body } = await controller.anonymous.get('/').expect(200);
    expect(body).toEqual({ service: 'reins-controller', version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string });
    const status = await controller.anonymous.get('/status').expect(200);
    expect(status.body).toEqual({ ...(body as object), uptime: expect.any(Number) as number, environment: 'test' });
  });

  it('is alive and ready', async () => {
    await controller.anonymous.get('/health').expect(200, { status: 'ok' });
    await controller.anonymous.get('/ready').expect(200, { status: 'ready', checks: { database: 'up' } });
  });

  it('measures requests under the pattern of their route', async () => {
    const user = await controller.user(newOrg());
    await user.get('/admin/workers/wk-nobody').expect(404);
    await user.get('/nowhere/at-all').expect(404);
    const { text } = await controller.anonymous
      .get('/metrics')
      .expect(200)
      .expect('Content-Type', /text\/plain/);
    expect(text).toMatch(
      /reins_http_request_duration_seconds_count\{method="GET",route="\/admin\/workers\/:id",status="404"\} 1/,
    );
    expect(text).toMatch(/route="unmatched",status="404"/);
    expect(text).toContain('process_cpu_seconds_total');
    expect(text).not.toContain('wk-nobody');
  });

  it('shows metrics to strangers only with a token that may read', async () => {
    const from = { 'x-forwarded-for': '192.0.2.1' };
    await controller.anonymous.get('/metrics').set(from).expect(401);
    await (await controller.user(newOrg(), 'nobody')).get('/metrics').set(from).expect(403);
    await (await controller.user(newOrg(), 'organization.viewer')).get('/metrics').set(from).expect(200);
  });

  it('describes every route with a summary, a tag and its answers', async () => {
    await controller.anonymous.get('/api-docs').expect(200).expect('Content-Type', /html/);
    const { body } = await controller.anonymous.get('/api-docs/openapi.json').expect(200);
    const { paths } = body as Document;
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, ...operation })),
    );
    expect(operations.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['post /agents/{id}/connect', 'get /admin/workers', 'post /admin/api-keys', 'get /ready']),
    );
    const incomplete = operations.filter(
      ({ summary, tags, responses }) => !summary || !tags?.length || Object.keys(responses).length < 2,
    );
    expect(incomplete.map(({ name }) => name)).toEqual([]);
  });

  it('is not ready any more once it drains', async () => {
    controller.app.get(Readiness).drain();
    const { body } = await controller.anonymous.get('/ready').expect(503);
    expect(body).toMatchObject({ error: 'The controller is shutting down', code: 'draining' });
    await controller.anonymous.get('/health').expect(200);
  });
});

describe('without its database', () => {
  it('is alive but not ready, and answers 503 instead of hanging', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'reins-e2e-database-'));
    const database = await startEmbeddedMongo({ dir, port: 0 });
    const controller = await boot({ DATABASE_TIMEOUT_MS: '500', MONGODB_URI: database.uri });
    try {
      const user = await controller.user(newOrg());
      await user.get('/admin/workers').expect(200);
      await database.close();
      await controller.anonymous.get('/health').expect(200);
      const { body } = await controller.anonymous.get('/ready').expect(503);
      expect(body).toMatchObject({ code: 'database_unavailable' });
      const refused = await user.get('/admin/workers').expect(503);
      expect(refused.body).toMatchObject({ code: 'database_unavailable', retryable: true });
    } finally {
      await controller.close();
      rmSync(dir, { recursive: true, force: true });
    }
  }, 60_000);
});
