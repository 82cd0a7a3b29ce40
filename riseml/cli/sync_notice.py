"""Notices while a command stores the code of a project and starts what runs it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from riseml import phrases
from riseml.cli import output, progress

if TYPE_CHECKING:
    from riseml.project import Snapshot


@contextmanager
def shown() -> "Iterator[Callable[[Snapshot], None]]":
    """Show what happens inside; yield what has to be called with the snapshot."""
    from riseml.cli.sync_bar import SyncBar
    from riseml.project.progress import listening

    notice = progress.Notice()

    def on_sync(snapshot: "Snapshot") -> None:
        notice.end()
        _announce_snapshot(snapshot)
        notice.begin("Starting...")

    notice.begin("Syncing project...")
    try:
        with listening(SyncBar(notice)):
            yield on_sync
    finally:
        # An error must not be written behind the notice.
        notice.end()


def _announce_snapshot(snapshot: "Snapshot") -> None:
    from riseml.cli import exclusions

    contents = (
        f"{phrases.size(snapshot.size)}, {phrases.plural(snapshot.files, 'file')}"
    )
    details = [contents, *exclusions.sentences(snapshot.excluded)]
    output.note(f"Syncing project ({'; '.join(details)})...done")
    output.notes(snapshot.warnings)
