"""Methods of `riseml.Client` about files in volumes: ls, cp, rm."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from riseml.client import config_file, project_folder
from riseml.client.context import ClientContext
from riseml.client.project_folder import CONFIG_FILE
from riseml.engines.capabilities import HasVolumes
from riseml.errors import InvalidInputError, UnsupportedError
from riseml.excerpts import LONGEST, excerpt

if TYPE_CHECKING:
    from riseml.storage.copy_plan import Batch
    from riseml.storage.transfer import CopyReport
    from riseml.storage.uris import Location
    from riseml.storage.volume import Entry, ReadableVolume, Volume


def ls(context: ClientContext, uri: str, *, hidden: bool) -> "list[Entry]":
    """Return the contents of a folder; see `Client.ls`."""
    from riseml.storage import copy_plan

    location = _in_volume(context, uri)
    volume = _open_readable(context, location.volume)
    return copy_plan.listing(volume, location, hidden=hidden)


def cp(
    context: ClientContext,
    sources: Sequence[str],
    target: str,
    report: "CopyReport | None",
) -> "CopyReport":
    """Copy files and folders; see `Client.cp`."""
    from riseml.storage import copy_plan, transfer

    if report is None:
        report = transfer.CopyReport()
    destination = _location(context, target)
    _check_writable(destination)
    open_volume = cache(partial(_open_readable, context))
    locations = [_location(context, source) for source in sources]
    batches = copy_plan.plan(open_volume, locations, destination)
    # A progress bar needs the total before the first byte.
    report.begin(sum(item.source.size for batch in batches for item in batch.items))
    with _recorded(context, batches, destination):
        for batch in batches:
            transfer.copy(
                open_volume(batch.volume),
                _open_volume(context, destination.volume),
                batch.items,
                report,
            )
    _complete_code(open_volume, locations, destination)
    return report


def _complete_code(
    open_volume: "Callable[[str], ReadableVolume]",
    sources: "Sequence[Location]",
    destination: "Location",
) -> None:
    """Make the links and empty folders of copied code; volumes of data have none."""
    folders = list(filter(_is_code, sources))
    if not folders or destination.volume or not Path(destination.path).is_dir():
        return
    from riseml.client import code
    from riseml.storage.code import CodeVolume

    volume = open_volume("code")
    if isinstance(volume, CodeVolume):
        code.complete_copy(volume, folders, Path(destination.path))


def _is_code(location: "Location") -> bool:
    return location.volume == "code"


def _check_writable(location: "Location") -> None:
    """Refuse to change the code of runs."""
    if _is_code(location):
        from riseml.storage.code import read_only

        raise read_only()


@contextmanager
def _recorded(
    context: ClientContext, batches: "Sequence[Batch]", destination: "Location"
) -> Iterator[None]:
    """Record which files come from a volume, so that snapshots leave them out."""
    from riseml.project.copied import CopyRecord

    targets = []
    for batch in batches:
        # Who copies files of this machine means them to be there, as with code.
        if batch.volume not in {"", "code"} and not destination.volume:
            targets += [item.target for item in batch.items]
    if not targets:
        yield
        return
    record = CopyRecord(context.settings.home, targets)
    try:
        yield
    finally:
        record.end()


def removable(
    context: ClientContext, uris: Sequence[str]
) -> "Iterator[tuple[Location, Entry, int, int]]":
    """Yield what `rm` would delete; see `Client.removable`."""
    for uri in uris:
        location, entry = _to_remove(context, uri)
        files = [entry]
        if entry.is_folder:
            files = _open_volume(context, location.volume).walk(location.path)
        yield location, entry, len(files), sum(file.size for file in files)


def rm(context: ClientContext, uris: Sequence[str]) -> None:
    """Delete files and folders; see `Client.rm`."""
    # All of them are looked up first, so that a wrong URI deletes nothing.
    locations = [_to_remove(context, uri)[0] for uri in uris]
    for location in locations:
        _open_volume(context, location.volume).remove(location.path)


def _to_remove(context: ClientContext, uri: str) -> "tuple[Location, Entry]":
    from riseml.storage import copy_plan

    location = _in_volume(context, uri)
    _check_writable(location)
    if not location.path:
        raise InvalidInputError(
            f"{location} is an entire volume", "You need to add a path."
        )
    volume = _open_volume(context, location.volume)
    return location, copy_plan.find_entry(volume, location)


def _location(context: ClientContext, text: str) -> "Location":
    from riseml.storage.uris import parse

    return parse(text, lambda: f"{context.engine.user}/{_project()}")


def _in_volume(context: ClientContext, uri: str) -> "Location":
    location = _location(context, uri)
    if not location.volume:
        raise InvalidInputError(
            f"{excerpt(str(uri), LONGEST)} is on this machine",
            "Volumes are data:// and output://; code://ID is the code of a run.",
        )
    return location


def _open_readable(context: ClientContext, name: str) -> "ReadableVolume":
    """Return a volume that may be the code of runs."""
    if name != "code":
        return _open_volume(context, name)
    from riseml.client import code

    return code.open_volume(context)


def _open_volume(context: ClientContext, name: str) -> "Volume":
    """Return the volume of a name, this machine's files for an empty one."""
    # A path without a scheme is on this machine.
    if not name:
        from riseml.storage.folder import Folder

        return Folder()
    engine = context.engine
    if not isinstance(engine, HasVolumes):
        raise UnsupportedError(
            f"the engine {engine.name} has no volumes that can be seen from here"
        )
    return engine.volume(name)


def _project() -> str:
    path = project_folder.config_file()
    if not Path(path).exists():
        raise InvalidInputError(
            f"output://~ is the folder of a project, and there is no {CONFIG_FILE} here or above",
            "Go to the project's folder, or write output://USER/PROJECT.",
        )
    return config_file.load(path).project
