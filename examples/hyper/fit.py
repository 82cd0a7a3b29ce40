"""Fit a polynomial to a sine by gradient descent, in plain Python."""

import argparse
import math

import riseml

EPOCHS = 200


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--degree", type=int, required=True)
    arguments.add_argument("--lr", type=float, required=True)
    options = arguments.parse_args()

    points = [i / 50 - 1 for i in range(101)]
    weights = [0.0] * (options.degree + 1)
    for epoch in range(1, EPOCHS + 1):
        loss = descend(weights, points, options.lr)
        if epoch % 20 == 0:
            print("epoch {}: loss {:.5f}".format(epoch, loss))
            riseml.report_result(loss=loss, epoch=epoch)
            riseml.report_progress(epoch, EPOCHS)


def descend(weights, points, lr):
    """Update the weights for every point once; return the mean squared error."""
    total = 0.0
    for x in points:
        powers = [x**n for n in range(len(weights))]
        error = sum(w * p for w, p in zip(weights, powers)) - math.sin(3 * x)
        total += error**2
        for n, power in enumerate(powers):
            weights[n] -= lr * error * power
    return total / len(points)


if __name__ == "__main__":
    main()
