"""Plan of a copy: which files go where. It also finds what a listing or a removal names."""

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from riseml.errors import InvalidInputError, NotFoundError
from riseml.storage.transfer import Item
from riseml.storage.uris import CODE, Location
from riseml.storage.volume import HIDDEN, PARTIAL, Entry, ReadableVolume, join

_PARTIAL_SUFFIX = PARTIAL.partition("{name}")[2]

Open = Callable[[str], ReadableVolume]
"""Returns the volume of a name, this machine's files for the empty name."""


class Batch(NamedTuple):
    """Files that come from one volume."""

    volume: str
    items: list[Item]


class _Source(NamedTuple):
    """A location that the user names, and its files with their paths below the target."""

    location: Location
    files: list[tuple[Entry, str]]

    @property
    def is_code_folder(self) -> bool:
        """Whether the location is a folder of the code of a run."""
        paths = [entry.path for entry, _ in self.files]
        return self.location.volume == CODE and paths != [self.location.path]


def find_entry(volume: ReadableVolume, location: Location) -> Entry:
    """Return the file or folder that a user names.

    Raises:
        NotFoundError: there is none.
    """
    entry = volume.resolve(location.path)
    if entry is not None:
        return entry
    advice = ""
    if location.volume:
        parent = Location(location.volume, location.path.rpartition("/")[0])
        advice = f"`riseml ls {parent}` shows what exists."
    raise NotFoundError(f"path {location} does not exist", advice)


def listing(
    volume: ReadableVolume, location: Location, *, hidden: bool = False
) -> list[Entry]:
    """Return the contents of a folder, folders first, or the file itself."""
    entry = find_entry(volume, location)
    entries = volume.inside(location.path) if entry.is_folder else [entry]
    if not hidden:
        entries = [entry for entry in entries if not _is_internal(entry.name)]
    return sorted(entries, key=lambda entry: (not entry.is_folder, entry.name))


def plan(
    open_volume: Open, sources: Sequence[Location], target: Location
) -> list[Batch]:
    """Return the files to copy; folders are copied recursively, to below the target.

    A single file is copied to the target itself, unless that is a folder or ends with a
    slash. The top of a volume has only folders, so a target there is made as one.

    Raises:
        NotFoundError: a source does not exist.
        InvalidInputError: two files would get the same path, or the target is impossible.
    """
    read_sources = []
    count = 0
    for location in sources:
        files = _files(open_volume(location.volume), location)
        read_sources.append(_Source(location, files))
        count += len(files)
    # An empty path is the volume itself, or the current folder of this machine.
    existing = open_volume(target.volume).resolve(target.path or ".")
    # A folder of code stays one even if it has a single file.
    has_folder = any(source.is_code_folder for source in read_sources)
    into_folder = _goes_into_folder(target, existing, 0 if has_folder else count)
    _check_target(target, into_folder=into_folder)
    batches = []
    for source in read_sources:
        items = _items(source, target, into_folder=into_folder)
        batches.append(Batch(source.location.volume, items))
    _check_items(batches, target)
    return batches


def _goes_into_folder(target: Location, existing: Entry | None, count: int) -> bool:
    """Return whether `count` files go below the target, instead of to its own path."""
    needs_folder = target.is_folder or count != 1
    if existing is None:
        is_at_top = bool(target.volume) and "/" not in target.path
        return needs_folder or is_at_top
    if needs_folder and not existing.is_folder:
        raise InvalidInputError(f"{target} is a file", "Several files need a folder.")
    return existing.is_folder


def _check_target(target: Location, *, into_folder: bool) -> None:
    """Refuse files at the top of a volume, which is for folders of users and data sets."""
    folder = target.path if into_folder else target.path.rpartition("/")[0]
    if target.volume and not folder:
        raise InvalidInputError(
            f"{target} does not name a folder",
            f"Copy to a folder of the volume: {target.volume}://FOLDER/…",
        )


def _items(source: _Source, target: Location, *, into_folder: bool) -> list[Item]:
    items = []
    for entry, name in source.files:
        path = join(target.path, name) if into_folder else target.path
        origin = Location(source.location.volume, entry.path)
        destination = Location(target.volume, path)
        items.append(Item(entry, path, f"{origin} to {destination}"))
    return items


def _files(volume: ReadableVolume, location: Location) -> list[tuple[Entry, str]]:
    """Return files, each with its path below the target."""
    entry = find_entry(volume, location)
    if not entry.is_folder:
        return [(entry, entry.name)]
    folder = location.path.rstrip("/")
    files = []
    # The user may name an internal folder itself, so only the names below it count.
    for file in volume.walk(location.path):
        name = file.path[len(folder) :].lstrip("/") if folder else file.path
        if not _is_internal(name):
            files.append((file, name))
    return files


def _is_internal(path: str) -> bool:
    """Return whether a file is RiseML's own: below `.riseml`, or still being written."""
    # `ls --hidden` and Client.ls still show them, and `cp` copies one that is named itself.
    names = PurePosixPath(path)
    return HIDDEN in names.parts or names.name.endswith(_PARTIAL_SUFFIX)


def _check_items(batches: Sequence[Batch], target: Location) -> None:
    """Refuse a copy in which a file would overwrite another one, or itself."""
    sources: dict[str, Location] = {}
    for batch in batches:
        for item in batch.items:
            source = Location(batch.volume, item.source.path)
            destination = Location(target.volume, item.target)
            # Two folders may hold files of the same name.
            if item.target in sources:
                raise InvalidInputError(
                    f"{sources[item.target]} and {source} would both become {destination}",
                    "Copy them one at a time, to different paths.",
                )
            if source == destination:
                raise InvalidInputError(
                    f"{source} would be copied onto itself", "Choose another target."
                )
            sources[item.target] = source
