import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { LAUNCHER_NAMES } from '@reins/shared/api/placement';
import { PodSettings } from '@reins/shared/api/pods';
import { LINK } from '@reins/shared/link/limits';
import { ClusterList } from './cluster-settings';

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1']);

const milliseconds = (fallback: number) => z.coerce.number().int().min(1).default(fallback);
const list = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    );

const HarnessCommand = z
  .string()
  .transform((text, context) => {
    const parsed = z.array(z.string().min(1)).min(1).safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    context.addIssue({
      code: 'custom',
      message: 'HARNESS_COMMAND must be a JSON array of strings such as ["node","harness.js"], or no session can start',
    });
    return z.NEVER;
  })
  .optional();

/** A variable whose text is JSON of a certain shape; a wrong one is named by its path. */
const json = <T>(name: string, shape: z.ZodType<T>, consequence: string) =>
  z.string().transform((text, context): T => {
    const parsed = shape.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const where = issue?.path.map(String).join('.') ?? '';
    context.addIssue({ code: 'custom', message: `${name} ${where} ${issue?.message ?? ''}, ${consequence}` });
    return z.NEVER;
  });

const PROXY_RANGES = new Set(['loopback', 'linklocal', 'uniquelocal']);

/** Addresses only: a number of hops, or `true`, would take the word of whoever reaches the port. */
const TrustedProxies = list('').refine(
  (proxies) => proxies.every((proxy) => PROXY_RANGES.has(proxy) || isNetwork(proxy)),
  'TRUST_PROXY must list addresses, networks such as 10.0.0.0/8, loopback, linklocal or uniquelocal, or anyone could say which address they come from',
);

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

/** The environment of the controller. A wrong value ends the boot, with what it would have caused. */
const Environment = z.object({
  NODE_ENV: z.string().default('development'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3305),
  HOST: z.string().min(1).default('127.0.0.1'),
  PUBLIC_URL: z
    .url('PUBLIC_URL must be a URL, or harnesses and .env snippets get an address nobody can reach')
    .optional(),
  AIWM_PUBLIC_URL: z.url().optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  BODY_LIMIT_BYTES: z.coerce
    .number()
    .int()
    .min(1024)
    .default(4 * 1024 * 1024),

  MONGODB_URI: z
    .string()
    .regex(
      /^mongodb(\+srv)?:\/\//,
      'MONGODB_URI must start with mongodb:// or mongodb+srv://, or nothing can be stored',
    )
    .optional(),
  DATABASE_TIMEOUT_MS: milliseconds(5_000),
  REDIS_URL: z
    .string()
    .regex(
      /^(rediss?:\/\/|\/)/,
      'REDIS_URL must start with redis:// or rediss://, or be the path of a socket, or several controllers would not hear each other',
    )
    .optional(),
  REPLICAS_WITHOUT_REDIS: z
    .enum(
      ['poll', 'refuse'],
      'REPLICAS_WITHOUT_REDIS must be poll or refuse, or it is unclear what a second controller may do',
    )
    .default('poll'),
  REPLICA_LEASE_MS: z.coerce
    .number()
    .int()
    .min(500, 'REPLICA_LEASE_MS must be 500 or more, or the lead would change with every slow answer of the database')
    .default(10_000),
  REINS_DATA_DIR: z.string().min(1).default(join(homedir(), '.reins')),

  AUTH_MODE: z.enum(['dev', 'jwt']).default('dev'),
  JWT_SECRET: z.string().min(32, 'JWT_SECRET must have at least 32 characters, or tokens could be forged').optional(),
  JWT_SECRET_PREVIOUS: list('').refine(
    (secrets) => secrets.every((secret) => secret.length >= 32),
    'JWT_SECRET_PREVIOUS must list secrets of at least 32 characters, or tokens could be forged',
  ),
  TOKEN_TTL_SECONDS: z.coerce.number().int().min(60).default(86_400),
  CREDENTIAL_OVERLAP_SECONDS: z.coerce
    .number()
    .int()
    .min(1, 'without an overlap an agent whose answer is lost while it rotates could never connect again')
    .max(7 * 86_400)
    .default(300),
  CONNECT_FAILURES_PER_AGENT: z.coerce.number().int().min(1).default(10),
  CONNECT_FAILURES_PER_ADDRESS: z.coerce.number().int().min(1).default(100),
  CONNECT_FAILURE_WINDOW_SECONDS: z.coerce.number().int().min(1).default(300),
  TRUST_PROXY: TrustedProxies,
  REPOSITORY_SCHEMES: list('https,ssh'),
  TOOL_TOKEN_ORIGINS: list('').refine(
    (origins) => origins.every(isOrigin),
    'TOOL_TOKEN_ORIGINS must be origins such as https://api.example:8443, or agents’ tokens would go astray',
  ),
  TOOL_PRIVATE_ADDRESSES: z
    .enum(['allow', 'deny'], 'TOOL_PRIVATE_ADDRESSES must be allow or deny, or it is unclear what tools may reach')
    .optional(),

  LAUNCHER: z
    .enum(LAUNCHER_NAMES, `LAUNCHER must be one of ${LAUNCHER_NAMES.join(', ')}, or no session would find a harness`)
    .default('process'),
  HARNESS_COMMAND: HarnessCommand,
  HARNESS_ENV: list(
    'PATH,HOME,LANG,LC_ALL,TZ,TMPDIR,HTTP_PROXY,HTTPS_PROXY,NO_PROXY,IS_SANDBOX,CLAUDE_PATH,' +
      'ANTHROPIC_API_KEY,ANTHROPIC_AUTH_TOKEN,ANTHROPIC_BASE_URL,ANTHROPIC_MODEL,CLAUDE_CODE_OAUTH_TOKEN,CLAUDE_MODEL,' +
      'CLAUDE_MAX_TURNS,CLAUDE_PERMISSION_MODE,CLAUDE_RESUME,OPENAI_API_KEY,OPENAI_BASE_URL,GEMINI_API_KEY',
  ),
  HARNESS_PACKAGE_DIR: z.string().min(1).optional(),
  LAUNCH_TIMEOUT_MS: milliseconds(120_000),
  LAUNCHER_CLUSTERS: json('LAUNCHER_CLUSTERS', ClusterList, 'or no session could start in a cluster').optional(),
  KUBERNETES_NAMESPACE: z.string().min(1).max(63).optional(),
  KUBERNETES_POD: json('KUBERNETES_POD', PodSettings, 'or pods would not be made as intended').optional(),
  KUBERNETES_TIMEOUT_MS: milliseconds(10_000),
  KUBERNETES_UNSCHEDULABLE_MS: z.coerce.number().int().min(0).default(60_000),
  WARM_POD_MAX_AGE_SECONDS: z.coerce
    .number()
    .int()
    .min(60, 'WARM_POD_MAX_AGE_SECONDS must be 60 or more, or warm pods would be replaced as soon as they are there')
    .default(3_600),
  WARM_POD_START_MS: milliseconds(120_000),
  WARM_POD_BACKOFF_MS: milliseconds(5_000),
  WARM_BIND_TIMEOUT_MS: milliseconds(2_000),

  HEARTBEAT_MS: milliseconds(LINK.heartbeatMs),
  LEASE_MS: milliseconds(LINK.leaseMs),
  START_WITHIN_MS: milliseconds(LINK.startWithinMs),
  LOST_AFTER_MS: milliseconds(120_000),
  ABORT_GRACE_MS: milliseconds(10_000),
  AGENT_BEAT_SECONDS: z.coerce.number().int().min(1).default(60),
  OFFLINE_AFTER_BEATS: z.coerce.number().int().min(2, 'one beat that is late would make an agent offline').default(3),
  RECONNECT_GRACE_MS: milliseconds(15_000),
  AGENT_EVENTS_RETENTION_DAYS: z.coerce.number().int().min(1).default(30),
  AGENT_METRICS_EVERY_SECONDS: z.coerce.number().int().min(0).default(60),
  AGENT_METRICS_RETENTION_HOURS: z.coerce.number().int().min(1).default(72),
  MAX_HANDSHAKES: z.coerce.number().int().min(1).default(50),
  SHUTDOWN_GRACE_MS: milliseconds(20_000),

  TURN_TIMEOUT_SECONDS: z.coerce.number().int().min(1).default(3_600),
  TURN_IDLE_SECONDS: z.coerce.number().int().min(1).default(600),
  SESSION_IDLE_SECONDS: z.coerce.number().int().min(0).default(1_800),
  SESSION_END_TIMEOUT_MS: milliseconds(60_000),
  JAVASCRIPT_CPU_MS: milliseconds(2_000),
  JAVASCRIPT_WALL_MS: milliseconds(5_000),
  JAVASCRIPT_MEMORY_BYTES: z.coerce
    .number()
    .int()
    .min(16 * 1024 * 1024)
    .default(128 * 1024 * 1024),

  AUDIT_RETENTION_DAYS: z.coerce.number().int().min(1).default(365),
  IDEMPOTENCY_HOURS: z.coerce.number().int().min(1).default(24),
  EVENTS_RETENTION_DAYS: z.coerce.number().int().min(1).default(30),
  EVENTS_MAX_BYTES_PER_SESSION: z.coerce.number().int().min(0).default(0),
  SSE_PING_MS: milliseconds(15_000),
  SSE_BACKLOG_BYTES: z.coerce
    .number()
    .int()
    .min(1024)
    .default(4 * 1024 * 1024),
});

type Parsed = z.infer<typeof Environment>;

/** Everything the controller can be told from outside, checked and complete. Injected as it is. */
export class Config {
  constructor(
    readonly env: Readonly<Parsed>,
    /** Signs agents' and users' tokens. From JWT_SECRET, in dev mode generated once per data folder. */
    readonly jwtSecret: string,
  ) {}

  get devMode(): boolean {
    return this.env.AUTH_MODE === 'dev';
  }

  /** Whether api tools may call this machine and private networks. Where everyone is administrator, they may. */
  get toolsReachPrivateAddresses(): boolean {
    return (this.env.TOOL_PRIVATE_ADDRESSES ?? (this.devMode ? 'allow' : 'deny')) === 'allow';
  }

  /** Whether a Host header names this machine, or the address others are told. */
  isOwnName(host: string | undefined): boolean {
    if (host === undefined || !URL.canParse(`http://${host}`)) return false;
    const { hostname } = new URL(`http://${host}`);
    const told = this.env.PUBLIC_URL ?? this.env.AIWM_PUBLIC_URL;
    const isTold = told !== undefined && new URL(told).hostname === hostname;
    return isTold || LOOPBACK.has(hostname) || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
  }

  /** The address that snippets and harnesses get, without a trailing slash. `port` is the one really bound. */
  publicUrl(port: number): string {
    const configured = this.env.PUBLIC_URL ?? this.env.AIWM_PUBLIC_URL;
    return configured === undefined ? this.listenUrl(port) : configured.replace(/\/+$/, '');
  }

  /** Where it can be reached on this machine, whatever others are told. */
  listenUrl(port: number): string {
    const host = ['0.0.0.0', '::'].includes(this.env.HOST) ? '127.0.0.1' : this.env.HOST;
    return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  }
}

/** Names of all variables, for the check of `.env.example`. */
export const CONFIG_VARIABLES = Object.keys(Environment.shape);

/**
 * Reads the environment. Throws an Error whose message lists every wrong variable with its consequence.
 * `devSecret` is asked for only in dev mode without JWT_SECRET.
 */
export function loadConfig(environment: NodeJS.ProcessEnv, devSecret: (dataDir: string) => string): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = Environment.safeParse(given);
  const problems = parsed.success
    ? contradictions(parsed.data)
    : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  if (!parsed.success || problems.length > 0) {
    throw new Error(`The configuration is not usable:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
  return new Config(parsed.data, parsed.data.JWT_SECRET ?? devSecret(parsed.data.REINS_DATA_DIR));
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^https?:/.test(text) && new URL(text).origin === text;
}

function contradictions(env: Parsed): string[] {
  const problems: string[] = [];
  if (env.AUTH_MODE === 'dev' && !LOOPBACK.has(env.HOST)) {
    problems.push(
      `HOST: ${env.HOST} with AUTH_MODE=dev would let anyone on the network act as administrator; ` +
        'set AUTH_MODE=jwt and JWT_SECRET, or HOST=127.0.0.1',
    );
  }
  if (env.AUTH_MODE === 'jwt' && env.JWT_SECRET === undefined) {
    problems.push('JWT_SECRET: is required with AUTH_MODE=jwt; there is no default, or tokens could be forged');
  }
  if (env.LEASE_MS <= 2 * env.HEARTBEAT_MS) {
    problems.push('LEASE_MS: must be more than twice HEARTBEAT_MS, or one lost heartbeat would interrupt turns');
  }
  return problems;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
