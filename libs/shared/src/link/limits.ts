/** Numbers both sides of the link agree on. Times in milliseconds, sizes in bytes. */
export const LINK = {
  namespace: '/harness',
  protocol: 1,

  heartbeatMs: 10_000,
  leaseMs: 45_000,
  /** A harness stops publishing this long before its lease ends, by its own clock. */
  selfFenceMarginMs: 5_000,
  /** A leased turn goes back to the queue when it was not started by then. */
  startWithinMs: 15_000,
  /** How long a `turn.pull` is held open while there is nothing to do. */
  pullHoldMs: 25_000,
  ackTimeoutMs: 10_000,
  reconnectMinMs: 250,
  reconnectMaxMs: 10_000,

  batchBytes: 32 * 1024,
  batchEvents: 64,
  /** A larger `events` frame is answered `frame_too_large`; the link lives. */
  frameBytes: 256 * 1024,
  /** A larger message closes the transport. */
  transportBytes: 1024 * 1024,
  /** Larger event data is uploaded as a blob, and a larger prompt is fetched, over HTTP. */
  inlineBytes: 64 * 1024,
  previewBytes: 4 * 1024,
  creditBytes: 256 * 1024,
  maxCreditBytes: 1024 * 1024,
  spoolBytes: 64 * 1024 * 1024,
} as const;

/** What a harness may require of this version's controller in its hello. */
export const CONTROLLER_CAPABILITIES: readonly string[] = ['bind', 'blobs', 'commands', 'resume'];

/** Environment variables a launcher hands to the harness it starts. AIWM's names, so that its `.env` snippets work. */
export const HARNESS_ENV = {
  baseUrl: 'AIWM_BASE_URL',
  agentId: 'AIWM_AGENT_ID',
  agentSecret: 'AIWM_AGENT_SECRET',
  /** The folder the agent works in. */
  workspace: 'REINS_WORKSPACE',
  /** The harness's own folder: event spool, CLI conversations. Survives a restart of the harness. */
  stateDir: 'REINS_STATE_DIR',
  /** Set for a harness that was started for one session: it has no work without its controller. */
  managed: 'REINS_MANAGED',
  /** A file the harness writes one sentence to when it cannot go on, for whoever started it. */
  terminationLog: 'REINS_TERMINATION_LOG',
  /** Instead of an identity: lets a harness that was started ahead of any session wait for one. */
  poolToken: 'REINS_POOL_TOKEN',
} as const;
