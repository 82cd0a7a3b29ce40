"""Kills as a run's annotation records them: `<target>=<time>`, joined by commas."""

from riseml.engines.local.serialize import timestamp

ALL = "*"
"""The target of a kill of the run; that of an experiment is its number."""


def target_of(sub: int | None) -> str:
    """Return the target of a kill of an experiment, or with None of the run."""
    return ALL if sub is None else str(sub)


def targets(killed: str) -> list[str]:
    """Return the targets of the recorded kills."""
    entries = filter(None, killed.split(","))
    return [entry.partition("=")[0] for entry in entries]


def add(killed: str, target: str, now: float) -> str:
    """Return the record with one more kill, at a time in seconds since 1970."""
    entry = f"{target}={timestamp(now)}"
    return f"{killed},{entry}" if killed else entry
