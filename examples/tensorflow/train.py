"""Teach a small network which points are inside a circle, and show the training in TensorBoard."""

import argparse
import os
import pathlib

import keras
import numpy as np
import riseml

EPOCHS = 10
OUTPUT = pathlib.Path(os.environ.get("OUTPUT_DIR", "output"))


class Report(keras.callbacks.Callback):
    """Reports accuracy, loss and progress to RiseML after every epoch."""

    def on_epoch_end(self, epoch, logs):
        accuracy, loss = logs["val_accuracy"], logs["val_loss"]
        print(f"epoch {epoch + 1:2}: accuracy {accuracy:.3f}, loss {loss:.3f}")
        riseml.report_result(accuracy=round(accuracy, 4), loss=round(loss, 4))
        riseml.report_progress(epoch + 1, EPOCHS)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--units", type=int, default=16, help="neurons of the hidden layer")
    arguments.add_argument("--lr", type=float, default=0.01, help="learning rate")
    options = arguments.parse_args()

    keras.utils.set_random_seed(0)
    points = np.random.default_rng(0).uniform(-1, 1, (4096, 2)).astype("float32")
    inside = ((points**2).sum(axis=1) < 0.6).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(options.units, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(options.lr), "binary_crossentropy", metrics=["accuracy"])
    callbacks = [keras.callbacks.TensorBoard(OUTPUT), Report()]
    model.fit(points, inside, validation_split=0.25, epochs=EPOCHS, callbacks=callbacks, verbose=0)
    model.save(OUTPUT / "model.keras")


if __name__ == "__main__":
    main()
