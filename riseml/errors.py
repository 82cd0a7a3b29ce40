"""Errors, as one tree.

    RiseMLError                 1   what failed; `advice` says what to do
    ├── InvalidInputError       2   an option, id or value that is not valid
    │   └── ConfigError         2   a riseml.yml, with the positions of all its faults
    ├── UnreachableError        3   the cluster or the local controller does not answer
    │   └── NotAllowedError     3   it answers that this user is not allowed to
    ├── NotFoundError           4   no such experiment, job, project or file
    ├── TimedOutError         124   something did not happen in the given time
    ├── HomeError               1   the RiseML home cannot be used
    │   ├── DamagedError        1   one record in it cannot be read
    │   ├── DamagedDatabaseError
    │   │                       1   its list of runs cannot be read
    │   └── DiskFullError       1   its disk, or the user's quota there, is full
    ├── ProjectError            1   the project's folder cannot be read
    ├── OtherCodeError          1   experiments of a set would not run what the others do
    ├── ChangedMeanwhileError   1   another command has changed the run
    └── UnsupportedError        1   the engine cannot run this document

The number is the exit status of the command line. Every error that a user can cause is one
of these; any other exception is a bug.
"""

from typing import ClassVar

from riseml.dataclass import dataclass
from riseml.excerpts import LONGEST, excerpt, readable


class RiseMLError(Exception):
    """A failure with its remedy: `str(error)` says what is wrong and where, `advice` what to do."""

    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = readable(advice)

    def __str__(self) -> str:
        # The message may quote anything that a user has written.
        return readable(super().__str__())


class InvalidInputError(RiseMLError):
    """Something that the user wrote is not valid."""

    exit_status = 2


# Longer source lines are cut around the fault.
_EXCERPT_CHARACTERS = 120


def _width(character: str) -> int:
    """Return the columns that a character takes in a terminal."""
    if character.isascii():
        return 1
    # Most riseml.yml are ASCII, and every command loads this module.
    from unicodedata import combining, east_asian_width  # noqa: PLC0415

    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


@dataclass(frozen=True)
class Fault:
    """An error, warning or note about a riseml.yml.

    `line` and `column` count from 1; they are 0 for a fault of the file itself, such as a
    missing file. `source` is the text of the line.
    """

    file: str
    line: int
    column: int
    message: str
    severity: str = "error"
    source: str = ""
    advice: str = ""

    def __str__(self) -> str:
        position = excerpt(self.file, LONGEST)
        if self.line:
            position += f":{self.line}:{self.column}"
        lines = [f"{position}: {self.severity}: {self.message}"]
        if self.source.strip():
            lines += self._excerpt()
        if self.advice:
            lines.append(self.advice)
        return "\n    ".join(lines)

    def _excerpt(self) -> tuple[str, str]:
        """Return the source line, cut around the fault, and a line with a caret below it."""
        first = 0
        if len(self.source) > _EXCERPT_CHARACTERS:
            first = max(0, self.column - 1 - _EXCERPT_CHARACTERS // 2)
        source = self.source[first : first + _EXCERPT_CHARACTERS]
        indent = ""
        for character in source[: self.column - 1 - first]:
            # A terminal decides how wide a tab is, so it is repeated.
            indent += "\t" if character == "\t" else " " * _width(character)
        return source, f"{indent}^"


class ConfigError(InvalidInputError):
    """A riseml.yml with faults; all of them, found in one pass."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class UnreachableError(RiseMLError):
    """The cluster or the local controller does not answer."""

    exit_status = 3


class NotAllowedError(UnreachableError):
    """The cluster answers that this user is not allowed to."""


class NotFoundError(RiseMLError):
    """Nothing has this id or name."""

    exit_status = 4


class TimedOutError(RiseMLError):
    """Something did not happen in the given time."""

    exit_status = 124


class HomeError(RiseMLError):
    """The RiseML home (`RISEML_HOME`) cannot be read or written, or belongs to another version."""


class ProjectError(RiseMLError):
    """A file or folder of the project cannot be read, so a snapshot would be incomplete."""


class DamagedError(HomeError):
    """One record in the home cannot be read; the others are not affected."""


class DamagedDatabaseError(HomeError):
    """The home's list of runs is damaged or lost; their outputs are not affected."""


class DiskFullError(HomeError):
    """The disk of the home has no space left, or the user's quota there is used up."""


class UnsupportedError(RiseMLError):
    """The engine cannot run this document faithfully, and has started nothing."""


class OtherCodeError(RiseMLError):
    """Experiments of a set would run other code or another configuration than the set."""


class ChangedMeanwhileError(RiseMLError):
    """Another command has repeated or added experiments of the same run."""
