"""Print a table with a package that the image does not bring."""

import platform

import riseml
from tabulate import tabulate

rows = [("experiment", riseml.experiment_id()), ("python", platform.python_version())]
print(tabulate(rows, headers=("what", "value")))
riseml.report_result(rows=len(rows))
