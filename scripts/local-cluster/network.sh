# shellcheck shell=bash
# The namespace that holds the whole cluster: no port, bridge or iptables rule of it is seen on the host.

create_network() {
  if [[ ! -e $NETNS ]]; then
    progress "creating the network namespace $NAME"
    ip netns add "$NAME"
  fi
  in_namespace ip link set lo up
  if ! in_namespace ip link show node0 >/dev/null 2>&1; then
    # A bridge without members stands for the node's interface; not every kernel has the dummy device.
    in_namespace ip link add node0 type bridge
    in_namespace ip addr add "$NODE_IP/24" dev node0
    in_namespace ip link set node0 up
    # The kubelet and kube-proxy look for a default route; nothing outside is reached by it.
    in_namespace ip route add default dev node0
  fi
  in_namespace sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
}

# Replies between two pods on one bridge must pass iptables, or the address of a Service is not translated back.
bridge_passes_iptables() { in_namespace sh -c 'echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables' 2>/dev/null; }

remove_network() {
  [[ -e $NETNS ]] || return 0
  local left
  left=$(ip netns pids "$NAME" | tr '\n' ' ')
  if [[ -n ${left// /} ]]; then progress "still inside the namespace, started by somebody else: $left"; fi
  ip netns del "$NAME"
}
