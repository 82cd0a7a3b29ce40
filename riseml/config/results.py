r"""`results`: the metrics that RiseML reads from the logs and files of unmodified programs.

results: val_loss                             a name, or a list of names: the last value
results: {val_loss: min, acc: max}            the best value over the run as well
results: {loss: {mode: min, pattern: "train loss ([\\d.]+)"}}
"""

import re
from collections.abc import Mapping
from typing import Any

from yaml.nodes import Node

from riseml.dataclass import replace
from riseml.excerpts import excerpt
from riseml.plan import Metric
from riseml.schema.fields import (
    Choice,
    Mapped,
    OneOrMany,
    Record,
    Schema,
    Shorthand,
    Text,
    Value,
)
from riseml.schema.yaml_document import Document

_EXAMPLE = 'Write for example pattern: "train loss ([\\\\d.]+)".'
METRIC_NAME = Text(
    "a name without spaces at its ends",
    r"[^\s\u0000-\u001f\u007f-\u009f](?:[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*[^\s\u0000-\u001f\u007f-\u009f])?",
    "Write for example val_loss.",
    most=200,
)


class _Pattern(Text):
    """A regular expression of Python whose only group is the value."""

    def read(self, node: Node, name: str, doc: Document) -> str | None:
        """Return the expression."""
        text = super().read(node, name, doc)
        if text is None:
            return None
        try:
            groups = re.compile(text).groups
        except re.error as error:
            doc.error(
                node,
                f"{name} is not a regular expression: {error}: '{excerpt(text)}'",
                _EXAMPLE,
            )
            return None
        if groups == 0:
            doc.error(
                node,
                f"{name} has no group for the value: '{excerpt(text)}'",
                f"Put parentheses around the number. {_EXAMPLE}",
            )
        elif groups > 1:
            doc.error(
                node,
                f"{name} has {groups} groups, and the value can only be in one",
                "Write all others as (?:…), with parentheses only around the number.",
            )
        return text if groups == 1 else None


MODE = Choice("min", "max")


def _with_mode(mode: str) -> Metric:
    return Metric("", mode)


def _metric(mode: str = "", pattern: str = "") -> Metric:
    return Metric("", mode, pattern)


_METRIC = Shorthand(
    MODE,
    _with_mode,
    Record(
        _metric,
        {
            "mode": MODE.says(
                "Whether the smallest or the largest value is best.",
                otherwise="the last value counts",
                example="min",
            ),
            "pattern": _Pattern("text", most=1000).says(
                "Regular expression of Python for log lines; its only group is the value.",
                otherwise="lines such as `loss: 0.3` and event files are read",
                example="train loss ([0-9.]+)",
            ),
        },
        hints={"regex": "Did you mean 'pattern'?", "goal": "Did you mean 'mode'?"},
    ),
)


class Results(Value[tuple[Metric, ...]]):
    """Names with a mode and a pattern, or names alone."""

    expected = "a mapping such as {val_loss: min}, a name, or a list of names"

    def __init__(self) -> None:
        self.by_name = Mapped(METRIC_NAME, _METRIC)
        self.names = OneOrMany(METRIC_NAME, unique=True)
        self.kinds = self.names.kinds

    def read(self, node: Node, name: str, doc: Document) -> tuple[Metric, ...] | None:
        """Return the metrics in their order; the first one decides which experiment is best."""
        if doc.is_mapping(node):
            metrics = self.by_name.read(node, name, doc) or {}
            return tuple(replace(metric, name=key) for key, metric in metrics.items())
        names = self.names.read(node, name, doc)
        return None if names is None else tuple(map(Metric, names))

    def schema(self) -> Schema:
        """Return all forms."""
        return {"anyOf": [self.by_name.schema(), *self.names.schema()["anyOf"]]}

    def mappings(self) -> Mapping[str, Value[Any]]:
        """Return the mapping of names."""
        return self.by_name.mappings()
