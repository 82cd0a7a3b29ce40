"""Fuzzer of files that users write: every content gives a result or an error of RiseML's.

corpus ──Mutator──▶ file ──reader──▶ a value, or a RiseMLError
                                 └── another exception, or seconds of work: a defect
"""

import os
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from riseml.errors import RiseMLError
from tests.storm import report
from tests.storm.mutations import Mutator
from tests.storm.report import Journal
from tests.storm.targets import Subject

_HANG_SECONDS = 10
# Defects of the same line of code are one.
_EVIDENCE_CHARACTERS = 300


class _Hang(BaseException):
    """A file that takes too long; no reader may catch this."""


def fuzz(
    subject: Subject, work: Path, count: int, *, seed: int = 0, seconds: float = 0
) -> Journal:
    """Let a reader read so many mutated files, or as many as it can in some seconds.

    Files that cause defects stay in `work`.
    """
    journal = Journal()
    mutator = Mutator(subject.corpus, subject.keys, seed)
    seen: set[str] = set()
    path = work / "file"
    for number in range(count):
        if seconds and journal.seconds > seconds:
            break
        data = mutator.next()
        path.write_bytes(data)
        journal.count("files")
        defect = _defect(subject, path, journal)
        if defect is None:
            continue
        where, evidence = defect
        journal.count("files with defects")
        if where not in seen:
            seen.add(where)
            kept = work / f"defect-{number}"
            kept.write_bytes(data)
            journal.defect(report.TRACEBACK, f"{subject.name} {kept}", evidence)
    return journal


def _defect(subject: Subject, path: Path, journal: Journal) -> tuple[str, str] | None:
    """Return the line of code that failed and what it raised, None if all is well."""
    begun = time.monotonic()
    try:
        with _alarm():
            subject.read(path)
        journal.count("accepted")
    except RiseMLError as error:
        journal.count("refused")
        if not str(error).strip():
            return type(error).__name__, "an error without a message"
    except (Exception, _Hang) as error:  # noqa: BLE001
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{os.path.basename(frame.filename)}:{frame.lineno}"  # noqa: PTH119
        text = f"{type(error).__name__} in {where}: {error}"
        return (
            where,
            f"{text[:_EVIDENCE_CHARACTERS]} ({time.monotonic() - begun:.1f} s)",
        )
    return None


@contextmanager
def _alarm() -> Iterator[None]:
    """Raise `_Hang` if the block takes too long."""
    previous = signal.signal(signal.SIGALRM, _raise_hang)
    signal.alarm(_HANG_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def _raise_hang(_number: int, _frame: FrameType | None) -> None:
    raise _Hang
