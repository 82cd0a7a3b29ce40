# mypy: ignore-errors
"""Scalars for TensorBoard, from a job that runs until the file $GO exists."""

import os
import time
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

writer = EventFileWriter(os.environ["OUTPUT_DIR"])
for step in range(3):
    value = Summary.Value(tag="loss", simple_value=float(os.environ["LR"]) / (step + 1))
    writer.add_event(
        Event(wall_time=time.time(), step=step, summary=Summary(value=[value]))
    )
writer.flush()
while not Path(os.environ["GO"]).exists():
    time.sleep(0.1)
writer.close()
