"""Reader of JSON files: trainer_state.json, metrics.json, wandb-summary.json, and others like them.

{"loss": 0.3}                            a value
{"val": {"loss": 0.3}}                   val/loss
{"loss": [0.5, 0.3]}                     values of steps 1 and 2
[{"step": 1, "loss": 0.5}, …]            the same, also one mapping a line, or below "log_history"
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from riseml.metrics.reader import FileReader

MAX_BYTES = 1 << 24
"""A JSON file is read at once; a larger one is data."""

STEPS = ("step", "global_step", "_step", "iteration", "epoch")
"""Names of values that say how far a training is."""

_MAX_DEPTH = 4


class DocumentReader(FileReader):
    """Reader of one JSON file, which is always read completely."""

    read_bytes = MAX_BYTES

    def start(self, offset: int, size: int) -> int:
        """Return the start of the file."""
        del offset, size
        return 0

    def consume(self, data: bytes, *, is_end: bool = False) -> int:
        """Read a file; nothing of one that is not complete."""
        del is_end
        values = _parsed(data)
        if not values:
            return 0
        self.series = {}
        for value in values:
            self._read(value)
        return len(data)

    def _read(self, value: Any) -> None:
        history = value
        with suppress(AttributeError):
            history = value.get("log_history", value)
        if not isinstance(history, list):
            history = [history]
        for entry in history:
            if isinstance(entry, Mapping):
                self._read_mapping(entry, "", _step(entry), _MAX_DEPTH)

    def _read_mapping(
        self, values: Mapping[str, Any], prefix: str, step: float | None, depth: int
    ) -> None:
        for key, value in values.items():
            name = f"{prefix}{key}"
            if isinstance(value, Mapping) and depth:
                self._read_mapping(value, f"{name}/", step, depth - 1)
            elif isinstance(value, list):
                self._read_list(name, value)
            elif _is_number(value):
                self._add(name, value, step)

    def _read_list(self, name: str, values: list[Any]) -> None:
        if all(map(_is_number, values)):
            for step, value in enumerate(values, 1):
                self._add(name, value, step)

    def _add(self, name: str, value: float, step: float | None) -> None:
        # JSON has whole numbers that no float can represent.
        with suppress(OverflowError):
            self.add(name, float(value), step)


def _parsed(data: bytes) -> list[Any]:
    """Return the value of a file, or those of its lines; nothing if it is not JSON."""
    with suppress(ValueError, RecursionError):
        return [json.loads(data)]
    entries: list[Any] = []
    # The last line may be incomplete; no other line is.
    with suppress(ValueError, RecursionError):
        for line in data.splitlines():
            entries.append(json.loads(line))
    return entries


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _step(values: Mapping[str, Any]) -> float | None:
    steps = map(values.get, STEPS)
    return next(filter(_is_number, steps), None)
