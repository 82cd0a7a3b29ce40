"""Base of the readers: the series of one file, and where to read on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from riseml.metric import Metric
from riseml.metrics.series import Series

IsRelevant = Callable[[str], bool]
"""Whether a series of this name is kept."""

READ_BYTES = 1 << 22
_MAX_SERIES = 2000


@dataclass
class FileReader:
    """Reader of one file; `series` has a key for each name that `is_relevant`.

    `new_series` makes an empty series. `time` is when the values that are read now were
    written, in seconds since 1970, where somebody needs it and knows it.
    """

    is_relevant: IsRelevant
    series: dict[str, Series] = field(default_factory=dict)
    new_series: Callable[[], Series] = field(default=Series, kw_only=True)
    time: float | None = field(default=None, kw_only=True)
    read_bytes = READ_BYTES

    def consume(self, data: bytes, *, is_end: bool = False) -> int:
        """Read what follows in the file; return how many bytes are done with.

        An incomplete end is left for the next call, unless it is the end of the file.
        """
        raise NotImplementedError

    def start(self, offset: int, size: int) -> int:
        """Return where to read on in a file of so many bytes that was read up to `offset`."""
        del size
        return offset

    def begin(self, start: int, read: Callable[[int, int], bytes]) -> int:
        """Prepare to read on at `start`; return where to read on indeed.

        `read` returns bytes of the file, given where they start and how many to read.
        """
        del read
        return start

    def exact(self, value: float) -> float:
        """Return a value of a series as the program wrote it."""
        return value

    def choose(self, metric: Metric) -> Series | None:
        """Return the series of a metric if this reader can tell by itself, None otherwise."""
        del metric
        return None

    def to_data(self) -> dict[str, Any]:
        """Return what has been read as JSON data."""
        series = {name: values.to_data() for name, values in self.series.items()}
        return {"series": series}

    def restore(self, data: Any) -> None:
        """Continue from what `to_data` wrote.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: the data is something else.
        """
        for name, values in data["series"].items():
            self.series[name] = Series.from_data(values)

    def add(self, name: str, value: float, step: float | None) -> None:
        """Add a value to the series of a name, if it is relevant."""
        series = self.series.get(name)
        if series is None:
            if len(self.series) >= _MAX_SERIES or not self.is_relevant(name):
                return
            series = self.series[name] = self.new_series()
        series.add(value, step)
