"""Fit a small classifier with Keras, its callbacks, and its progress bar."""

import argparse
import json

import keras
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=4)
args = parser.parse_args()

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
x = rng.normal(size=(512, 12)).astype("float32")
y = (x[:, :3].sum(axis=1) > 0).astype("int32")

model = keras.Sequential(
    [
        keras.Input((12,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(2, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()
history = model.fit(
    x,
    y,
    validation_split=0.25,
    epochs=args.epochs,
    batch_size=32,
    callbacks=[
        keras.callbacks.ModelCheckpoint("checkpoints/best.weights.h5", save_best_only=True, save_weights_only=True),
        keras.callbacks.TensorBoard("logs"),
        keras.callbacks.CSVLogger("training.log"),
    ],
)
model.save("model.keras")
with open("history.json", "w") as f:
    json.dump(history.history, f)
