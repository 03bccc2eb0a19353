#!/bin/sh
# Runs a program in an image's files as an engine would: enter.sh FILES PYTHON MOUNTPOINT UID:GID PROGRAM…
# As root, in a mount namespace of its own (unshare --mount), which ends with it. The files are read-only; only /tmp can be
# written to. This machine's system, and its Python in the folder PYTHON, stand in for the base image.
set -eu
files=$1 python=$2 root=$3 user=$4
shift 4
bound() {  # SOURCE TARGET: the same content, read-only
  mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
  mount -o remount,bind,ro "$root$2"
}
mount -t tmpfs -o mode=755 tmpfs "$root"
for part in /usr /bin /sbin /lib /lib64 /etc; do
  if [ -L "$part" ]; then cp -P "$part" "$root$part"; elif [ -d "$part" ]; then bound "$part" "$part"; fi
done
case $python in /usr | /usr/*) ;; *) bound "$python" "$python" ;; esac
for part in "$files"/*/; do bound "$part" "/$(basename "$part")"; done
mkdir "$root/dev" "$root/proc" "$root/tmp"
mount --rbind /dev "$root/dev"
mount --bind /proc "$root/proc"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
mount -o remount,ro "$root"
exec chroot --userspec="$user" --groups= "$root" /usr/bin/setpriv --no-new-privs "$@"
