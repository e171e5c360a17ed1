# shellcheck shell=bash
# Debian packages of the node. Only what is missing: some of them refuse to be installed beside a program from elsewhere.

cni_folder() {
  local folder
  for folder in /usr/lib/cni /opt/cni/bin; do
    if [[ -x $folder/bridge && -x $folder/portmap ]]; then printf '%s' "$folder" && return; fi
  done
  return 1
}

missing_packages() {
  local pair
  for pair in etcd:etcd-server containerd:containerd ctr:containerd runc:runc iptables:iptables conntrack:conntrack \
    ip:iproute2 nsenter:util-linux openssl:openssl; do
    command -v "${pair%%:*}" >/dev/null || printf '%s\n' "${pair##*:}"
  done
  cni_folder >/dev/null || printf 'containernetworking-plugins\n'
}

install_packages() {
  progress "installing $*"
  command -v apt-get >/dev/null ||
    give_up "These are missing and can only be installed by hand here (no apt-get): $*"
  # RUNLEVEL=1 keeps the packages from starting their own services.
  { RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" ||
    { apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@"; }; } >/dev/null 2>&1 ||
    give_up "apt-get could not install: $*"
}

prepare_packages_of_node() {
  local missing
  mapfile -t missing < <(missing_packages | sort -u)
  if ((${#missing[@]} > 0)); then install_packages "${missing[@]}"; fi
}
