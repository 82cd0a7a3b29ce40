"""Say hello, write a file, report a result."""

import os
import pathlib

import riseml

print("Hello from experiment", riseml.experiment_id())
pathlib.Path(os.environ["OUTPUT_DIR"], "hello.txt").write_text("Hello!\n")
riseml.report_result(greetings=1)
