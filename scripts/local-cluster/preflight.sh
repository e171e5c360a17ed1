# shellcheck shell=bash
# Whether this machine lets a node run on it at all. Each answer is printed as the reason why not.

MOST_OF_DISK_GB=12

check_possible() {
  local trial=reins-trial-$$ folder left
  [[ $(id -u) -eq 0 ]] || { echo "A node on this machine needs root."; return 1; }
  [[ $(uname -s) == Linux ]] || { echo "A node needs Linux."; return 1; }
  command -v ip >/dev/null || command -v apt-get >/dev/null || { echo "ip (iproute2) is missing."; return 1; }
  if command -v ip >/dev/null; then
    ip netns add "$trial" 2>/dev/null || { echo "No network namespace can be made here (CAP_SYS_ADMIN)."; return 1; }
    if ! ip netns exec "$trial" ip link add node0 type bridge 2>/dev/null; then
      ip netns del "$trial"
      echo "No bridge can be made here (CAP_NET_ADMIN)."
      return 1
    fi
    ip netns del "$trial"
  fi
  folder=$(mktemp -d)
  if ! mount -t tmpfs none "$folder" 2>/dev/null; then
    rmdir "$folder"
    echo "Nothing can be mounted here (CAP_SYS_ADMIN)."
    return 1
  fi
  umount "$folder"
  rmdir "$folder"
  [[ -w /sys/fs/cgroup || -d /sys/fs/cgroup/memory ]] || { echo "The control groups cannot be written."; return 1; }
  left=$(df --output=avail -BG "$HOME" | tail -n 1 | tr -dc 0-9)
  if [[ $left -lt $MOST_OF_DISK_GB ]]; then
    echo "The programs of a node take up to $MOST_OF_DISK_GB GB to build, and $left GB are free."
    return 1
  fi
}
