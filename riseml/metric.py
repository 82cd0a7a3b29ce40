"""Metric of a program: what riseml.yml says about it."""

from riseml.dataclass import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric that riseml.yml names: it is read from the logs and files of a program.

    `mode` says which value is best, "min" or "max"; empty means that only the last value
    counts. `pattern` is a regular expression for log lines whose only group is the value.
    """

    name: str
    mode: str = ""
    pattern: str = ""
