# mypy: ignore-errors
"""JAX: processes that save when they are told to stop, by a handler or as Orbax does, by the preemption service."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import jax
from jax.experimental import multihost_utils

SAVING = 2
way = sys.argv[1]
output = Path(os.environ["OUTPUT_DIR"])


def save() -> None:
    time.sleep(SAVING)
    (output / f"saved.{jax.process_index()}").write_text("all of it")


def stop(_signal: int, _frame: object) -> None:
    save()
    sys.exit(0)


if way == "handler":
    signal.signal(signal.SIGTERM, stop)
if os.environ.get("JAX_NUM_PROCESSES"):
    jax.distributed.initialize()
else:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    jax.distributed.initialize(f"127.0.0.1:{port}", 1, 0)
for number in range(1000):
    if way == "service" and multihost_utils.reached_preemption_sync_point(number):
        save()
        sys.exit(0)
    if number == 5:
        (output / f"ready.{jax.process_index()}").touch()
    time.sleep(0.1)
