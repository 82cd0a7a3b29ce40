# mypy: ignore-errors
"""Keras on JAX: processes that find each other without arguments."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras

import riseml

keras.distribution.initialize()
assert jax.process_index() == int(os.environ["JAX_PROCESS_ID"])
if jax.process_index() == 0:
    riseml.report_result(processes=jax.process_count())
