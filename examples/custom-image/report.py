"""Print a table with a package that the base image does not contain."""

import platform

import riseml
from tabulate import tabulate

rows = [("experiment", riseml.experiment_id()), ("python", platform.python_version())]
print(tabulate(rows, headers=("name", "value")))
riseml.report_result(rows=len(rows))
