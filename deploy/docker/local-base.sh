#!/usr/bin/env bash
# Makes a root file system that stands in for node:20-bookworm-slim where no registry of images can be reached: Debian
# packages, this machine's node and npm, user node (1000).
#   local-base.sh FOLDER
set -euo pipefail
root=${1:?the folder to make}

debootstrap --variant=minbase \
  --include=ca-certificates,git,libatomic1,libstdc++6,openssh-client,tini bookworm "$root" >&2

node=$(readlink -f "$(command -v node)")
install -m 755 "$node" "$root/usr/bin/node"
# Debian's own libraries serve it, unless this machine's are what it was linked against alone.
chroot "$root" node --version >/dev/null 2>&1 || {
  echo "this machine's node does not run on Debian 12: $(chroot "$root" node --version 2>&1 | head -n 1)" >&2
  exit 1
}
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
mkdir -p "$root/usr/lib/node_modules"
cp -a "$npm" "$root/usr/lib/node_modules/npm"
ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/bin/npm"
ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/bin/npx"

chroot "$root" useradd --create-home --uid 1000 --shell /bin/bash node
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/{doc,man,locale,info} \
  "$root"/etc/machine-id "$root"/etc/hostname "$root"/etc/resolv.conf "$root"/var/cache/{debconf,ldconfig}/*
