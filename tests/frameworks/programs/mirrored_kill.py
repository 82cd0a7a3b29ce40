# mypy: ignore-errors
"""MultiWorkerMirroredStrategy that saves when it is killed, by its own `handler` or TensorFlow's (`checkpoint`)."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import tensorflow as tf

ROLE = json.loads(os.environ["TF_CONFIG"])["task"]["type"]
OUTPUT = Path(os.environ["OUTPUT_DIR"])
strategy = tf.distribute.MultiWorkerMirroredStrategy()
with strategy.scope():
    weight = tf.Variable(0.0, aggregation=tf.VariableAggregation.MEAN)


@tf.function
def step() -> None:
    strategy.run(lambda: weight.assign_add(1.0))


def save(*_: object) -> None:
    time.sleep(5)
    (OUTPUT / f"saved-{ROLE}").write_text("complete")
    sys.exit(0)


if sys.argv[1] == "handler":
    # Before the strategy it would have no effect.
    signal.signal(signal.SIGTERM, save)
    (OUTPUT / f"ready-{ROLE}").touch()
    while True:
        time.sleep(0.1)
handler = tf.distribute.experimental.PreemptionCheckpointHandler(
    strategy.cluster_resolver, tf.train.Checkpoint(weight=weight), str(OUTPUT / ROLE)
)
handler.run(step)
(OUTPUT / f"ready-{ROLE}").touch()
while True:
    handler.run(step)
    time.sleep(0.05)
