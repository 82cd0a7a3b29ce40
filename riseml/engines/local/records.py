"""Records of all runs of a home, with their jobs: those of ended runs as they were written at the end."""

from collections.abc import Iterator

from riseml.engines.local.controller import recorded_status
from riseml.engines.local.queries import Queries
from riseml.errors import DamagedError
from riseml.status import SetStatus


def read(store: Queries, project: str | None) -> Iterator[SetStatus]:
    """Yield the runs of a project, or of all, newest first; those that cannot be read are left out."""
    for row in store.runs(ended=True, project=project):
        number = row["number"]
        try:
            yield recorded_status.read(store, (number, *store.shards(number)))
        except DamagedError:
            # `doctor` says which ones these are.
            continue
