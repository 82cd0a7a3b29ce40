#!/usr/bin/env bash
# dash 0.5.12 and busybox 1.35.0 (ash): a command that fails inside a trap counts as successful if another trap runs.
#
# POSIX: the value of `$?` after a trap action is the one before it. Both shells keep this promise for one trap. They have one
# place for the saved value, though. If the action of a trap (here TERM) runs commands, and the action of another trap (here
# USR1, only `:`) comes in between, then the interrupted command gets the status that held before the OUTER action. An `if`,
# `&&` or `while` in a script that stops its processes on TERM then takes the wrong branch, and no message says so.
#
# Seen: outside of a trap, `sh -c 'kill -USR1 <parent>; exit 1'` fails in all shells. Within a trap, it succeeds in dash and
# busybox, and fails in bash 5.2.15, mksh 59c and yash 2.52.
#
# Needs Debian's apt-get and dpkg-deb, which fetch the packages into the temporary folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get download -qq dash=0.5.12-2 busybox-static=1:1.35.0-4+deb12u1+b1 bash=5.2.15-2+b13 mksh=59c-28+deb12u1 yash=2.52-2 2> errors ||
  { cat errors; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" root; done

cat > traps.sh << 'SHELL'
trap : USR1
line='if sh -c "kill -USR1 $$; exit 1"; then echo succeeded; else echo failed; fi'
trap 'eval "$line"' TERM
eval "$line"
kill -TERM $$
SHELL

expect() {
  seen=$("${@:3}" traps.sh | tr '\n' ' ')
  echo "$1: outside, then inside of a trap: $seen"
  [ "$seen" = "$2 " ] || { echo "changed: $1"; exit 1; }
}

expect dash "failed succeeded" root/bin/dash
expect busybox "failed succeeded" root/bin/busybox sh
expect bash "failed failed" root/bin/bash
expect mksh "failed failed" root/bin/mksh
expect yash "failed failed" root/usr/bin/yash
echo "as described"
