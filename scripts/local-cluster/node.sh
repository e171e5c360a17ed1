# shellcheck shell=bash
# The one node: containerd, kubelet, kube-proxy.

node_ctr() { ctr -a "$CONTAINERD_SOCKET" -n k8s.io "$@"; }

cgroup_roots() { find /sys/fs/cgroup -maxdepth 2 -type d -name "$NAME" 2>/dev/null; }

# The kubelet wants its root cgroup to exist in every hierarchy.
create_cgroups() {
  local mount
  while read -r mount; do mkdir -p "$mount/$NAME"; done < <(findmnt -rn -t cgroup -o TARGET)
  if [[ $(findmnt -rn -o FSTYPE /sys/fs/cgroup) == cgroup2 ]]; then mkdir -p "/sys/fs/cgroup/$NAME"; fi
}

start_containerd() {
  mkdir -p "$RUN/containerd" "$RUN/cni/config" "$RUN/cni/leases"
  fill_in cni.json >"$RUN/cni/config/10-bridge.conflist"
  fill_in containerd.toml "CNI=$(cni_folder)" >"$RUN/containerd.toml"
  run_part containerd containerd --config "$RUN/containerd.toml"
}
ready_containerd() { node_ctr version; }

start_kubelet() {
  mkdir -p "$RUN/kubelet" "$RUN/kubelet-config"
  keep_kernel_settings
  create_cgroups
  printf 'nameserver %s\n' "$NODE_IP" >"$RUN/kubelet-config/resolv.conf"
  fill_in kubelet.yaml >"$RUN/kubelet-config/kubelet.yaml"
  run_part kubelet "$RUN/bin/kubelet" --config="$RUN/kubelet-config/kubelet.yaml" --kubeconfig="$RUN/pki/kubelet.kubeconfig" \
    --root-dir="$RUN/kubelet" --cert-dir="$RUN/kubelet/pki" --hostname-override="$NODE_NAME" --node-ip="$NODE_IP"
}
ready_kubelet() {
  [[ $(cluster_kubectl get node "$NODE_NAME" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}') == True ]]
}

start_proxy() {
  local masquerade=true
  if bridge_passes_iptables; then masquerade=false; fi
  fill_in kube-proxy.yaml "MASQUERADE=$masquerade" >"$RUN/kube-proxy.yaml"
  run_part proxy "$RUN/bin/kube-proxy" --config="$RUN/kube-proxy.yaml"
}
ready_proxy() { listens 127.0.0.1 10256; }

# The kubelet sets these for the whole machine.
KERNEL_SETTINGS=(vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes)

keep_kernel_settings() {
  local setting
  if [[ -f $RUN/kernel-settings ]]; then return; fi
  for setting in "${KERNEL_SETTINGS[@]}"; do
    if [[ -r /proc/sys/$setting ]]; then printf '%s %s\n' "$setting" "$(cat "/proc/sys/$setting")"; fi
  done >"$RUN/kernel-settings"
}

restore_kernel_settings() {
  local setting value
  if [[ ! -f $RUN/kernel-settings ]]; then return; fi
  while read -r setting value; do echo "$value" >"/proc/sys/$setting" || true; done <"$RUN/kernel-settings"
}
