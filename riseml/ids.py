"""Canonical ids: `[.user.]number[.sub][.type[.index]]`; the leading dot is optional.

.paul   paul             a user
14   paul.14   14.3      an experiment, a set, an experiment of a set
14.train   14.3.worker.2 a job; `index` counts from 1 and is left out where a type has one job
"""

import re

from riseml.dataclass import dataclass
from riseml.errors import InvalidInputError
from riseml.excerpts import excerpt

_USER = r"[A-Za-z0-9][A-Za-z0-9_-]*"
# A database has no numbers of more digits.
_NUMBER = r"\d{1,18}"
# Not compiled before an id is read: that takes 0.5 ms.
_PATTERN = (
    rf"(?:\.?(?P<user>{_USER})\.)??(?P<number>{_NUMBER})(?:\.(?P<sub>{_NUMBER}))?"
    rf"(?:\.(?P<type>[A-Za-z][A-Za-z-]*)(?:\.(?P<index>{_NUMBER}))?)?"
)
# Without the dot, a user of digits only would be a number.
_USER_ID = rf"\.?(?P<user>(?=.*[A-Za-z_-]){_USER}|(?<=\.){_USER})"


@dataclass(frozen=True, order=True)
class Id:
    """A canonical id; None for a component that it does not have."""

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
        components = [f".{self.user}"] if self.user else []
        for component in (self.number, self.sub, self.type, self.index):
            if component is not None:
                components.append(str(component))
        return ".".join(components)


def is_word(text: str) -> bool:
    """Return whether a text may be the name of a run: a user's id without its dot."""
    return not text.startswith(".") and re.fullmatch(_USER_ID, text) is not None


def parse(text: str) -> Id:
    """Return the id that a text stands for.

    Raises:
        InvalidInputError: the text is not an id; the advice shows what ids look like.
    """
    match = re.fullmatch(_PATTERN, text)
    if match:
        number = _number(match["number"])
        sub = _number(match["sub"])
        index = _number(match["index"])
        # Numbers count from 1.
        if 0 not in (number, sub, index):
            return Id(match["user"], number, sub, match["type"], index)
    else:
        user = re.fullmatch(_USER_ID, text)
        if user:
            return Id(user["user"])
    raise InvalidInputError(
        f"'{excerpt(text)}' is not an id",
        "Ids look like 14 (an experiment or set), 14.3 (the third of a set), 14.3.train or 14.worker.2 (a job).",
    )


def _number(digits: str | None) -> int | None:
    return int(digits) if digits else None
