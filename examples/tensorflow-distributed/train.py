"""Fit a plane with a parameter server, which stores the weights; workers compute steps, and the chief assigns them."""

import argparse
import os
import pathlib
import time
import types

import riseml
import tensorflow as tf

EPOCHS, STEPS, BATCH = 5, 20, 64
OUTPUT = pathlib.Path(os.environ.get("OUTPUT_DIR", "output"))
DONE = OUTPUT / "done-{}".format(os.environ.get("RISEML_ATTEMPT", "0"))  # written by the chief for the workers
ALONE = types.SimpleNamespace(schedule=lambda step, args: step(*args), join=lambda: None, fetch=list)  # no coordinator


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lr", type=float, default=0.1, help="learning rate")
    options = arguments.parse_args()
    cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver() if "TF_CONFIG" in os.environ else None
    if cluster is None:
        train(tf.distribute.get_strategy(), ALONE, options.lr)
    elif cluster.task_type == "chief":
        strategy = tf.distribute.ParameterServerStrategy(cluster)
        train(strategy, tf.distribute.coordinator.ClusterCoordinator(strategy), options.lr)
        DONE.touch()
    else:
        serve(cluster)


def serve(cluster):
    """Let the chief use this process, which is a ps or a worker."""
    server = tf.distribute.Server(cluster.cluster_spec(), cluster.task_type, cluster.task_id, protocol="grpc")
    if cluster.task_type == "ps":
        server.join()  # never returns; RiseML stops a ps when all other jobs have finished
    while not DONE.exists():  # join() would never return in a worker either
        time.sleep(0.5)


def train(strategy, coordinator, lr):
    """Assign the steps of all epochs to free workers."""
    with strategy.scope():
        weights = tf.Variable(tf.zeros([3, 1]))

    @tf.function
    def step(seed):
        points = tf.random.stateless_uniform([BATCH, 3], [seed, 0], -1.0, 1.0)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((points @ weights - points @ [[1.0], [2.0], [3.0]]) ** 2)
        weights.assign_sub(lr * tape.gradient(loss, weights))
        return loss

    with tf.summary.create_file_writer(str(OUTPUT)).as_default():
        for epoch in range(1, EPOCHS + 1):
            losses = [coordinator.schedule(step, args=(tf.constant(epoch * STEPS + n),)) for n in range(STEPS)]
            coordinator.join()
            loss = float(tf.reduce_mean(coordinator.fetch(losses)))
            print(f"epoch {epoch}: loss {loss:.6f}")
            tf.summary.scalar("loss", loss, step=epoch)
            riseml.report_result(loss=loss)
            riseml.report_progress(epoch, EPOCHS)


if __name__ == "__main__":
    main()
