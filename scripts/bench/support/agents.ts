import { newObjectId } from '@reins/shared/ids';
import { type ConnectResponse } from '@reins/shared/link/connect';
import { systemClock } from '@reins/shared/util';
import { Config, loadConfig } from '../../../apps/controller/src/config/config';
import { SecretProofs } from '../../../apps/controller/src/agents/secret-proofs';
import { type Credentials, ScriptedHarness } from '../../../test/support/scripted-harness';
import { type HttpClient } from './http';
import { type Subject } from './subject';

/** Given to the measured controller, so that the proofs of copied agents can be made here. */
export const TOKEN_SECRET = 'the token secret of a benchmark, which protects nothing';
const MAX_ATTEMPTS = 100;

/** An autonomous agent with an instruction of some guidelines, two tools and settings, as the guide has it. */
export async function fullAgent(subject: Subject): Promise<Credentials> {
  const { api } = subject;
  const instruction = await api.must<{ _id: string }>('POST', '/instructions', {
    name: 'Support',
    description: 'How the support agent behaves',
    systemPrompt: 'You are a support agent. '.repeat(40),
    guidelines: Array.from({ length: 8 }, (_, index) => `Guideline ${index + 1}: answer politely and to the point.`),
    status: 'active',
  });
  const tools = await Promise.all(
    ['search', 'ticket'].map((name) =>
      api.must<{ _id: string }>('POST', '/tools', {
        name,
        type: 'api',
        description: `The ${name} tool`,
        category: 'productivity',
        schema: {
          inputSchema: { type: 'object', properties: { query: { type: 'string' } }, required: ['query'] },
          outputSchema: { type: 'object' },
        },
        status: 'active',
        scope: 'org',
        execution: { method: 'POST', baseUrl: 'http://127.0.0.1:9', path: `/${name}` },
      }),
    ),
  );
  const agent = await api.must<{ _id: string }>('POST', '/agents', {
    name: 'Support agent',
    description: 'd',
    status: 'active',
    type: 'autonomous',
    instructionId: instruction._id,
    allowedToolIds: tools.map(({ _id }) => _id),
    settings: { claude_model: 'haiku', claude_maxTurns: 100, discord_token: 't', discord_channelIds: ['1', '2'] },
  });
  const path = `/agents/${agent._id}/credentials/regenerate`;
  const { secret } = await api.must<{ secret: string }>('POST', path);
  await makeOld(subject);
  return { agentId: agent._id, secret };
}

/** What was edited a moment ago is looked at again and again for a while; agents that connect were made long before. */
async function makeOld({ database }: Subject): Promise<void> {
  const yesterday = new Date(Date.now() - 86_400_000);
  for (const name of ['agents', 'instructions', 'tools']) {
    const collection = database.client.db(database.name).collection(name);
    await collection.updateMany({}, { $set: { createdAt: yesterday, updatedAt: yesterday } });
  }
}

/** Copies of an agent that has not connected yet, each with a proof of its own or, `cold`, without one. */
export async function copiesOf(
  subject: Subject,
  { agentId, secret }: Credentials,
  count: number,
  { cold = false }: { cold?: boolean } = {},
): Promise<Credentials[]> {
  const agents = subject.database.client.db(subject.database.name).collection<{ _id: string }>('agents');
  const original = (await agents.findOne({ _id: agentId })) as { _id: string; secretHash: string } | null;
  if (original === null) throw new Error(`agent ${agentId} is not in the database`);
  const proofs = new SecretProofs(new Config(loadConfig({}, () => TOKEN_SECRET).env, TOKEN_SECRET));
  const copies = Array.from({ length: count }, () => {
    const _id = newObjectId();
    const { secretHash } = original;
    const proof = cold ? {} : { secretProof: proofs.proofOf(_id, secretHash, secret) };
    return { ...original, secretProof: undefined, ...proof, _id };
  });
  await agents.insertMany(copies, { ignoreUndefined: true });
  return copies.map(({ _id }) => ({ agentId: _id, secret }));
}

export async function connectOverHttp(
  http: HttpClient,
  { agentId, secret }: Credentials,
  incarnation?: string,
): Promise<ConnectResponse> {
  const answer = await http.call('POST', `/agents/${agentId}/connect`, { secret, incarnation });
  return JSON.parse(answer) as ConnectResponse;
}

/** Opens the socket, as often as the controller asks for a later attempt. Answers how often that was. */
export async function openSocket(
  url: string,
  credentials: Credentials,
  incarnation: string,
  configuration: ConnectResponse,
): Promise<{ harness: ScriptedHarness; deferrals: number }> {
  for (let deferrals = 0; ; deferrals++) {
    try {
      return { harness: await ScriptedHarness.open(url, credentials, incarnation, configuration), deferrals };
    } catch (error) {
      const { code, retryAfterMs } = (error as { data?: { code?: string; retryAfterMs?: number } }).data ?? {};
      if (code !== 'link_busy' || retryAfterMs === undefined || deferrals >= MAX_ATTEMPTS) throw error;
      await systemClock.sleep(retryAfterMs * (1 + Math.random()));
    }
  }
}

export async function sayHello(harness: ScriptedHarness): Promise<void> {
  const answer = await harness.call('hello', {
    bootAt: new Date().toISOString(),
    harness: { version: '0.0.0', capabilities: [] },
    slots: 4,
    sessions: [],
  });
  if (answer.error !== undefined) throw new Error(`hello was answered ${JSON.stringify(answer.error)}`);
}
