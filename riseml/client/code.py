"""Code of runs: `code://ID` as a volume, and what a copy to this machine adds to its files."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from riseml import ids
from riseml.client.context import ClientContext
from riseml.engines.code import KeepsCode
from riseml.errors import InvalidInputError, RiseMLError, UnsupportedError
from riseml.excerpts import excerpt
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus
from riseml.status.select import pick
from riseml.status.shards import seen_from

if TYPE_CHECKING:
    from riseml.storage.code import CodeVolume
    from riseml.storage.uris import Location

_EXAMPLE = "Write for example code://14 or code://14/train.py."


def open_volume(context: ClientContext) -> "CodeVolume":
    """Return the code of all runs as a volume."""
    from riseml.project import revision_tree
    from riseml.storage.code import CodeVolume, RunCode

    def open_run(name: str) -> RunCode:
        run = _run(context, name)
        tree = revision_tree.read(repository(context, run), run.revision)
        created = run.created.timestamp() if run.created else 0.0
        return RunCode(tree, created)

    return CodeVolume(open_run)


def repository(context: ClientContext, run: SetStatus) -> Path:
    """Return a repository on this machine that has the code of a run.

    Raises:
        InvalidInputError: the run has no code.
        RiseMLError: the code does not exist any more, or cannot be reached.
    """
    if not run.revision:
        raise InvalidInputError(
            f"run {run.id} has no code",
            "Only runs that `riseml train` starts have a snapshot.",
        )
    return keeper(context).repository(run)


def keeper(context: ClientContext) -> KeepsCode:
    """Return the engine, as the one that has the code.

    Raises:
        UnsupportedError: the engine does not provide it.
    """
    engine = context.engine
    if not isinstance(engine, KeepsCode):
        raise UnsupportedError(f"the engine {engine.name} does not return code of runs")
    return engine


def complete_copy(
    volume: "CodeVolume", sources: Sequence["Location"], target: Path
) -> None:
    """Make the links and empty folders of copied code below a folder of this machine.

    A link or folder that exists already stays as it is.
    """
    for source in sources:
        for path in volume.empty_folders(source.path):
            with suppress(OSError):
                (target / path).mkdir(parents=True)
        for path, points_to in volume.links(source.path):
            link = target / path
            try:
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(points_to)
            except FileExistsError:
                continue
            except OSError as error:
                raise RiseMLError(f"{link}: {error.strerror}") from None


def _run(context: ClientContext, name: str) -> SetStatus:
    if not name:
        raise InvalidInputError("code:// does not name a run", _EXAMPLE)
    try:
        run_id = ids.parse(name)
    except InvalidInputError:
        run_id = ids.Id()
    if run_id.kind == "user":
        raise InvalidInputError(
            f"code://{excerpt(name)} does not begin with the id of a run", _EXAMPLE
        )
    run = context.read(run_id)
    # Experiments that were added to a set may have other code than the others.
    picked = pick(run, Id(run_id.user, run_id.number, run_id.sub))
    if isinstance(picked, ExperimentStatus):
        return seen_from(run, picked)
    pick(run, run_id)
    return run
