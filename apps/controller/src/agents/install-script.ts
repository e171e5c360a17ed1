export interface InstallScriptInput {
  agentId: string;
  name: string;
  /** The `.env` the script writes, from envConfig. */
  env: string;
}

/** A text as one word of a shell, whatever is in it. */
function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * A bash script that sets the agent up on the machine it is run on: writes its `.env`, readable by its owner only, and
 * then starts HARNESS_COMMAND in the foreground or as a systemd service. It installs no software.
 */
export function installScript({ agentId, name, env }: InstallScriptInput): string {
  // No line of a .env can be this: they are comments, empty or begin with a variable.
  const end = 'END_OF_ENVIRONMENT';
  return `#!/usr/bin/env bash
# Usage: HARNESS_COMMAND='node /path/to/harness.js' bash install.sh [--systemd]
# Writes the agent's .env (mode 0600) and runs HARNESS_COMMAND with it: in the foreground, or with --systemd as a service.
# This file contains the agent's secret. Delete it when it has run.
set -euo pipefail
umask 077

AGENT_NAME=${shellWord(name)}
AGENT_ID=${shellWord(agentId)}
INSTALL_DIR=\${INSTALL_DIR:-"$HOME/.reins/agents/$AGENT_ID"}
SERVICE_NAME=\${SERVICE_NAME:-"reins-agent-$AGENT_ID"}
HARNESS_COMMAND=\${HARNESS_COMMAND:-}
MODE=\${1:-}

say() { printf '%s\\n' "$*"; }
fail() { printf 'error: %s\\n' "$*" >&2; exit 1; }

case "$MODE" in
  '' | --systemd) ;;
  *) fail "unknown argument $MODE; the only one is --systemd" ;;
esac
if [[ ! "$INSTALL_DIR" =~ ^/[A-Za-z0-9._/-]+$ ]]; then
  fail 'INSTALL_DIR must be an absolute path of letters, digits and . _ - /'
fi
if [[ ! "$SERVICE_NAME" =~ ^[A-Za-z0-9_-]+$ ]]; then
  fail 'SERVICE_NAME must consist of letters, digits, _ and -'
fi
if [ "$MODE" = --systemd ]; then
  [ -n "$HARNESS_COMMAND" ] || fail 'a service needs HARNESS_COMMAND'
  [ "$(id -u)" -eq 0 ] || fail 'writing a service needs root: run this with sudo -E'
  command -v systemctl >/dev/null || fail 'this machine has no systemd; run without --systemd'
fi

mkdir -p "$INSTALL_DIR"
TEMPORARY=$(mktemp "$INSTALL_DIR/.env.XXXXXX")
trap 'rm -f "$TEMPORARY"' EXIT
cat > "$TEMPORARY" <<'${end}'
${env}${end}
chmod 600 "$TEMPORARY"
mv -f "$TEMPORARY" "$INSTALL_DIR/.env"
say "Wrote $INSTALL_DIR/.env for the agent $AGENT_NAME ($AGENT_ID)."

if [ -z "$HARNESS_COMMAND" ]; then
  say "Set HARNESS_COMMAND to the command of your harness and run this again to start it."
  exit 0
fi

cat > "$INSTALL_DIR/run" <<RUN
#!/usr/bin/env bash
cd "$INSTALL_DIR" || exit 1
set -a
. ./.env
set +a
exec $HARNESS_COMMAND
RUN
chmod 700 "$INSTALL_DIR/run"

if [ "$MODE" != --systemd ]; then
  say "Starting: $HARNESS_COMMAND"
  exec "$INSTALL_DIR/run"
fi

RUN_AS=\${SUDO_USER:-root}
chown -R "$RUN_AS" "$INSTALL_DIR"
cat > "/etc/systemd/system/$SERVICE_NAME.service" <<UNIT
[Unit]
Description=Agent $AGENT_ID
After=network-online.target
Wants=network-online.target

[Service]
Type=simple
User=$RUN_AS
WorkingDirectory=$INSTALL_DIR
ExecStart=$INSTALL_DIR/run
Restart=always
RestartSec=10

[Install]
WantedBy=multi-user.target
UNIT
chmod 644 "/etc/systemd/system/$SERVICE_NAME.service"
systemctl daemon-reload
systemctl enable --now "$SERVICE_NAME"
say "Started the service $SERVICE_NAME; its log: journalctl -u $SERVICE_NAME -f"
`;
}
