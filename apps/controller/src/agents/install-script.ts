import { INSTALL_STEPS } from './install-script.steps';

export interface InstallScriptInput {
  agentId: string;
  name: string;
  /** The `.env` the script writes, from envConfig. */
  env: string;
  /** Where the harness is downloaded from, without a trailing slash. */
  baseUrl: string;
  /** Of the archive at the controller; undefined where it has none, so that HARNESS_COMMAND must name a harness. */
  harnessSha256: string | undefined;
}

/** No line of a .env can be this: they are comments, empty or begin with a variable. */
const END = 'END_OF_ENVIRONMENT';

/** A text as one word of a shell, whatever is in it. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * A bash script that makes the agent run on the machine it is run on: it fetches the harness from the controller, checks
 * its sum, writes the `.env` readable by its owner only, and installs a systemd unit or a pm2 process.
 */
export function installScript({ agentId, name, env, baseUrl, harnessSha256 }: InstallScriptInput): string {
  return `#!/usr/bin/env bash
# Installs the harness of one agent on this machine: bash install.sh [--systemd | --pm2 | --none] [--uninstall]
# This file contains the agent's secret. Delete it when it has run.
set -euo pipefail
umask 077

# shellcheck disable=SC2016
AGENT_NAME=${shellWord(name)}
AGENT_ID=${shellWord(agentId)}
CONTROLLER_URL=${shellWord(baseUrl)}
HARNESS_SHA256=${shellWord(harnessSha256 ?? '')}

environment() {
  cat <<'${END}'
${env}${END}
}

${INSTALL_STEPS}`;
}
