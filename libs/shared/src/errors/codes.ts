/** One row of the error table: what a caller can rely on when it meets this code. */
export interface ErrorSpec {
  status: number;
  /** What is said when the thrower adds nothing of its own. */
  message: string;
  /** Whether the same request may succeed later without a change. */
  retryable: boolean;
  /** What the reader can do, naming the field or the setting. */
  hint?: string;
}

const spec = (status: number, message: string, hint?: string, retryable = false): ErrorSpec => ({
  status,
  message,
  retryable,
  ...(hint === undefined ? {} : { hint }),
});

/**
 * Every error Reins answers with, over HTTP and over the link. Codes are stable: clients may branch on them.
 * `docs/reference/errors.md` is generated from this table.
 */
export const ERRORS = {
  validation_failed: spec(400, 'Validation Error', 'details name each field that is wrong'),
  invalid_json: spec(400, 'The body is not valid JSON', 'send an object with Content-Type: application/json'),
  invalid_id: spec(400, 'The id is malformed', 'ids look like sess-…, wk-…, or 24 hexadecimal digits for agents'),
  repository_refused: spec(400, 'The repository URL is not allowed', 'REPOSITORY_SCHEMES lists the allowed schemes'),
  agent_is_managed: spec(400, 'Only autonomous agents have credentials to regenerate'),
  agent_unsuitable: spec(400, 'The agent cannot serve this session', 'details.reason says what it lacks'),
  placement_ambiguous: spec(
    400,
    'More than one agent could serve the session',
    'pin it by agentId, or use another selection mode',
  ),
  agent_type_immutable: spec(400, 'The type of an agent cannot be changed', 'delete the agent and create it anew'),

  unauthenticated: spec(401, 'Authentication is required', 'send Authorization: Bearer <token or API key>'),
  token_invalid: spec(401, 'The token is not valid'),
  token_expired: spec(401, 'The token has expired', 'connect again to get a new one'),
  token_revoked: spec(
    401,
    'The token has been revoked',
    'log in again; an agent connects again with its current secret',
  ),
  invalid_credentials: spec(401, 'Invalid credentials'),
  enrollment_refused: spec(401, 'The enrollment token is not valid', 'ask an administrator for a new one'),
  agent_suspended: spec(401, 'Agent is suspended'),
  agent_superseded: spec(409, 'A newer incarnation of this agent has taken over', 'run one harness per agent'),

  forbidden: spec(403, 'You do not have permission for this'),

  not_found: spec(404, 'Not found'),
  session_not_found: spec(404, 'Session not found'),
  turn_not_found: spec(404, 'Request not found'),
  worker_not_found: spec(404, 'Worker not found'),
  runtime_not_found: spec(404, 'Runtime not found'),
  skill_not_found: spec(404, 'Skill not found'),
  agent_not_found: spec(404, 'Agent not found'),
  instruction_not_found: spec(404, 'Instruction not found'),
  tool_not_found: spec(404, 'Tool not found'),
  node_not_found: spec(404, 'Node not found'),
  enrollment_token_not_found: spec(404, 'Enrollment token not found'),
  viewer_token_not_found: spec(404, 'Viewer token not found'),
  token_revocation_not_found: spec(404, 'Token revocation not found'),
  operation_not_found: spec(404, 'Operation not found'),
  blob_not_found: spec(404, 'Blob not found'),
  api_key_not_found: spec(404, 'API key not found'),
  method_not_allowed: spec(405, 'Method not allowed'),

  name_taken: spec(409, 'The name is already taken', 'choose another name'),
  in_use: spec(409, 'It is still in use', 'remove what refers to it first'),
  session_busy: spec(409, 'A turn is running in the session', 'abort it, or wait until it is done', true),
  session_not_active: spec(409, 'Session is not active', 'create a new session'),
  turn_cancelled: spec(409, 'The request was aborted'),
  turn_interrupted: spec(409, 'The harness was lost while it worked on the request', 'send the prompt again', true),
  conflict: spec(409, 'The resource was changed by someone else', 'read it again and retry', true),

  payload_too_large: spec(413, 'The body is too large', 'BODY_LIMIT_BYTES sets the limit'),
  unsupported_media_type: spec(415, 'Unsupported content type'),

  turn_failed: spec(422, 'The agent failed'),
  idempotency_mismatch: spec(422, 'The Idempotency-Key was used with another body', 'use a new key for a new request'),

  too_many_requests: spec(429, 'Too many failed attempts', 'wait for Retry-After', true),

  internal: spec(500, 'Internal server error'),
  not_implemented: spec(501, 'Not available in this installation'),
  database_unavailable: spec(503, 'The database does not answer', 'MONGODB_URI names the server', true),
  launcher_unavailable: spec(503, 'No harness can be started now', undefined, true),
  draining: spec(503, 'The controller is shutting down', undefined, true),
  turn_timeout: spec(504, 'The agent did not finish in time', 'timeout in the request sets the limit in seconds'),

  frame_invalid: spec(400, 'The frame does not match the protocol'),
  frame_too_large: spec(413, 'The frame is larger than 256 KiB', 'send fewer events in a batch'),
  protocol_unsupported: spec(400, 'No common protocol version', 'this controller speaks version 1'),
  fenced: spec(409, 'The turn belongs to someone else now', 'drop the turn'),
  host_full: spec(
    409,
    'The harness serves as many sessions as it can',
    'REINS_MAX_SESSIONS of the harness sets the limit',
    true,
  ),
  type_unsupported: spec(400, 'The harness has no driver for this kind of agent'),
  link_busy: spec(503, 'Too many harnesses are connecting at once', 'retry after retryAfterMs', true),
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof ERRORS;
