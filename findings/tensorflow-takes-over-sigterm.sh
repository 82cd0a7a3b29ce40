#!/usr/bin/env bash
# TensorFlow 2.21.0 (tensorflow-cpu): after `MultiWorkerMirroredStrategy()`, a program does not end on SIGTERM, and its earlier handler is not called.
#
# The strategy starts the coordination service, which puts a handler of its own in the place of Python's. A program without a handler, which
# SIGTERM would have ended, goes on until SIGKILL; a handler that was installed before, to save a checkpoint, is never called. A handler that is
# installed after the strategy works. Schedulers send SIGTERM before they kill a job, so checkpoints are lost without a message.
#
# Seen, with one worker: `before` is not saved and is still running after 10 s; `after` is saved and has ended.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tensorflow-cpu==2.21.0
cat > train.py << 'PYTHON'
import json, os, pathlib, signal, socket, sys, time

name = sys.argv[1]
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = f"127.0.0.1:{free.getsockname()[1]}"
os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": [address]}, "task": {"type": "worker", "index": 0}})
import tensorflow as tf


def save(number, frame):
    pathlib.Path(f"{name}.saved").touch()
    sys.exit(1)


if name == "before":
    signal.signal(signal.SIGTERM, save)
strategy = tf.distribute.MultiWorkerMirroredStrategy()
if name == "after":
    signal.signal(signal.SIGTERM, save)
pathlib.Path(f"{name}.ready").touch()
while True:
    time.sleep(0.1)
PYTHON

stop() {
  venv/bin/python train.py "$1" > log 2>&1 &
  pid=$!
  while [ ! -e "$1.ready" ]; do kill -0 "$pid"; sleep 0.2; done
  kill -TERM "$pid"
  sleep 10
  saved=$([ -e "$1.saved" ] && echo saved || echo 'not saved')
  running=$(kill -0 "$pid" 2> /dev/null && echo running || echo ended)
  kill -KILL "$pid" 2> /dev/null || :
  wait "$pid" 2> /dev/null || :
  echo "$1: $saved, $running"
}

before=$(stop before)
after=$(stop after)
echo "$before"
echo "$after"
[ "$after" = "after: saved, ended" ]
[ "$before" = "before: not saved, running" ] || { echo "changed"; exit 1; }
echo "as described"
