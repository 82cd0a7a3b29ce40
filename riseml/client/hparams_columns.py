"""Trainers that decide themselves which columns TensorBoard's HPARAMS tab has, for all experiments of a run."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from riseml.metrics import hparams

# A trainer describes its parameters when it starts, or in a file of their own.
_HEAD_BYTES = 1 << 18
# Output may have very many other files.
_MAX_FILES = 20_000


def explain(folder: Path, run: str, on_note: Callable[[str], None]) -> None:
    """Note whose columns the HPARAMS tab of a run has, unless they are RiseML's."""
    for file in _event_files(folder):
        if _describes_columns(file):
            trainer = file.parent.relative_to(folder)
            on_note(
                f"The HPARAMS tab has the columns that the trainer in {trainer} describes, for all experiments; "
                f"`riseml results {run}` has all parameters."
            )
            return


def _event_files(folder: Path) -> Iterator[Path]:
    for file in islice(folder.rglob("*"), _MAX_FILES):
        if "tfevents" in file.name and not hparams.is_own(file.name):
            yield file


def _describes_columns(file: Path) -> bool:
    try:
        with file.open("rb") as events:
            return hparams.COLUMNS_TAG in events.read(_HEAD_BYTES)
    except OSError:
        return False
