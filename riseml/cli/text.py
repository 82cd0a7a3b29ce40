"""What commands print of `riseml.phrases`: ages, durations, sizes and values as people read them."""

from riseml.phrases import (
    age,
    counts,
    duration,
    exact,
    local_time,
    moment,
    named,
    pairs,
    plural,
    rough,
    size,
    span,
    time_left,
    value,
)

__all__ = [
    "age",
    "counts",
    "duration",
    "exact",
    "local_time",
    "moment",
    "named",
    "pairs",
    "plural",
    "rough",
    "size",
    "span",
    "time_left",
    "value",
]
