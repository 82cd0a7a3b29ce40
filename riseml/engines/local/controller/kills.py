"""Kills as a run's annotation records them: `<target>=<time>`, joined by commas.

While the database cannot be written, they are notes: empty files, whose names fit on a
full disk.
"""

from pathlib import Path

from riseml.engines.local.serialize import timestamp

ALL = "*"
"""The target of a kill of the run; that of an experiment is its number."""

_NOTE = "killed."


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


def note(folder: Path, killed: str) -> None:
    """Note recorded kills in the folder of a run's processes.

    Raises:
        OSError: no file fits there.
    """
    for entry in filter(None, killed.split(",")):
        (folder / f"{_NOTE}{entry}").touch(mode=0o600)


def with_notes(folder: Path, killed: str) -> str:
    """Return the record with the kills that are only noted."""
    entries = killed.split(",") if killed else []
    for file in sorted(folder.glob(f"{_NOTE}*")):
        entry = file.name.removeprefix(_NOTE)
        if entry not in entries:
            entries.append(entry)
    return ",".join(entries)
