"""Canonical ids: `[.user.]number[.sub][.type[.index]]`, the leading dot optional (`original.md` 3.2).

.paul   paul             a user
14   paul.14   14.3      an experiment, a set, an experiment of a set
14.train   14.3.worker.2 a job; `index` counts from 1 and is left out where a type has one job
"""

import re
from dataclasses import dataclass

from riseml.errors import InvalidInputError

_USER = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_PATTERN = re.compile(
    rf"(?:\.?(?P<user>{_USER})\.)??(?P<number>\d+)(?:\.(?P<sub>\d+))?"
    r"(?:\.(?P<type>[A-Za-z][A-Za-z-]*)(?:\.(?P<index>\d+))?)?"
)
_NAME = re.compile(rf"\.?(?P<user>(?=.*[A-Za-z_-]){_USER}|(?<=\.){_USER})")


@dataclass(frozen=True, order=True)
class Id:
    """The parts of a canonical id; `None` where a part is not said."""

    user: str | None = None
    number: int | None = None
    sub: int | None = None
    type: str | None = None
    index: int | None = None

    @property
    def kind(self) -> str:
        """`user`, `experiment` (also a set) or `job`."""
        if self.number is None:
            return "user"
        return "experiment" if self.type is None else "job"

    @property
    def experiment(self) -> "Id":
        """The experiment that this id belongs to."""
        return Id(self.user, self.number, self.sub)

    def __str__(self) -> str:
        parts = [
            str(part)
            for part in (self.number, self.sub, self.type, self.index)
            if part is not None
        ]
        return ".".join(([f".{self.user}"] if self.user else []) + parts)


def parse(text: str) -> Id:
    """Read a canonical id.

    Raises:
        InvalidInputError: the text is none, with what one looks like.
    """
    if match := _PATTERN.fullmatch(text):
        user, kind = match["user"], match["type"]
        number, sub, index = (
            int(match[name]) if match[name] else None
            for name in ("number", "sub", "index")
        )
        if 0 not in (number, sub, index):
            return Id(user, number, sub, kind, index)
    elif match := _NAME.fullmatch(text):
        return Id(match["user"])
    raise InvalidInputError(
        f"'{text}' is not an id",
        "Ids look like 14 (an experiment or set), 14.3 (the third of a set), 14.3.train or 14.worker.2 (a job).",
    )
