"""Which files a copy, a listing or a removal is about."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from riseml.errors import InvalidInputError, NotFoundError
from riseml.storage.transfer import Item
from riseml.storage.uris import Location
from riseml.storage.volume import HIDDEN, PART, Entry, Volume, below

_PART_END = PART.partition("{name}")[2]

Open = Callable[[str], Volume]
"""Opens the volume of a name, empty for this machine."""


class Batch(NamedTuple):
    """Files that come from one volume."""

    volume: str
    items: list[Item]


def find_entry(volume: Volume, place: Location) -> Entry:
    """Return what a user has named.

    Raises:
        NotFoundError: there is nothing.
    """
    found = volume.resolve(place.path)
    if found is None:
        above = place.path.rpartition("/")[0]
        advice = (
            f"`riseml ls {Location(place.volume, above)}` shows what there is."
            if place.volume
            else ""
        )
        raise NotFoundError(f"path {place} does not exist", advice)
    return found


def listing(volume: Volume, place: Location, *, hidden: bool = False) -> list[Entry]:
    """Return what is in a folder, folders first, or the file itself."""
    named = find_entry(volume, place)
    found = volume.inside(place.path) if named.is_folder else [named]
    shown = [
        entry for entry in found if hidden or not _is_ours(PurePosixPath(entry.name))
    ]
    return sorted(shown, key=lambda entry: (not entry.is_folder, entry.name))


def plan(
    open_volume: Open, sources: Sequence[Location], target: Location
) -> list[Batch]:
    """Return what to copy where: of a folder all that is in it, to below the target.

    One file that comes of it all goes under the target's own name, unless that is a folder or ends with a slash.

    Raises:
        NotFoundError: a source is not there.
        InvalidInputError: two files would go to one place, or something else cannot be meant.
    """
    found = [(place, _files(open_volume(place.volume), place)) for place in sources]
    there = open_volume(target.volume).resolve(target.path or ".")
    single = sum(len(files) for _, files in found) == 1
    folder = not single or target.is_folder or (there is not None and there.is_folder)
    if folder and there is not None and not there.is_folder:
        raise InvalidInputError(
            f"{target} is a file", "Several files need a folder to go to."
        )
    if target.volume and (not target.path or (not folder and "/" not in target.path)):
        raise InvalidInputError(
            f"{target} names no folder",
            f"Copy to a folder of the volume: {target.volume}://FOLDER/…",
        )

    def goes(name: str) -> str:
        return below(target.path, name) if folder else target.path

    def item(place: Location, entry: Entry, name: str) -> Item:
        both = f"{Location(place.volume, entry.path)} to {Location(target.volume, goes(name))}"
        return Item(entry, goes(name), both)

    batches = [
        Batch(place.volume, [item(place, *each) for each in files])
        for place, files in found
    ]
    _check(batches, target)
    return batches


def _files(volume: Volume, place: Location) -> list[tuple[Entry, str]]:
    """Return files, and what each is called below the target."""
    named = find_entry(volume, place)
    if not named.is_folder:
        return [(named, named.name)]
    stem = place.path.rstrip("/")
    files = [
        (entry, entry.path[len(stem) :].lstrip("/") if stem else entry.path)
        for entry in volume.walk(place.path)
    ]
    return [(entry, name) for entry, name in files if not _is_ours(PurePosixPath(name))]


def _is_ours(path: PurePosixPath) -> bool:
    """Whether a file is RiseML's own: logs and results below `.riseml`, and what is not whole yet."""
    return HIDDEN in path.parts or path.name.endswith(_PART_END)


def _check(batches: Sequence[Batch], target: Location) -> None:
    taken: dict[str, Location] = {}
    for source, item in _each(batches):
        if item.target in taken:
            both = f"{taken[item.target]} and {source}"
            raise InvalidInputError(
                f"{both} would both become {Location(target.volume, item.target)}",
                "Copy them apart.",
            )
        if source == Location(target.volume, item.target):
            raise InvalidInputError(
                f"{source} would be copied onto itself", "Give it another place."
            )
        taken[item.target] = source


def _each(batches: Sequence[Batch]) -> Iterator[tuple[Location, Item]]:
    for batch in batches:
        for item in batch.items:
            yield Location(batch.volume, item.source.path), item
