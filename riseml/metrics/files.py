"""Files with metrics: their kinds, and those that belong to the last attempt."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

LOG, EVENTS, TABLE, DOCUMENT = "log", "events", "table", "document"

LOGS = ".riseml/logs/"
"""Folder of the logs of jobs in an experiment's output folder."""

WORKDIR = "workdir/"
"""Folder in the output for files that a job wrote next to its code."""

SKIPPED_FOLDERS = frozenset(
    {".git", ".riseml", "__pycache__", "node_modules", "site-packages"}
)
"""Folders without metrics, some with very many files."""

_TABLES = frozenset({"metrics.csv", "results.csv"})
_DOCUMENTS = (
    "all_results|eval_results|history|metrics|results|train_results|trainer_state"
    "|wandb-summary"
)
# The first pattern that matches a path decides.
_KINDS = (
    (re.compile(r"\.riseml/logs/.+\.\d+\.log"), LOG),
    # The files of earlier attempts are in folders such as workdir.1.
    (re.compile(r"(?:\.riseml|workdir\.\d+)/.*"), None),
    # RiseML's own records of parameters, see hparams.py.
    (re.compile(r"events\.out\.tfevents\.\d+\.riseml(?:\.end)?"), None),
    (re.compile(r"(?:.*/)?[^/]*tfevents[^/]*"), EVENTS),
    (re.compile(rf"(?:.*/)?(?:{_DOCUMENTS})\.jsonl?"), DOCUMENT),
    # Keras's CSVLogger is often given the last of these names.
    (re.compile(r"(?:.*/)?[^/]+\.[ct]sv|(?:.*/)?training\.log"), TABLE),
)
_LOG_NAME = re.compile(r"(?P<job>.+)\.(?P<attempt>\d+)\.log")
# Jobs that speak for the others come first.
_LEADERS = ("master", "chief", "train", "launcher")


@dataclass(frozen=True)
class File:
    """A file as a listing shows it: path in the output folder, bytes, seconds since 1970."""

    path: str
    size: int
    modified: float

    @property
    def kind(self) -> str | None:
        """Which reader the file needs; None if it has no metrics."""
        return kind_of(self.path)

    @property
    def folder(self) -> tuple[str, ...]:
        """The folders of the file; one next to the code counts as one in the output."""
        return tuple(self.path.removeprefix(WORKDIR).split("/")[:-1])


def kind_of(path: str) -> str | None:
    """Return which reader a file needs, given its path in the output folder; None if none."""
    for pattern, kind in _KINDS:
        if pattern.fullmatch(path):
            return kind
    return None


def is_certain_table(path: str) -> bool:
    """Return whether a table has metrics even if it has no column for steps."""
    return path.rpartition("/")[2] in _TABLES


def of_last_attempt(files: Iterable[File]) -> tuple[int, list[File]]:
    """Return the number of the last attempt, its logs, and the files written since it began.

    The logs of jobs that speak for the others come first. An attempt began when the
    one before it had written its last line.
    """
    listed = list(files)
    attempt = max(map(_attempt, listed), default=0)
    ends = map(partial(_end_before, attempt), listed)
    began = max(ends, default=0.0)
    selected = [file for file in listed if _belongs(file, attempt, began)]
    selected.sort(key=_order)
    return attempt, selected


def _end_before(attempt: int, file: File) -> float:
    """Return when a log of an earlier attempt was written, 0 for other files."""
    if not file.path.startswith(LOGS):
        return 0.0
    if _attempt(file) >= attempt:
        return 0.0
    return file.modified


def _belongs(file: File, attempt: int, began: float) -> bool:
    if file.kind == LOG:
        return _attempt(file) == attempt
    # A file that is as old as the end of the attempt before it belongs to that one.
    return file.kind is not None and file.modified > began


def _attempt(file: File) -> int:
    """Return the number of a log's attempt, 0 for other files."""
    if not file.path.startswith(LOGS):
        return 0
    name = file.path.removeprefix(LOGS).removesuffix(".times")
    match = _LOG_NAME.fullmatch(name)
    if match is None:
        return 0
    return int(match["attempt"])


def _order(file: File) -> tuple[bool, bool, int, str]:
    is_log = file.kind == LOG
    job = file.path.removeprefix(LOGS)
    job_type = job.partition(".")[0]
    # worker.2 comes before worker.10.
    return (is_log, job_type not in _LEADERS, len(job), job)
