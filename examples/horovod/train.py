"""Fit a plane with all processes at once: each has a different part of the data, and Horovod averages their gradients."""

import argparse

import horovod.tensorflow as hvd
import riseml
import tensorflow as tf

EPOCHS, STEPS, BATCH = 5, 20, 64


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lr", type=float, default=0.1, help="learning rate")
    lr = arguments.parse_args().lr
    hvd.init()
    print(f"process {hvd.rank()} of {hvd.size()}, {hvd.local_rank()} of {hvd.local_size()} on this node")

    weights = tf.Variable(tf.random.normal([3, 1]))
    hvd.broadcast_variables([weights], root_rank=0)  # all processes start with the same weights

    @tf.function
    def step(seed):
        points = tf.random.stateless_uniform([BATCH, 3], [seed, hvd.rank()], -1.0, 1.0)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((points @ weights - points @ [[1.0], [2.0], [3.0]]) ** 2)
        weights.assign_sub(lr * hvd.allreduce(tape.gradient(loss, weights)))  # the mean over all processes
        return hvd.allreduce(loss)

    for epoch in range(1, EPOCHS + 1):
        for n in range(STEPS):
            loss = step(tf.constant(epoch * STEPS + n))
        if hvd.rank() == 0:
            print(f"epoch {epoch}: loss {float(loss):.6f}")
            riseml.report_result(loss=float(loss), processes=hvd.size())
            riseml.report_progress(epoch, EPOCHS)


if __name__ == "__main__":
    main()
