import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EffectiveConfiguration } from './agent/agent-context';
import { AiwmServer } from './link/testing/aiwm-server';
import { ScriptedPeer, SECRET } from './link/testing/scripted-peer';
import { endLoneHarnesses, loneHarness, newFolder } from './testing/lone-harness';

const HOUR_MS = 3_600_000;
const servers: { stop: () => Promise<void> }[] = [];

async function aiwm(): Promise<AiwmServer> {
  const server = await AiwmServer.start();
  servers.push({ stop: () => server.down() });
  return server;
}

async function reins(): Promise<ScriptedPeer> {
  const peer = await ScriptedPeer.start();
  peer.session = null;
  servers.push({ stop: () => peer.stop() });
  return peer;
}

/** An address at which nothing listens, and the server that can come up there. */
async function absent(): Promise<AiwmServer> {
  const server = await AiwmServer.start();
  await server.down();
  servers.push({ stop: () => server.down().catch(() => undefined) });
  return server;
}

afterEach(async () => {
  await endLoneHarnesses();
  for (const server of servers.splice(0)) await server.stop();
});

describe('connect', () => {
  it('is tried again after 1, 2 and 4 seconds, then the harness works from local configuration', async () => {
    const server = await absent();
    const folder = newFolder();
    writeFileSync(join(folder, 'instruction.md'), 'Local instruction.\n');
    const lone = loneHarness({ AIWM_BASE_URL: server.url, CLAUDE_MODEL: 'm', DISCORD_TOKEN: 'discord-token' }, folder);
    const seen: EffectiveConfiguration[] = [];
    lone.harness.agent.onConfigured((configuration) => seen.push(configuration));
    for (const ms of [1000, 2000, 4000]) {
      await lone.clock.untilAsleepFor(ms);
      expect(lone.harness.status.phase).toBe('starting');
      expect(seen).toEqual([]);
      await lone.clock.advance(ms);
    }
    await lone.until('local mode', () => lone.harness.status.phase === 'working');
    expect(lone.clock.waits).toEqual([1000, 2000, 4000, 300_000]);
    expect(lone.harness.status).toMatchObject({ connected: false, mode: 'local', configVersion: '' });
    expect(seen).toEqual([lone.harness.agent.configuration()]);
    expect(seen[0]).toMatchObject({
      mode: 'local',
      instruction: 'Local instruction.\n',
      settings: {
        claude_model: 'm',
        claude_maxTurns: 100,
        claude_permissionMode: 'bypassPermissions',
        discord: { token: 'discord-token', channelIds: [] },
      },
      allowedTools: [],
      mcpServers: {},
    });
    expect(lone.count('aiwm_connection_failure_total')).toBe(4);
    expect(lone.count('aiwm_connection_success_total')).toBe(0);
    expect(lone.counters.facts.lastConnectionError).toContain('ECONNREFUSED');
    expect(lone.logged('working from local configuration until the controller can be reached')).toHaveLength(1);
  });

  it('is tried every AIWM_RETRY_SECONDS from then on, and the answer replaces the local configuration', async () => {
    const server = await absent();
    server.configuration = { instruction: 'Remote.', settings: { claude_model: 'theirs' } };
    const lone = loneHarness({ AIWM_BASE_URL: server.url, AIWM_RETRY_SECONDS: '60', CLAUDE_MODEL: 'mine' });
    const modes: string[] = [];
    lone.harness.agent.onConfigured(({ mode }) => modes.push(mode));
    for (const ms of [1000, 2000, 4000, 60_000]) {
      await lone.clock.untilAsleepFor(ms);
      await lone.clock.advance(ms);
    }
    await lone.clock.untilAsleepFor(60_000);
    expect(lone.count('aiwm_connection_failure_total')).toBe(5);
    await server.up();
    await lone.clock.advance(60_000);
    await lone.until('connected', () => lone.harness.status.connected);
    expect(modes).toEqual(['local', 'remote']);
    expect(lone.harness.agent.configuration()).toMatchObject({
      mode: 'remote',
      instruction: 'Remote.',
      settings: { claude_model: 'theirs' },
    });
    expect(lone.counters.facts.lastConnectionError).toBeNull();
  });

  it('of a harness for one session goes on with the backoff of a lost connection and never alone', async () => {
    const server = await absent();
    const lone = loneHarness({ AIWM_BASE_URL: server.url, REINS_MANAGED: 'true' });
    for (const ms of [1000, 2000, 4000, 5000]) {
      await lone.clock.untilAsleepFor(ms);
      await lone.clock.advance(ms);
    }
    await lone.clock.untilAsleepFor(5000);
    expect(lone.harness.status).toMatchObject({ phase: 'starting', connected: false });
  });

  it('waits as long as the controller asks', async () => {
    const server = await aiwm();
    server.script['connect'] = [{ status: 429, body: { message: 'later' }, headers: { 'retry-after': '7' } }];
    const lone = loneHarness({ AIWM_BASE_URL: server.url });
    await lone.clock.untilAsleepFor(7000);
    await lone.clock.advance(7000);
    await lone.until('connected', () => lone.harness.status.connected);
  });

  it('is given up after AIWM_TIMEOUT_MS without an answer', async () => {
    const server = await aiwm();
    server.script['connect'] = ['silence'];
    const lone = loneHarness({ AIWM_BASE_URL: server.url, AIWM_TIMEOUT_MS: '150' });
    await lone.clock.untilAsleepFor(1000);
    expect(lone.counters.facts.lastConnectionError).toBe('no answer within 150 ms');
  });

  it('is not accepted while its answer makes no sense', async () => {
    const server = await aiwm();
    server.script['connect'] = [
      { status: 200, body: '<html>a proxy</html>' },
      { status: 200, body: { instruction: 'no token' } },
    ];
    const lone = loneHarness({ AIWM_BASE_URL: server.url });
    await lone.clock.untilAsleepFor(1000);
    expect(lone.counters.facts.lastConnectionError).toBe("the controller's answer is not JSON");
    await lone.clock.advance(1000);
    await lone.clock.untilAsleepFor(2000);
    expect(lone.counters.facts.lastConnectionError).toBe("the controller's answer has no token");
    await lone.clock.advance(2000);
    await lone.until('connected', () => lone.harness.status.connected);
  });

  it.each([
    [401, 'agent.refused', 'check AIWM_AGENT_ID and AIWM_AGENT_SECRET'],
    [404, 'agent.not_found', 'the agent does not exist'],
  ])('answered %d stops the harness with an alert', async (status, event, hint) => {
    const server = await aiwm();
    server.script['connect'] = [{ status, body: { message: `no ${SECRET}` } }];
    const lone = loneHarness({ AIWM_BASE_URL: server.url });
    await expect(lone.exit).resolves.toMatchObject({ code: 1, alert: event });
    expect(lone.harness.status.phase).toBe('refused');
    expect(lone.logged('ALERT')).toMatchObject([
      { level: 'error', event, agentId: '0123456789abcdef01234567', reason: expect.stringContaining(hint) as string },
    ]);
    expect(lone.lines.join('')).not.toContain(SECRET);
    expect(server.requests).toHaveLength(1);
  });

  it('leaves the correlation id of each request in the log, the same the controller was sent', async () => {
    const server = await aiwm();
    server.script['connect'] = [{ status: 503, body: { message: 'starting' } }];
    const lone = loneHarness({ AIWM_BASE_URL: server.url });
    await lone.clock.untilAsleepFor(1000);
    await lone.clock.advance(1000);
    await lone.until('a heartbeat', () => lone.count('aiwm_heartbeat_success_total') === 1);
    const sent = server.requests.map(({ headers }) => headers['x-correlation-id']);
    expect(new Set(sent).size).toBe(3);
    expect(lone.logged('connect failed')[0]).toMatchObject({ reason: 'starting', correlationId: sent[0] });
    expect(lone.logged('configured by the controller')[0]).toMatchObject({ correlationId: sent[1], link: false });
    expect(lone.logged('request answered')).toMatchObject([
      { request: 'connect', status: 201, correlationId: sent[1] },
      { request: 'heartbeat', status: 201, correlationId: sent[2] },
    ]);
  });
});

describe('the token', () => {
  it('is renewed after 23 of its 24 hours, and the connection stays', async () => {
    const peer = await reins();
    const lone = loneHarness({ AIWM_BASE_URL: peer.url });
    await lone.until('connected', () => lone.harness.status.connected);
    await lone.clock.advance(23 * HOUR_MS - 1);
    expect(peer.connects).toHaveLength(1);
    await lone.clock.advance(1);
    await lone.until('renewed', () => lone.count('aiwm_token_refresh_total') === 1);
    expect(peer.connects).toHaveLength(2);
    expect(peer.sockets).toHaveLength(1);
    await lone.clock.advance(23 * HOUR_MS);
    await lone.until('renewed again', () => lone.count('aiwm_token_refresh_total') === 2);
    expect(lone.count('aiwm_connection_success_total')).toBe(3);
    // The configuration was the same each time.
    expect(lone.count('aiwm_config_update_total')).toBe(1);
  });

  it('that was renewed is the one of the next handshake', async () => {
    const peer = await reins();
    const lone = loneHarness({ AIWM_BASE_URL: peer.url });
    await lone.until('connected', () => lone.harness.status.connected);
    await lone.clock.advance(23 * HOUR_MS);
    await lone.until('renewed', () => lone.count('aiwm_token_refresh_total') === 1);
    peer.socket.disconnect(true);
    await lone.until('noticed', () => !lone.harness.status.connected);
    await lone.clock.advance(10_000);
    await peer.until('the second hello', () => peer.bodies('hello').length === 2);
    expect(peer.socket.handshake.auth['token']).toBe('token-2-of-the-scripted-agent');
  });

  it('refused at its renewal because the agent is gone stops the harness', async () => {
    const peer = await reins();
    const lone = loneHarness({ AIWM_BASE_URL: peer.url });
    await lone.until('connected', () => lone.harness.status.connected);
    peer.refuseConnect.push({ status: 404, body: { message: 'gone' } });
    await lone.clock.advance(23 * HOUR_MS);
    await expect(lone.exit).resolves.toMatchObject({ code: 1, alert: 'agent.not_found' });
  });

  it('that cannot be renewed for the moment is asked for every few seconds, and nothing falls back', async () => {
    const peer = await reins();
    const lone = loneHarness({ AIWM_BASE_URL: peer.url });
    await lone.until('connected', () => lone.harness.status.connected);
    for (let i = 0; i < 6; i++) peer.refuseConnect.push({ status: 503, body: { message: 'starting' } });
    await lone.clock.advance(23 * HOUR_MS);
    for (const ms of [1000, 2000, 4000, 5000, 5000, 5000]) {
      await lone.clock.untilAsleepFor(ms);
      await lone.clock.advance(ms);
    }
    await lone.until('renewed', () => lone.count('aiwm_token_refresh_total') === 1);
    expect(lone.count('aiwm_connection_failure_total')).toBe(6);
    expect(lone.harness.status).toMatchObject({ connected: true, mode: 'remote' });
    expect(lone.logged('working from local configuration until the controller can be reached')).toEqual([]);
  });

  it('that expired before its time is replaced at the handshake', async () => {
    const peer = await reins();
    peer.refuseHandshake.push({ code: 'token_expired' });
    const lone = loneHarness({ AIWM_BASE_URL: peer.url });
    await lone.until('refused', () => lone.counters.facts.lastConnectionError === 'token_expired');
    await lone.clock.advance(10_000);
    await lone.until('connected', () => lone.harness.status.connected);
    expect(lone.count('aiwm_token_refresh_total')).toBe(1);
    expect(peer.socket.handshake.auth['token']).toBe('token-2-of-the-scripted-agent');
  });

  it('that is refused by a request over HTTP is replaced, too', async () => {
    const peer = await reins();
    const lone = loneHarness({ AIWM_BASE_URL: peer.url });
    await lone.until('connected', () => lone.harness.status.connected);
    peer.refuseConfig.push({ status: 401, body: { code: 'token_expired', message: 'expired' } });
    peer.configVersion = 'v2';
    peer.socket.emit('wake', { configVersion: 'v2' });
    await lone.until('renewed', () => lone.count('aiwm_token_refresh_total') === 1);
    // The connect's own answer brought what could not be fetched.
    await lone.until('updated', () => lone.count('aiwm_config_update_total') === 2);
    expect(lone.harness.status.configVersion).toBe('v2');
  });
});

describe('a request over HTTP', () => {
  it('that is refused because the agent is gone stops the harness', async () => {
    const peer = await reins();
    const lone = loneHarness({ AIWM_BASE_URL: peer.url });
    await lone.until('connected', () => lone.harness.status.connected);
    peer.refuseConfig.push({ status: 401, body: { code: 'token_revoked', message: 'revoked' } });
    peer.refuseConnect.push({ status: 404, body: { message: 'gone' } });
    peer.socket.emit('wake', { configVersion: 'v2' });
    await expect(lone.exit).resolves.toMatchObject({ code: 1, alert: 'agent.not_found' });
  });

  it('that repeats a token of the settings or of an MCP server puts it into no log line', async () => {
    const server = await aiwm();
    const tokens = ['value-of-the-flat-oauth-token', 'value-of-the-nested-telegram-token', 'value-of-the-mcp-token'];
    const [flat, nested, mcp] = tokens;
    server.configuration = {
      settings: { claude_oauthToken: flat, telegram: { token: nested } },
      mcpServers: { Builtin: { type: 'http', url: 'http://x', headers: { Authorization: `Bearer ${mcp}` } } },
    };
    server.script['heartbeat'] = [{ status: 500, body: { message: tokens.join(' and ') } }];
    const lone = loneHarness({ AIWM_BASE_URL: server.url });
    await lone.until('the failure', () => lone.logged('heartbeat failed').length === 1);
    expect(lone.logged('heartbeat failed')[0]).toMatchObject({ reason: 'value-of-t… and value-of-t… and value-of-t…' });
    for (const token of tokens) expect(lone.lines.join('')).not.toContain(token);
  });
});

describe('a controller that was there once', () => {
  it('leaves its configuration behind while the harness looks for it every few seconds', async () => {
    const peer = await reins();
    peer.settings = { claude_model: 'theirs' };
    const lone = loneHarness({ AIWM_BASE_URL: peer.url, CLAUDE_MODEL: 'mine' });
    await lone.until('connected', () => lone.harness.status.connected);
    await peer.stop();
    await lone.until('noticed', () => !lone.harness.status.connected);
    for (let i = 0; i < 8; i++) {
      const before = lone.count('aiwm_connection_failure_total');
      await lone.clock.advance(10_000);
      await lone.until('an attempt', () => lone.count('aiwm_connection_failure_total') > before);
    }
    expect(lone.harness.status).toMatchObject({ phase: 'working', mode: 'remote', connected: false });
    expect(lone.harness.agent.configuration().settings['claude_model']).toBe('theirs');
    // Every one that was due counts, not only the one that was under way.
    const missed = lone.count('aiwm_heartbeat_failure_total');
    expect(missed).toBeGreaterThan(0);
    await lone.clock.advance(1000);
    await lone.until('missed ones', () => lone.count('aiwm_heartbeat_failure_total') > missed + 1);
    expect(lone.clock.waits.every((ms) => ms <= 10_000 || ms >= HOUR_MS)).toBe(true);
  });
});

describe('heartbeats over the link', () => {
  it('are counted, and one that fails is not the end', async () => {
    const peer = await reins();
    peer.script('heartbeat', () => ({ error: { code: 'internal', message: 'no' } }));
    const lone = loneHarness({ AIWM_BASE_URL: peer.url });
    await lone.until('the failure', () => lone.count('aiwm_heartbeat_failure_total') === 1);
    expect(lone.counters.facts.lastHeartbeatError).toBe('internal: no');
    await lone.clock.advance(300);
    await lone.until('the next', () => lone.count('aiwm_heartbeat_success_total') === 1);
    expect(lone.harness.status.connected).toBe(true);
    expect(lone.counters.facts).toMatchObject({
      lastHeartbeatAt: expect.stringMatching(/^2026-01-01T/) as string,
      lastHeartbeatError: null,
    });
  });
});

describe('a controller without a link', () => {
  it('gets a heartbeat every 60 seconds with the token of connect', async () => {
    const server = await aiwm();
    const lone = loneHarness({ AIWM_BASE_URL: server.url });
    await lone.until('the first', () => lone.count('aiwm_heartbeat_success_total') === 1);
    await lone.clock.untilAsleepFor(60_000);
    await lone.clock.advance(59_999);
    expect(server.of('heartbeat')).toHaveLength(1);
    await lone.clock.advance(1);
    await lone.until('the second', () => lone.count('aiwm_heartbeat_success_total') === 2);
    expect(server.of('heartbeat')[1]).toMatchObject({
      method: 'POST',
      headers: { authorization: 'Bearer token-1-of-the-reference-agent' },
      body: { status: 'idle', metrics: { uptime: expect.any(Number) as number } },
    });
    expect(lone.harness.status).toMatchObject({ phase: 'working', connected: true, mode: 'remote' });
    expect(lone.harness.agent.configuration().instruction).toBe('Be kind.');
  });

  it('that answers a heartbeat 401 is connected to again', async () => {
    const server = await aiwm();
    server.script['heartbeat'] = [{ status: 401, body: { message: 'expired' } }];
    const lone = loneHarness({ AIWM_BASE_URL: server.url });
    await lone.until('renewed', () => lone.count('aiwm_token_refresh_total') === 1);
    await lone.clock.untilAsleepFor(60_000);
    await lone.clock.advance(60_000);
    await lone.until('a heartbeat', () => lone.count('aiwm_heartbeat_success_total') === 1);
    expect(server.of('heartbeat')[1]?.headers.authorization).toBe('Bearer token-2-of-the-reference-agent');
  });

  it('that answers a heartbeat 404 has deleted the agent: no more heartbeats, an alert', async () => {
    const server = await aiwm();
    server.script['heartbeat'] = [{ status: 404, body: { message: 'Agent not found' } }];
    const lone = loneHarness({ AIWM_BASE_URL: server.url });
    await expect(lone.exit).resolves.toMatchObject({ code: 1, alert: 'agent.not_found' });
    await lone.clock.advance(10 * 60_000);
    expect(server.requests.map(({ action }) => action)).toEqual(['connect', 'heartbeat']);
  });

  it('may be away for a while: failed heartbeats are counted and nothing else', async () => {
    const server = await aiwm();
    const lone = loneHarness({ AIWM_BASE_URL: server.url });
    await lone.until('the first', () => lone.count('aiwm_heartbeat_success_total') === 1);
    await server.down();
    for (let failures = 1; failures <= 3; failures++) {
      await lone.clock.untilAsleepFor(60_000);
      await lone.clock.advance(60_000);
      await lone.until('a failure', () => lone.count('aiwm_heartbeat_failure_total') === failures);
    }
    expect(lone.harness.status).toMatchObject({ phase: 'working', connected: false, mode: 'remote' });
    await server.up();
    await lone.clock.untilAsleepFor(60_000);
    await lone.clock.advance(60_000);
    await lone.until('back', () => lone.harness.status.connected);
    expect(server.of('connect')).toHaveLength(1);
  });

  it('is connected to again before its token ends, without expiresIn after 23 hours', async () => {
    const server = await aiwm();
    const lone = loneHarness({ AIWM_BASE_URL: server.url });
    await lone.until('the first', () => lone.count('aiwm_heartbeat_success_total') === 1);
    await lone.clock.advance(23 * HOUR_MS - 1);
    expect(server.of('connect')).toHaveLength(1);
    await lone.clock.advance(1);
    await lone.until('renewed', () => lone.count('aiwm_token_refresh_total') === 1);
  });

  it('hears of the end', async () => {
    const server = await aiwm();
    const lone = loneHarness({ AIWM_BASE_URL: server.url });
    await lone.until('the first', () => lone.count('aiwm_heartbeat_success_total') === 1);
    await lone.harness.stop('SIGTERM');
    await expect(lone.exit).resolves.toEqual({ code: 0 });
    expect(server.of('disconnect')).toMatchObject([
      {
        headers: { authorization: 'Bearer token-1-of-the-reference-agent' },
        body: { reason: expect.any(String) as string },
      },
    ]);
  });

  it('that does not answer the goodbye holds nobody up', async () => {
    const server = await aiwm();
    server.script['disconnect'] = ['silence'];
    const lone = loneHarness({ AIWM_BASE_URL: server.url });
    await lone.until('the first', () => lone.count('aiwm_heartbeat_success_total') === 1);
    await lone.harness.stop('SIGTERM');
    await expect(lone.exit).resolves.toEqual({ code: 0 });
    expect(server.of('disconnect')).toHaveLength(1);
  });
});

describe('AIWM_ENABLED=false', () => {
  it('means local configuration and not one request', async () => {
    const server = await aiwm();
    const lone = loneHarness({
      AIWM_ENABLED: 'false',
      AIWM_BASE_URL: server.url,
      TELEGRAM_BOT_TOKEN: 'telegram-token',
    });
    await lone.until('local mode', () => lone.harness.status.phase === 'working');
    await lone.clock.advance(25 * HOUR_MS);
    expect(lone.harness.agent.configuration()).toMatchObject({
      mode: 'local',
      settings: { telegram: { token: 'telegram-token', groupIds: [] } },
    });
    await lone.harness.stop('SIGTERM');
    await expect(lone.exit).resolves.toEqual({ code: 0 });
    expect(server.requests).toEqual([]);
  });
});
