"""What a check is, and what it may find."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from riseml.errors import RiseMLError

OK, WARNING, FAILED, SKIPPED = "ok", "warning", "failed", "skipped"


@dataclass(frozen=True)
class Finding:
    """What a check found: `result` is OK, WARNING, FAILED or SKIPPED; `fix` says what to do."""

    title: str
    result: str
    found: str
    fix: str = ""


Outcome = tuple[str, str, str]
"""Result, what was found, and the fix."""


@dataclass(frozen=True)
class Check:
    """One thing to look at; a gate is one without which the checks after it are in vain."""

    title: str
    look: Callable[[], Outcome]
    is_gate: bool = False

    def find(self) -> Finding:
        """Look; whatever goes wrong with that is the finding."""
        try:
            return Finding(self.title, *self.look())
        except RiseMLError as error:
            return Finding(self.title, FAILED, str(error), error.advice)
        except Exception as error:  # noqa: BLE001
            # One check must not end the others
            return Finding(
                self.title,
                FAILED,
                f"the check itself failed: {error!r}",
                "This is a bug; please report it.",
            )


def ok(found: str) -> Outcome:
    """All is well."""
    return OK, found, ""


def warning(found: str, fix: str) -> Outcome:
    """Runs may get into trouble."""
    return WARNING, found, fix


def failed(found: str, fix: str) -> Outcome:
    """Runs do not work."""
    return FAILED, found, fix


def skipped(why: str) -> Outcome:
    """It cannot be looked at from here."""
    return SKIPPED, why, ""


def checks(
    where: Any,
    *functions: Callable[[Any], Outcome],
    gates: Sequence[Callable[[Any], Outcome]] = (),
) -> list[Check]:
    """Return functions of one argument as checks; the first line of each one's docstring is its title."""
    return [
        Check(_title(each), partial(each, where), each in gates) for each in functions
    ]


def _title(function: Callable[[Any], Outcome]) -> str:
    return (function.__doc__ or "").partition("\n")[0].rstrip(".")
