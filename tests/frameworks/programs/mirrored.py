# ruff: noqa: T201
# mypy: ignore-errors
"""TensorFlow's MultiWorkerMirroredStrategy: the data is split between workers, and all get the same weights."""

import json
import os

import tensorflow as tf

import riseml

config = json.loads(os.environ["TF_CONFIG"])
role, index = config["task"]["type"], config["task"]["index"]
strategy = tf.distribute.MultiWorkerMirroredStrategy()
workers = sum(map(len, config["cluster"].values()))
rank = 0 if role == "chief" else index + 1
assert strategy.num_replicas_in_sync == workers

with strategy.scope():
    weights = tf.Variable(tf.zeros([3, 1]), aggregation=tf.VariableAggregation.MEAN)


@tf.function
def step(number: tf.Tensor) -> tf.Tensor:
    def one() -> tf.Tensor:
        points = tf.random.stateless_uniform([64, 3], [number, rank], -1.0, 1.0)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                (points @ weights - points @ [[1.0], [2.0], [3.0]]) ** 2
            )
        weights.assign_sub(0.3 * tape.gradient(loss, weights))
        return loss

    return strategy.reduce("MEAN", strategy.run(one), axis=None)


total = float(
    strategy.reduce("SUM", strategy.run(lambda: tf.constant(rank + 1.0)), axis=None)
)
for number in range(100):
    loss = float(step(tf.constant(number)))
found = weights.numpy().ravel().tolist()
print(f"worker {rank} of {workers}: sum {total}, weights {found}, loss {loss:.9f}")
assert total == workers * (workers + 1) / 2
assert loss < 1e-6
if rank == 0:
    riseml.report_result(
        sum=total,
        workers=workers,
        loss=loss,
        weights=[round(weight, 3) for weight in found],
    )
