#!/usr/bin/env bash
# TensorBoard 2.21.0: a run that HPARAMS has once been told is running stays RUNNING, also after a record of its end.
#
# The tab HPARAMS reads the state of a run from summary metadata. The plugin has a state for a run that is going on, and one for
# its end. But of the metadata of a tag, TensorBoard keeps the first that it sees. A later record SUCCESS is ignored, also after a
# restart and whichever file has it. So a writer that announces the start as RUNNING can never correct it. A writer that
# says nothing until the end gets what it wants: the state is unknown, then SUCCESS.
#
# Seen: with RUNNING first the state is STATUS_RUNNING, without it STATUS_SUCCESS.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tensorboard==2.21.0 "setuptools<81"

cat > write.py << 'PYTHON'
import sys

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from tensorboard.summary.writer.record_writer import RecordWriter

folder, first = sys.argv[1:]


def write(name, summary):
    with open(f"{folder}/events.out.tfevents.{name}", "wb") as file:
        RecordWriter(file).write(Event(wall_time=1.0, summary=summary).SerializeToString())


def end(status):
    data = plugin_data_pb2.HParamsPluginData(session_end_info=plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=2.0))
    value = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=metadata.create_summary_metadata(data))
    return Summary(value=[value])


write("1", summary_v2.hparams_pb({"lr": 0.1}, trial_id="a", start_time_secs=1.0))
if first == "running":
    write("2", end(api_pb2.STATUS_RUNNING))
write("3", end(api_pb2.STATUS_SUCCESS))
PYTHON
cat > ask.py << 'PYTHON'
import json, sys, time, urllib.request

states = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
body = json.dumps({"experimentName": "", "allowedStatuses": states, "colParams": [], "startIndex": 0, "sliceSize": 10}).encode()
address = f"http://127.0.0.1:{sys.argv[1]}/data/plugin/hparams/session_groups"
for _ in range(60):
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    try:
        groups = json.load(urllib.request.urlopen(request)).get("sessionGroups", [])
    except OSError:
        groups = []
    if groups:
        print(groups[0]["sessions"][0]["status"])
        break
    time.sleep(1)
PYTHON

state() {
  mkdir "$1"
  venv/bin/python write.py "$1" "$1"
  port=$(venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  venv/bin/tensorboard --logdir "$1" --port "$port" --host 127.0.0.1 > log 2>&1 &
  server=$!
  state=$(venv/bin/python ask.py "$port")
  kill "$server"
  wait "$server" 2> /dev/null || :
  server=
  echo "$1: $state"
}

state quiet; [ "$state" = STATUS_SUCCESS ]
state running; [ "$state" = STATUS_RUNNING ] || { echo "changed: the end is shown"; exit 1; }
echo "as described"
