# shellcheck shell=bash
# Taking the pods away without asking the API server: at the end, or when a test lets the node die.

shim_pids() {
  local folder
  for folder in /proc/[0-9]*; do
    if [[ $(tr '\0' ' ' 2>/dev/null <"$folder/cmdline") == *containerd-shim*"$CONTAINERD_SOCKET"* ]]; then printf '%s\n' "${folder#/proc/}"; fi
  done
}

pod_pids() {
  local root
  while read -r root; do find "$root" -name cgroup.procs -exec cat {} + 2>/dev/null; done < <(cgroup_roots) | sort -u
}

kill_pods() {
  local try pids
  for try in 1 2 3 4 5 6 7 8 9 10; do
    mapfile -t pids < <(shim_pids; pod_pids)
    if ((${#pids[@]} == 0)); then return; fi
    kill -s KILL "${pids[@]}" 2>/dev/null || true
    sleep 0.2
  done
  progress "still alive after $try attempts: ${pids[*]}"
}

# A killed shim leaves its socket outside of our folder; the file `address` says where.
remove_shim_sockets() {
  local address
  while read -r address; do rm -f "${address#unix://}"; done < <(
    find "$RUN/containerd" -path '*io.containerd.runtime.v2.task*' -name address -exec cat {} \; -exec echo \; 2>/dev/null
  )
  rmdir /run/containerd/s /run/containerd 2>/dev/null || true
}

remove_mounts() {
  local target
  while read -r target; do umount -l "$target" 2>/dev/null || true; done < <(
    findmnt -rn -o TARGET | awk -v run="$RUN/" 'index($0, run) == 1' | sort -r
  )
}

remove_cgroups() {
  local root
  while read -r root; do find "$root" -depth -type d -exec rmdir {} \; 2>/dev/null || true; done < <(cgroup_roots)
}

# What the node's programs write outside of our folder whatever they are told.
remove_traces() {
  rm -f "/var/lib/cni/results/$NAME-"*
  rmdir /var/lib/cni/results /var/lib/cni 2>/dev/null || true
  if [[ -d /var/log/containers ]]; then find /var/log/containers -type l -lname "$RUN/*" -delete; fi
  rmdir /var/log/containers 2>/dev/null || true
}
