import { NODE_BEAT_SECONDS } from '@reins/shared/api/nodes';
import { envValue } from '../../agents/env-config';
import { shellWord } from '../../agents/install-script';

export interface NodeInstallScriptInput {
  nodeId: string;
  name: string;
  token: string;
  /** Where the node reaches the controller. */
  baseUrl: string;
}

/**
 * A bash script that makes the machine it is run on report to the controller: it writes the token to a file only its
 * owner can read, sends a first heartbeat, and has systemd send one a minute where there is systemd. Everything is
 * defined before the last line calls `main`, so a script cut off on its way does nothing.
 */
export function nodeInstallScript({ nodeId, name, token, baseUrl }: NodeInstallScriptInput): string {
  return `#!/usr/bin/env bash
# Usage: bash install-node.sh
# Makes this machine report to the controller as a node. Needs bash and curl. INSTALL_DIR says where it is installed.
# This file contains the token of the node. Delete it when it has run.
# shellcheck disable=SC2016
set -euo pipefail
umask 077

NODE_NAME=${shellWord(name)}
NODE_ID=${shellWord(nodeId)}

say() { printf '%s\\n' "$*"; }
fail() { printf 'error: %s\\n' "$*" >&2; exit 1; }

environment() {
  cat <<'END_OF_ENVIRONMENT'
AIOPS_NODE_TOKEN=${envValue(token)}
AIOPS_CONTROLLER_ENDPOINT=${envValue(baseUrl)}
AIOPS_NODE_ID=${envValue(nodeId)}
END_OF_ENVIRONMENT
}

heartbeat() {
  cat <<'END_OF_HEARTBEAT'
${HEARTBEAT}END_OF_HEARTBEAT
}

# By way of a temporary file: a reader sees the old content or the new one.
write() { # path, mode, content from standard input
  local temporary
  temporary=$(mktemp "$1.XXXXXX")
  cat > "$temporary"
  chmod "$2" "$temporary"
  mv -f "$temporary" "$1"
}

install_timer() {
  local unit=reins-node-$NODE_ID
  write "$UNIT_DIR/$unit.service" 644 <<UNIT
[Unit]
Description=Heartbeat of the node $NODE_ID
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart=$INSTALL_DIR/heartbeat
UNIT
  write "$UNIT_DIR/$unit.timer" 644 <<UNIT
[Unit]
Description=Heartbeats of the node $NODE_ID

[Timer]
OnBootSec=10
OnUnitActiveSec=${NODE_BEAT_SECONDS}
AccuracySec=1

[Install]
WantedBy=timers.target
UNIT
  systemctl daemon-reload
  systemctl enable --now "$unit.timer"
  say "A timer of systemd sends a heartbeat each minute: systemctl status $unit.timer"
}

main() {
  command -v curl >/dev/null || fail 'curl is needed to reach the controller'
  local root=
  [ "$(id -u)" -eq 0 ] && root=yes
  if [ -n "$root" ]; then INSTALL_DIR=\${INSTALL_DIR:-"/opt/reins-nodes/$NODE_ID"}
  else INSTALL_DIR=\${INSTALL_DIR:-"$HOME/.reins/nodes/$NODE_ID"}; fi
  UNIT_DIR=\${UNIT_DIR:-/etc/systemd/system}
  if [[ ! "$INSTALL_DIR" =~ ^/[A-Za-z0-9._/-]+$ ]]; then
    fail 'INSTALL_DIR must be an absolute path of letters, digits and . _ - /'
  fi
  mkdir -p "$INSTALL_DIR"
  environment | write "$INSTALL_DIR/node.env" 600
  heartbeat | write "$INSTALL_DIR/heartbeat" 700
  "$INSTALL_DIR/heartbeat" || fail 'the controller did not take the heartbeat'
  say "$NODE_NAME ($NODE_ID) reports to the controller. Installed in $INSTALL_DIR."
  if [ -n "$root" ] && [ -d /run/systemd/system ]; then install_timer
  else say "Have $INSTALL_DIR/heartbeat run each minute, for example by cron: * * * * * $INSTALL_DIR/heartbeat"; fi
}

main
`;
}

/** What the node runs each minute. The token goes to curl by a file descriptor, since arguments can be seen by anyone. */
const HEARTBEAT = `#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "\${BASH_SOURCE[0]}")"
# shellcheck source=/dev/null
. ./node.env

text() {
  local value
  value=$(printf '%s' "\${1:0:200}" | tr -d '\\000-\\037\\177')
  value=\${value//\\\\/\\\\\\\\}
  printf '"%s"' "\${value//\\"/\\\\\\"}"
}

kilobytes() { awk -v key="$1:" '$1 == key { printf "%.0f", $2 * 1024; found = 1 } END { if (!found) print 0 }' /proc/meminfo; }

gpus() {
  command -v nvidia-smi >/dev/null || { printf '[]'; return; }
  nvidia-smi --query-gpu=index,name,memory.total,memory.free,utilization.gpu,temperature.gpu --format=csv,noheader,nounits |
    awk -F', ' 'function number(x) { return x ~ /^[0-9.]+$/ ? x : 0 }
      BEGIN { printf "[" }
      { gsub(/["\\\\]/, "", $2)
        printf "%s{\\"deviceId\\":\\"%d\\",\\"model\\":\\"%s\\",\\"memoryTotal\\":%.0f,\\"memoryFree\\":%.0f,\\"utilization\\":%s,\\"temperature\\":%s}",
          (NR > 1 ? "," : ""), $1, $2, number($3) * 1048576, number($4) * 1048576, number($5), number($6) }
      END { printf "]" }'
}

facts() {
  local cores total free
  cores=$(getconf _NPROCESSORS_ONLN)
  total=$(kilobytes MemTotal)
  free=$(kilobytes MemAvailable)
  printf '{"status":"online","hostname":%s,"os":%s,"cpuModel":%s' \\
    "$(text "$(uname -n)")" "$(text "$(uname -sr)")" "$(text "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)")"
  printf ',"cpuCores":%d,"cpuUsage":%s' "$cores" \\
    "$(awk -v cores="$cores" '{ usage = 100 * $1 / cores; print (usage > 100 ? 100 : usage) }' /proc/loadavg)"
  printf ',"ramTotal":%s,"ramFree":%s,"ramUsage":%s' "$total" "$free" \\
    "$(awk -v total="$total" -v free="$free" 'BEGIN { print (total > 0 ? 100 * (total - free) / total : 0) }')"
  printf ',"uptimeSeconds":%s,"gpuDevices":%s}' "$(cut -d ' ' -f 1 /proc/uptime)" "$(gpus)"
}

facts | curl --fail --silent --show-error --max-time 20 --output /dev/null \\
  --header @<(printf 'Authorization: Bearer %s\\nContent-Type: application/json\\n' "$AIOPS_NODE_TOKEN") \\
  --data-binary @- "$AIOPS_CONTROLLER_ENDPOINT/nodes/$AIOPS_NODE_ID/heartbeat"
`;
