# shellcheck shell=bash
# A part is one long-lived process of the cluster: how it is started, watched and stopped.

progress() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*" >&2; }
give_up() { printf '\n%s\n' "$*" >&2; exit 1; }

in_namespace() { nsenter --net="$NETNS" -- "$@"; }
cluster_kubectl() { KUBECONFIG=$ADMIN_KUBECONFIG in_namespace "$RUN/bin/kubectl" "$@"; }
listens() { in_namespace bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null; }

part_log() { printf '%s/logs/%s.log' "$RUN" "$1"; }

# Prints the process id of a running part. A number that the kernel gave to somebody else meanwhile is not believed.
part_pid() {
  local pid
  pid=$(cat "$RUN/pids/$1" 2>/dev/null) || return 1
  [[ $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == *"$RUN"* ]] && printf '%s' "$pid"
}

# Becomes the command, under a known process id. Open files of the caller are closed: a lock among them would never end.
# shellcheck disable=SC2016  # the new shell expands it
DETACHED='echo $$ >"$1"; shift
for file in /proc/$$/fd/*; do file=${file##*/}; if ((file > 2)); then eval "exec $file>&-"; fi; done
exec "$@"'

# run_part NAME COMMAND…: starts it inside the namespace, detached from the caller's terminal.
run_part() {
  local part=$1
  shift
  mkdir -p "$RUN/pids" "$RUN/logs"
  setsid bash -c "$DETACHED" part "$RUN/pids/$part" nsenter --net="$NETNS" -- "$@" </dev/null >>"$(part_log "$part")" 2>&1 &
}

# start_part NAME: does nothing when it runs already; otherwise starts it and waits until it answers.
start_part() {
  local part=$1 function=${1//-/_}
  if ! part_pid "$part" >/dev/null; then
    progress "starting $part"
    "start_$function"
  fi
  wait_for_part "$part" "ready_$function"
}

wait_for_part() {
  local part=$1 check=$2 deadline=$((SECONDS + 90))
  # The process id is written by the new process itself.
  sleep 0.2
  until "$check" >/dev/null 2>&1; do
    if ! part_pid "$part" >/dev/null; then part_failed "$part" "ended"; fi
    if ((SECONDS > deadline)); then part_failed "$part" "does not answer after 90 s"; fi
    sleep 0.3
  done
}

part_failed() {
  printf '\nThe last lines of %s:\n' "$(part_log "$1")" >&2
  tail -n 25 "$(part_log "$1")" >&2 || true
  give_up "$1 $2."
}

# stop_part NAME [SIGNAL]: waits for its end, so that the next one can bind the same port.
stop_part() {
  local part=$1 signal=${2:-TERM} pid waited=0
  if pid=$(part_pid "$part"); then
    kill -s "$signal" "$pid" 2>/dev/null || true
    while [[ -d /proc/$pid ]] && part_pid "$part" >/dev/null; do
      if ((++waited == 150)); then kill -s KILL "$pid" 2>/dev/null || true; fi
      sleep 0.1
    done
  fi
  rm -f "$RUN/pids/$part"
}
