import { type DriverContext } from '../driver.port';

export interface ClaudeOptions {
  /** The program: `CLAUDE_PATH`, else `claude` from the PATH. */
  command: string;
  model: string | undefined;
  permissionMode: string;
  maxTurns: number | undefined;
  /** Whether a conversation is carried on at all. */
  resume: boolean;
  oauthToken: string | undefined;
}

type Source = Pick<DriverContext, 'settings' | 'env' | 'session'>;

/** What the agent's settings, then the environment, say about Claude Code. AIWM's names, old and new. */
export function claudeOptions({ settings, env, session }: Source): ClaudeOptions {
  const setting = (...names: string[]): unknown => names.map((name) => settings[name]).find((value) => value != null);
  const mode = text(setting('claude_permissionMode', 'permissionMode')) ?? text(env.CLAUDE_PERMISSION_MODE);
  const resume = setting('claude_resume', 'resume') ?? env.CLAUDE_RESUME;
  return {
    command: text(env.CLAUDE_PATH) ?? 'claude',
    model: session.modelConfig?.model ?? text(setting('claude_model', 'claudeModel')) ?? text(env.CLAUDE_MODEL),
    permissionMode: cliPermissionMode(mode ?? 'bypassPermissions'),
    maxTurns: positive(setting('claude_maxTurns', 'maxTurns')) ?? positive(env.CLAUDE_MAX_TURNS),
    resume: resume !== false && resume !== 'false',
    oauthToken: text(setting('claude_oauthToken', 'claudeOAuthToken')) ?? text(env.CLAUDE_CODE_OAUTH_TOKEN),
  };
}

/** AIWM's `requirePermissions` is the CLI's `manual`: without a person to ask, what needs a permission is refused. */
function cliPermissionMode(mode: string): string {
  return mode === 'requirePermissions' || mode === 'default' ? 'manual' : mode;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function positive(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number > 0 ? number : undefined;
}
