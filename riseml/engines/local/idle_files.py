"""Files of running jobs that do not use their GPUs, and of jobs that are held."""

from pathlib import Path

_PATTERNS = (
    ".riseml/idle.*.*",
    "*/.riseml/idle.*.*",
    ".riseml/held.*",
    "*/.riseml/held.*",
)


def exist(folder: Path) -> bool:
    """Return whether there may be such jobs in a run with this output folder."""
    for pattern in _PATTERNS:
        for _ in folder.glob(pattern):
            return True
    return False
