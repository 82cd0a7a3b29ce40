"""The part of the local engine that releases held jobs, and says what runs have used."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from riseml.ids import Id
from riseml.status import SetStatus

if TYPE_CHECKING:
    from riseml.consumption import DiskUse
    from riseml.engines.local.reader import HomeReader


class RecordMethods:
    """What few commands need: `release` and `usage`."""

    home: Path
    reader: "HomeReader"

    def release(self, run: SetStatus, jobs: Sequence[str]) -> None:
        """Release jobs of a run that are held after a failure."""
        # Only `release` needs it.
        from riseml.engines.local import reports  # noqa: PLC0415

        reports.release(run, self.reader.folder(Id(number=run.number)), jobs)

    def records(self, project: str | None = None) -> Iterator[SetStatus]:
        """Yield all runs with all jobs, newest first."""
        # Only `usage` needs it.
        from riseml.engines.local import records  # noqa: PLC0415

        return records.read(self.reader.store(), project)

    def disk_use(
        self,
        removed: Sequence[SetStatus],
        kept: Sequence[SetStatus],
        unused_since: float,
    ) -> "DiskUse":
        """Measure the home, and what removing runs and what is unused would free."""
        del kept
        # Only `usage` needs it.
        from riseml.engines.local import disk_use  # noqa: PLC0415

        return disk_use.measured(self.home, self.reader.store(), removed, unused_since)
