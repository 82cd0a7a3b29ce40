"""Exit codes of `riseml`, from the tree of errors."""

from collections.abc import Iterator

from riseml import errors
from riseml.errors import RiseMLError


def markdown() -> str:
    """Return a table of all errors, with their exit codes."""
    lines = ["| exit code | error in Python | meaning |", "|---|---|---|"]
    for error in sorted(classes(), key=lambda error: error.exit_status):
        meaning = (error.__doc__ or "").partition("\n")[0]
        lines.append(
            f"| {error.exit_status} | {{py:exc}}`~riseml.{error.__name__}` | {meaning} |"
        )
    return "\n".join(lines)


def classes() -> Iterator[type[RiseMLError]]:
    """Yield all errors that users can cause."""
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, RiseMLError):
            yield value
