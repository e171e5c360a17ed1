#!/usr/bin/env bash
# Boots a real systemd as process 1 of namespaces of its own, over a copy-on-write view of this machine's files: what it
# and the services in it write is gone with it. The network is this machine's. Ends with the process that started it.
#   systemd-machine.sh DIR       DIR is an empty folder
set -euo pipefail
dir=$1
mount --make-rprivate /
mount -t tmpfs tmpfs "$dir"
root=$dir/root
mkdir "$dir/upper" "$dir/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -o remount,ro,bind "$root/sys"
for folder in dev run tmp; do mount -t tmpfs tmpfs "$root/$folder"; done
chmod 1777 "$root/tmp"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
# Told that it is a container, systemd leaves the hardware alone.
export container=lxc
exec chroot "$root" /lib/systemd/systemd --system --unit=basic.target
