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

# A killed pod leaves files outside of our folder: the socket of its shim and what the CNI plugins answered.
remember_traces() {
  local pid sandbox
  while read -r pid; do
    sandbox=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | sed -n '/^-id$/{n;p}')
    if [[ -z $sandbox ]]; then continue; fi
    sed 's|^unix://||;s|$|\n|' "$RUN/containerd/state/io.containerd.runtime.v2.task/k8s.io/$sandbox/address" 2>/dev/null
    find /var/lib/cni/results -name "*-$sandbox-*" 2>/dev/null
  done < <(shim_pids) >>"$RUN/traces" || true
}

kill_pods() {
  local try pids
  remember_traces
  for try in 1 2 3 4 5 6 7 8 9 10; do
    mapfile -t pids < <(shim_pids; pod_pids)
    if ((${#pids[@]} == 0)); then return; fi
    kill -s KILL "${pids[@]}" 2>/dev/null || true
    sleep 0.2
  done
  progress "still alive after $try attempts: ${pids[*]}"
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
  if [[ -f $RUN/traces ]]; then xargs -r rm -f <"$RUN/traces"; fi
  rmdir /run/containerd/s /run/containerd /var/lib/cni/results /var/lib/cni 2>/dev/null || true
  if [[ -d /var/log/containers ]]; then find /var/log/containers -type l -lname "$RUN/*" -delete; fi
  # This socket's path is fixed in the kubelet.
  if ! grep -q ' /var/lib/kubelet/device-plugins/kubelet.sock$' /proc/net/unix; then rm -f /var/lib/kubelet/device-plugins/kubelet.sock; fi
  # Only where no other kubelet of this machine has put anything.
  rmdir /var/log/containers /var/lib/kubelet/device-plugins /var/lib/kubelet 2>/dev/null || true
}
