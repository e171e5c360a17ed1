import { installAgentCli } from '../../scripts/agent-clis/install';

/** Long enough for a first download of the largest CLI. */
export const AGENT_CLI_INSTALL_MS = 600_000;

/** The absolute path of a pinned agent CLI's executable; installs it on first use, with progress on stderr. */
export function ensureAgentCli(name: string): Promise<string> {
  return installAgentCli(name, { progress: (line) => process.stderr.write(`${line}\n`) });
}
