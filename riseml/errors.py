"""What can go wrong, as one tree.

    RiseMLError                 1   what failed, and in `advice` what to do
    ├── InvalidInputError       2   the user's words: an option, an id, a value
    │   └── ConfigError         2   riseml.yml, with every fault and its place
    ├── UnreachableError        3   the cluster, or the local controller, does not answer
    │   └── NotAllowedError     3   it answers: not you
    ├── NotFoundError           4   no such experiment, job, project, file
    ├── TimedOutError         124   what was waited for did not come in time
    ├── HomeError               1   the RiseML home cannot be used
    │   └── DamagedError        1   one record in it cannot be read
    ├── ProjectError            1   the project's folder cannot be read
    └── UnsupportedError        1   the engine cannot run this document

The number is the exit status of the command line (`design.md` section 9).
Every error that a user can cause is one of these; anything else is a bug.
"""

from dataclasses import dataclass
from typing import ClassVar


class RiseMLError(Exception):
    """A failure with its remedy: `str(error)` says what is wrong and where, `advice` what to do."""

    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


class InvalidInputError(RiseMLError):
    """Something the user wrote cannot be meant."""

    exit_status = 2


# Characters of a source line that are shown
_EXCERPT = 120


def _width(character: str) -> int:
    if character.isascii():
        return 1
    # Rarely needed, and in every start otherwise
    from unicodedata import combining, east_asian_width  # noqa: PLC0415

    return (
        0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1
    )


@dataclass(frozen=True)
class Fault:
    """One thing wrong, or doubtful, in a riseml.yml.

    `line` and `column` count from 1 and are 0 where a fault has no place (a missing file). `source` is the line's text.
    """

    file: str
    line: int
    column: int
    message: str
    severity: str = "error"
    source: str = ""
    advice: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        text = f"{place}: {self.severity}: {self.message}"
        if self.source.strip():
            text += "".join(f"\n    {line}" for line in self._excerpt())
        return f"{text}\n    {self.advice}" if self.advice else text

    def _excerpt(self) -> tuple[str, str]:
        """Return what a terminal shows of the line, and the line below it with the caret."""
        first = (
            max(0, self.column - 1 - _EXCERPT // 2)
            if len(self.source) > _EXCERPT
            else 0
        )
        source = self.source[first : first + _EXCERPT]
        before = source[: self.column - 1 - first]
        return source, "".join(
            "\t" if c == "\t" else " " * _width(c) for c in before
        ) + "^"


class ConfigError(InvalidInputError):
    """A riseml.yml with faults: all of them, found in one pass."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class UnreachableError(RiseMLError):
    """The other side does not answer."""

    exit_status = 3


class NotAllowedError(UnreachableError):
    """The other side answers that this user may not."""


class NotFoundError(RiseMLError):
    """Nothing has this id or name."""

    exit_status = 4


class TimedOutError(RiseMLError):
    """What was waited for did not come in the time given."""

    exit_status = 124


class HomeError(RiseMLError):
    """The RiseML home (`RISEML_HOME`) cannot be read or written, or belongs to another version."""


class ProjectError(RiseMLError):
    """A file or folder of the project cannot be read, so that no snapshot would be what lies there."""


class DamagedError(HomeError):
    """One record in the home cannot be read; the others are not affected."""


class UnsupportedError(RiseMLError):
    """The engine would not run this document faithfully, so it refuses it before starting anything."""
