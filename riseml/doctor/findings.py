"""Types of a check and of its finding, and functions that make them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from riseml.dataclass import dataclass
from riseml.errors import RiseMLError

OK, WARNING, FAILED, SKIPPED = "ok", "warning", "failed", "skipped"


@dataclass(frozen=True)
class Finding:
    """Result of a check: OK, WARNING, FAILED or SKIPPED, with its detail and a fix."""

    title: str
    result: str
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Outcome:
    """Finding without the title of its check."""

    result: str
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Check:
    """One thing to examine; after a failed gate, the checks that follow are skipped."""

    title: str
    examine: Callable[[], Outcome]
    is_gate: bool = False

    def run(self) -> Finding:
        """Return the finding; an error of the check becomes one."""
        try:
            outcome = self.examine()
        except RiseMLError as error:
            outcome = failed(str(error), error.advice)
        except Exception as error:  # noqa: BLE001
            # A bug in one check must not hide the findings of the others.
            outcome = failed(
                f"the check itself failed: {error!r}",
                "This is a bug; please report it.",
            )
        return Finding(self.title, outcome.result, outcome.detail, outcome.fix)


def ok(detail: str) -> Outcome:
    """Return the outcome of a check that found no problem."""
    return Outcome(OK, detail)


def warning(detail: str, fix: str) -> Outcome:
    """Return the outcome where runs work now, but may fail later."""
    return Outcome(WARNING, detail, fix)


def failed(detail: str, fix: str) -> Outcome:
    """Return the outcome where runs do not work."""
    return Outcome(FAILED, detail, fix)


def skipped(reason: str) -> Outcome:
    """Return the outcome of a check that this user or machine cannot make."""
    return Outcome(SKIPPED, reason)


def checks(
    context: Any,
    *functions: Callable[[Any], Outcome],
    gates: Sequence[Callable[[Any], Outcome]] = (),
) -> list[Check]:
    """Return functions as checks; each is called with `context`.

    The title of a check is the first line of its function's docstring.
    """
    return [
        Check(_title(function), partial(function, context), function in gates)
        for function in functions
    ]


def _title(function: Callable[[Any], Outcome]) -> str:
    # A docstring ends with a period, a title does not.
    return (function.__doc__ or "").partition("\n")[0].rstrip(".")
