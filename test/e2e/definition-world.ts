import { getConnectionToken } from '@nestjs/mongoose';
import { type AgentView } from '@reins/shared/api/agents';
import { type AiwmPage } from '@reins/shared/api/aiwm';
import { type AuditPage } from '@reins/shared/api/audit';
import { type ConnectResponse } from '@reins/shared/link/connect';
import { type Connection } from 'mongoose';
import { Bus, type BusMessages, type BusTopic } from '../../apps/controller/src/bus/bus';
import { type Booted, type Caller } from './callers';

export const SECRET = 'test-secret-123456';

export const INSTRUCTION = {
  name: 'Test Agent Instruction',
  description: 'For tests',
  systemPrompt: 'You are a helpful AI assistant for testing purposes.',
  guidelines: ['Be brief', 'Be kind'],
  tags: ['test', 'demo'],
};

export const TOOL = {
  name: 'test-tool-read',
  type: 'builtin',
  description: 'Reads',
  category: 'productivity',
  status: 'active',
  scope: 'public',
  schema: {
    inputSchema: { type: 'object', properties: { path: { type: 'string' } } },
    outputSchema: { type: 'object' },
  },
};

export const NODE = {
  name: 'test-node-01',
  role: ['worker'],
  local: false,
  specs: { cpu: 8, memory: 32, disk: 500, gpu: ['A100'] },
  location: { region: 'eu', datacenter: 'dc1' },
};

export async function made<T>(caller: Caller, path: string, body: object): Promise<T> {
  return (await caller.post(path, body).expect(201)).body as T;
}

export function newAgent(caller: Caller, more: object = {}): Promise<AgentView> {
  const agent = { name: 'Support', description: 'd', status: 'active', type: 'autonomous', secret: SECRET };
  return made<AgentView>(caller, '/agents', { ...agent, ...more });
}

export async function connected(controller: Booted, agentId: string): Promise<ConnectResponse> {
  return (await controller.anonymous.post(`/agents/${agentId}/connect`, { secret: SECRET }).expect(200))
    .body as ConnectResponse;
}

export async function page<T>(caller: Caller, path: string): Promise<AiwmPage<T>> {
  return (await caller.get(path).expect(200)).body as AiwmPage<T>;
}

/** What was announced on the bus while `act` ran. */
export async function heard<T extends BusTopic>(
  controller: Booted,
  topic: T,
  act: () => PromiseLike<unknown>,
): Promise<BusMessages[T][]> {
  const messages: BusMessages[T][] = [];
  const end = controller.app.get(Bus).subscribe(topic, (message) => void messages.push(message));
  await act();
  end();
  return messages;
}

/** Actions of the audit trail about one thing, oldest first, with the changed fields. */
export async function trail(controller: Booted, id: string) {
  const audit = controller.app.get<Connection>(getConnectionToken()).collection('audit');
  const entries = await audit.find({ 'target.id': id }).sort({ _id: 1 }).toArray();
  return entries as unknown as AuditPage['items'];
}

/** The stored row, whatever the API shows of it. */
export function stored(controller: Booted, collection: string, id: string): Promise<Record<string, unknown> | null> {
  const rows = controller.app.get<Connection>(getConnectionToken()).collection<{ _id: string }>(collection);
  return rows.findOne({ _id: id });
}

/** Queries that would read another organisation's documents, or hidden fields, if filters were passed on. */
export const WIDENING = (orgId: string): string[] => [
  `filter[owner.orgId]=${orgId}`,
  `filter[orgId]=${orgId}`,
  'filter[$or]=1',
  'filter[$where]=sleep(1000)',
  'filter[status][$ne]=x',
  'filter[name][$regex]=.*',
  'filter[isDeleted]=true',
  'filter[createdBy]=x',
  'filter[status]=active&filter[status]=inactive',
  'sort[orgId]=1',
  'sort[$natural]=1',
];
