# ruff: noqa: T201
# mypy: ignore-errors
"""TensorFlow's ParameterServerStrategy: the ps stores the weights, the chief assigns steps to the workers."""

import os
import time
from pathlib import Path

import tensorflow as tf

import riseml

STEPS = 100
DONE = Path(os.environ["OUTPUT_DIR"], "done")
cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver()
role, index = cluster.task_type, cluster.task_id
if role != "chief":
    server = tf.distribute.Server(cluster.cluster_spec(), role, index, protocol="grpc")
    print(f"{role} {index} serves", flush=True)
    while role == "ps" or not DONE.exists():
        time.sleep(0.1)
    raise SystemExit

strategy = tf.distribute.ParameterServerStrategy(cluster)
coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
with strategy.scope():
    weights = tf.Variable(tf.zeros([3, 1]))
    steps = tf.Variable(0, dtype=tf.int64)


@tf.function
def step(number: tf.Tensor) -> tf.Tensor:
    points = tf.random.stateless_uniform([64, 3], [number, 0], -1.0, 1.0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((points @ weights - points @ [[1.0], [2.0], [3.0]]) ** 2)
    weights.assign_sub(0.3 * tape.gradient(loss, weights))
    steps.assign_add(1)
    return loss


losses = [
    coordinator.schedule(step, args=(tf.constant(number),)) for number in range(STEPS)
]
coordinator.join()
loss = float(losses[-1].fetch())
spec = cluster.cluster_spec().as_dict()
print(
    f"chief of {spec}: {int(steps)} steps, weights on {weights.device}, loss {loss:.9f}"
)
assert "/job:ps/" in weights.device
assert int(steps) == STEPS
assert loss < 1e-6
riseml.report_result(
    steps=int(steps), loss=loss, workers=len(spec["worker"]), servers=len(spec["ps"])
)
DONE.touch()
