# ruff: noqa: T201
# mypy: ignore-errors
"""Horovod: an all-reduce of TensorFlow tensors."""

import horovod.tensorflow as hvd
import tensorflow as tf

import riseml

hvd.init()
rank, size = hvd.rank(), hvd.size()
total = float(hvd.allreduce(tf.constant(rank + 1.0), op=hvd.Sum))
places = hvd.allgather_object(
    (rank, hvd.local_rank(), hvd.local_size(), hvd.cross_rank())
)
print(
    f"process {rank} of {size}: sum {total}, rank, local rank, local size and node of all: {places}"
)
assert total == size * (size + 1) / 2
if rank == 0:
    riseml.report_result(sum=total, processes=size, places=places)
