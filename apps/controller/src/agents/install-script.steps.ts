/**
 * The part of an install script that is the same for every agent. It uses AGENT_NAME, AGENT_ID, CONTROLLER_URL,
 * HARNESS_SHA256 and the function `environment`. Every function is defined before the last line calls `main`, so a script
 * cut off on its way does nothing.
 */
export const INSTALL_STEPS = `SERVICE_NAME=\${SERVICE_NAME:-"reins-agent-$AGENT_ID"}
HARNESS_COMMAND=\${HARNESS_COMMAND:-}
PROCESS_MANAGER=\${PROCESS_MANAGER:-}
START_SECONDS=\${START_SECONDS:-30}
NODE_MIRROR=\${NODE_MIRROR:-https://nodejs.org/dist}
NODE_VERSION=\${NODE_VERSION:-v20.19.0}
UNINSTALL=

say() { printf '%s\\n' "$*"; }
fail() { printf 'error: %s\\n' "$*" >&2; exit 1; }
is_root() { [ "$(id -u)" -eq 0 ]; }

usage() {
  say "Usage: bash install.sh [--systemd | --pm2 | --none] [--uninstall]"
  say "  --systemd    a service that starts at boot (default where systemd runs; without root a user service)"
  say "  --pm2        a process of pm2 (default where only pm2 is there)"
  say "  --none       install the files and say how to start; nothing is started"
  say "  --uninstall  stop the agent and remove what was installed, its workspace too"
  say "Variables: INSTALL_DIR, SERVICE_NAME, RUN_AS, HARNESS_COMMAND, INSTALL_NODE=yes, NODE_MIRROR, NODE_VERSION, START_SECONDS"
}

read_arguments() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --systemd | --pm2 | --none) PROCESS_MANAGER=\${1#--} ;;
      --uninstall) UNINSTALL=yes ;;
      --help | -h) usage; exit 0 ;;
      *) fail "unknown argument $1; --help lists them" ;;
    esac
    shift
  done
  if [ -z "$PROCESS_MANAGER" ]; then
    if [ -d /run/systemd/system ]; then PROCESS_MANAGER=systemd
    elif command -v pm2 >/dev/null; then PROCESS_MANAGER=pm2
    else PROCESS_MANAGER=none; fi
  fi
  case "$PROCESS_MANAGER" in
    systemd) command -v systemctl >/dev/null || fail 'this machine has no systemd; use --pm2 or --none' ;;
    pm2 | none) ;;
    *) fail 'PROCESS_MANAGER must be systemd, pm2 or none' ;;
  esac
}

choose_places() {
  if is_root; then
    INSTALL_DIR=\${INSTALL_DIR:-"/opt/reins-agents/$AGENT_ID"}
    RUN_AS=\${RUN_AS:-\${SUDO_USER:-reins-agent}}
    UNIT_DIR=\${UNIT_DIR:-/etc/systemd/system}
    SYSTEMCTL=(systemctl)
  else
    INSTALL_DIR=\${INSTALL_DIR:-"$HOME/.reins/agents/$AGENT_ID"}
    RUN_AS=$(id -un)
    UNIT_DIR=\${UNIT_DIR:-"$HOME/.config/systemd/user"}
    SYSTEMCTL=(systemctl --user)
  fi
  if [[ ! "$INSTALL_DIR" =~ ^/[A-Za-z0-9._/-]+$ || "$INSTALL_DIR" == */../* || "$INSTALL_DIR" == */.. ]]; then
    fail 'INSTALL_DIR must be an absolute path of letters, digits and . _ - /'
  fi
  [[ "$SERVICE_NAME" =~ ^[A-Za-z0-9_-]+$ ]] || fail 'SERVICE_NAME must consist of letters, digits, _ and -'
  [[ "$RUN_AS" =~ ^[A-Za-z_][A-Za-z0-9_.-]*$ ]] || fail 'RUN_AS must be the name of a user'
  [[ "$START_SECONDS" =~ ^[0-9]+$ ]] || fail 'START_SECONDS must be a whole number'
  if [ -z "$HARNESS_SHA256" ] && [ -z "$HARNESS_COMMAND" ]; then
    fail 'the controller had no harness to hand out when this script was made; set HARNESS_COMMAND to the command of yours'
  fi
}

fetch() {
  if command -v curl >/dev/null; then curl -fsSL --retry 3 -o "$2" "$1" || fail "$1 cannot be downloaded"
  elif command -v wget >/dev/null; then wget -q -O "$2" "$1" || fail "$1 cannot be downloaded"
  else fail 'curl or wget is needed to download the harness'; fi
}

new_enough() {
  "$1" -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>20||(a===20&&b>=19)?0:1)' 2>/dev/null
}

# Sets NODE. Node.js is not installed unasked; what is installed is checked against the sums published with it.
find_node() {
  NODE=$(command -v node || true)
  if [ -n "$NODE" ] && new_enough "$NODE"; then NODE=$(readlink -f "$NODE"); return; fi
  NODE=$INSTALL_DIR/node/bin/node
  if [ -x "$NODE" ] && new_enough "$NODE"; then return; fi
  [ "\${INSTALL_NODE:-}" = yes ] || fail 'Node.js 20.19 or newer is needed: install it, or run this again with INSTALL_NODE=yes'
  local machine archive temporary
  case "$(uname -m)" in
    x86_64) machine=linux-x64 ;;
    aarch64 | arm64) machine=linux-arm64 ;;
    *) fail "no Node.js for this machine ($(uname -m)) is known here; install it yourself" ;;
  esac
  archive=node-$NODE_VERSION-$machine.tar.gz
  temporary=$(mktemp -d "$INSTALL_DIR/.node.XXXXXX")
  say "Installing Node.js $NODE_VERSION"
  fetch "$NODE_MIRROR/$NODE_VERSION/$archive" "$temporary/$archive"
  fetch "$NODE_MIRROR/$NODE_VERSION/SHASUMS256.txt" "$temporary/sums"
  (cd "$temporary" && grep -F "  $archive" sums | sha256sum -c --status -) || fail "the checksum of $archive is wrong"
  mkdir "$temporary/node"
  tar -xzf "$temporary/$archive" -C "$temporary/node" --strip-components 1 --no-same-owner
  rm -rf "$INSTALL_DIR/node"
  mv "$temporary/node" "$INSTALL_DIR/node"
  rm -rf "$temporary"
  new_enough "$NODE" || fail "Node.js $NODE_VERSION does not run here"
}

# Releases stand side by side and a link names the one in use, so a failed download leaves the agent as it was.
install_harness() {
  [ -n "$HARNESS_COMMAND" ] && return
  local release=$INSTALL_DIR/releases/$HARNESS_SHA256 temporary sum
  if [ ! -f "$release/main.js" ]; then
    mkdir -p "$INSTALL_DIR/releases"
    temporary=$(mktemp -d "$INSTALL_DIR/releases/.new.XXXXXX")
    fetch "$CONTROLLER_URL/downloads/harness.tar.gz" "$temporary/harness.tar.gz"
    sum=$(sha256sum "$temporary/harness.tar.gz" | cut -d ' ' -f 1)
    if [ "$sum" != "$HARNESS_SHA256" ]; then
      rm -rf "$temporary"
      fail "the checksum of the harness is $sum, not $HARNESS_SHA256: the controller was updated since this script was made, or somebody changed the download; get a new script"
    fi
    mkdir "$temporary/harness"
    tar -xzf "$temporary/harness.tar.gz" -C "$temporary/harness" --no-same-owner
    mv "$temporary/harness" "$release"
    rm -rf "$temporary"
  fi
  ln -sfn "$release" "$INSTALL_DIR/current"
}

write_environment() {
  local temporary
  temporary=$(mktemp "$INSTALL_DIR/.env.XXXXXX")
  environment > "$temporary"
  chmod 600 "$temporary"
  mv -f "$temporary" "$INSTALL_DIR/.env"
}

# The command of the agent, in the one place that every process manager starts.
write_start() {
  local start
  if [ -n "$HARNESS_COMMAND" ]; then start="set -a; . ./.env; set +a; exec $HARNESS_COMMAND"
  else start="exec \\"$NODE\\" \\"$INSTALL_DIR/current/main.js\\" --env-file \\"$INSTALL_DIR/.env\\""; fi
  printf '#!/usr/bin/env bash\\ncd "%s" || exit 1\\nexport PATH=%q\\n%s\\n' "$INSTALL_DIR" "$(dirname "$NODE"):$PATH" "$start" > "$INSTALL_DIR/start"
  chmod 700 "$INSTALL_DIR/start"
}

give_to_user() {
  is_root || return 0
  if ! id "$RUN_AS" >/dev/null 2>&1; then
    # A home of its own: that of one agent would go with it, and the others need theirs.
    useradd --system --create-home --home-dir "/var/lib/$RUN_AS" --shell /usr/sbin/nologin "$RUN_AS"
  fi
  chown -R "$RUN_AS": "$INSTALL_DIR"
  runuser -u "$RUN_AS" -- "$NODE" -e 0 || fail "$RUN_AS may not run $NODE; install Node.js for all users or set INSTALL_NODE=yes"
}

# Exit codes 1 and 2 mean that a person has to look (refused, wrong configuration): starting again would not help.
start_systemd() {
  mkdir -p "$UNIT_DIR"
  {
    printf '[Unit]\\nDescription=Reins agent %s\\nAfter=network-online.target\\nWants=network-online.target\\n\\n' "$AGENT_ID"
    printf '[Service]\\nType=simple\\nWorkingDirectory=%s\\nExecStart=%s/start\\n' "$INSTALL_DIR" "$INSTALL_DIR"
    if is_root; then printf 'User=%s\\n' "$RUN_AS"; fi
    printf 'Restart=always\\nRestartSec=10\\nRestartPreventExitStatus=1 2\\nTimeoutStopSec=60\\nNoNewPrivileges=yes\\n\\n'
    printf '[Install]\\nWantedBy=%s\\n' "$(is_root && echo multi-user.target || echo default.target)"
  } > "$UNIT_DIR/$SERVICE_NAME.service"
  chmod 644 "$UNIT_DIR/$SERVICE_NAME.service"
  "\${SYSTEMCTL[@]}" daemon-reload
  "\${SYSTEMCTL[@]}" enable "$SERVICE_NAME" >/dev/null 2>&1
  "\${SYSTEMCTL[@]}" restart "$SERVICE_NAME"
  if ! is_root && ! loginctl enable-linger "$RUN_AS" 2>/dev/null; then
    say "To keep it running after you log out: sudo loginctl enable-linger $RUN_AS"
  fi
}

find_pm2() {
  command -v pm2 >/dev/null && { PM2=pm2; return; }
  PM2=$INSTALL_DIR/pm2/node_modules/.bin/pm2
  [ -x "$PM2" ] && return
  command -v npm >/dev/null || fail 'pm2 needs npm to be installed; use --systemd or --none'
  say 'Installing pm2'
  npm install --silent --no-audit --no-fund --prefix "$INSTALL_DIR/pm2" pm2@7.0.4
}

start_pm2() {
  find_pm2
  cat > "$INSTALL_DIR/ecosystem.config.cjs" <<ECOSYSTEM
module.exports = {
  apps: [
    {
      name: '$SERVICE_NAME',
      script: '$INSTALL_DIR/start',
      interpreter: 'bash',
      cwd: '$INSTALL_DIR',
      restart_delay: 10000,
      stop_exit_codes: [1, 2],
      max_memory_restart: '1G',
      kill_timeout: 60000,
    },
  ],
};
ECOSYSTEM
  "$PM2" delete "$SERVICE_NAME" >/dev/null 2>&1 || true
  "$PM2" start "$INSTALL_DIR/ecosystem.config.cjs" >/dev/null
  "$PM2" save >/dev/null
  say "To start it at boot, run what this prints: $PM2 startup"
}

is_running() {
  case "$PROCESS_MANAGER" in
    systemd) "\${SYSTEMCTL[@]}" is-active --quiet "$SERVICE_NAME" ;;
    pm2) "$PM2" pid "$SERVICE_NAME" | grep -Eq '^[1-9]' ;;
  esac
}

log_command() {
  case "$PROCESS_MANAGER" in
    systemd) is_root && echo "journalctl -u $SERVICE_NAME -n 50" || echo "journalctl --user -u $SERVICE_NAME -n 50" ;;
    pm2) echo "$PM2 logs $SERVICE_NAME --lines 50 --nostream" ;;
  esac
}

# It runs when it has stayed up for a while; a refusal by the controller ends it at once.
wait_until_up() {
  local steady=0 seconds
  for ((seconds = 0; seconds < START_SECONDS; seconds++)); do
    sleep 1
    if is_running; then steady=$((steady + 1)); else steady=0; fi
    if [ "$steady" -ge 5 ]; then
      say "The agent $AGENT_NAME is running as $SERVICE_NAME. Its log: $(log_command)"
      return
    fi
  done
  fail "the agent does not stay up; its log says why: $(log_command)"
}

uninstall() {
  case "$PROCESS_MANAGER" in
    systemd)
      "\${SYSTEMCTL[@]}" disable --now "$SERVICE_NAME" >/dev/null 2>&1 || true
      rm -f "$UNIT_DIR/$SERVICE_NAME.service"
      "\${SYSTEMCTL[@]}" daemon-reload
      ;;
    pm2)
      find_pm2
      "$PM2" delete "$SERVICE_NAME" >/dev/null 2>&1 || true
      "$PM2" save --force >/dev/null
      ;;
  esac
  [ -f "$INSTALL_DIR/.env" ] || fail "$INSTALL_DIR does not look like an installed agent; nothing was removed"
  rm -rf "$INSTALL_DIR"
  say "Removed the agent $AGENT_NAME from this machine."
}

main() {
  read_arguments "$@"
  choose_places
  if [ -n "$UNINSTALL" ]; then uninstall; return; fi
  # The folders above are for everyone to pass through, the agent's own is not.
  (umask 022 && mkdir -p "$(dirname "$INSTALL_DIR")")
  mkdir -p "$INSTALL_DIR"
  find_node
  install_harness
  write_environment
  write_start
  give_to_user
  say "Installed the agent $AGENT_NAME ($AGENT_ID) in $INSTALL_DIR."
  case "$PROCESS_MANAGER" in
    systemd) start_systemd; wait_until_up ;;
    pm2) start_pm2; wait_until_up ;;
    none) say "Start it with: $INSTALL_DIR/start" ;;
  esac
}

main "$@"
`;
