/** Codes of JSON-RPC 2.0 that this server answers with. */
export const RPC_ERRORS = {
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
} as const;

export type RpcId = string | number;

export interface RpcRequest {
  kind: 'request';
  id: RpcId;
  method: string;
  params: unknown;
}

export type RpcMessage =
  | RpcRequest
  /** Wants no answer: a notification, or the client's answer to a question this server never asked. */
  | { kind: 'silent' }
  | { kind: 'invalid'; id: RpcId | null; reason: string };

export type RpcAnswer =
  | { jsonrpc: '2.0'; id: RpcId; result: object }
  | { jsonrpc: '2.0'; id: RpcId | null; error: { code: number; message: string; data?: unknown } };

/** Thrown by a method to be answered as an error of JSON-RPC. */
export class RpcError extends Error {
  override readonly name = 'RpcError';

  constructor(
    readonly code: number,
    message: string,
    readonly data?: unknown,
  ) {
    super(message);
  }
}

/** One message. Several in an array are refused, as MCP has done since 2025-06-18. */
export function readMessage(body: unknown): RpcMessage {
  if (Array.isArray(body)) return invalid(null, 'batches are not supported');
  if (typeof body !== 'object' || body === null) return invalid(null, 'the message must be an object');
  const { jsonrpc, id, method, params } = body as Record<string, unknown>;
  const known = isId(id) ? id : null;
  if (jsonrpc !== '2.0') return invalid(known, 'jsonrpc must be "2.0"');
  if (method === undefined && known !== null && ('result' in body || 'error' in body)) return { kind: 'silent' };
  if (typeof method !== 'string' || method === '') return invalid(known, 'method must be a text');
  if (params !== undefined && (typeof params !== 'object' || params === null)) {
    return invalid(known, 'params must be an object');
  }
  if (!('id' in body)) return { kind: 'silent' };
  if (known === null) return invalid(null, 'id must be a text or an integer');
  return { kind: 'request', id: known, method, params };
}

export function answerResult(id: RpcId, result: object): RpcAnswer {
  return { jsonrpc: '2.0', id, result };
}

export function answerError(id: RpcId | null, { code, message, data }: RpcError): RpcAnswer {
  return { jsonrpc: '2.0', id, error: { code, message, ...(data !== undefined && { data }) } };
}

function invalid(id: RpcId | null, reason: string): RpcMessage {
  return { kind: 'invalid', id, reason };
}

function isId(value: unknown): value is RpcId {
  return typeof value === 'string' || (typeof value === 'number' && Number.isInteger(value));
}
