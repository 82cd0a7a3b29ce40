"""The verbs of `riseml.Client` that are about files in volumes, not about runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from riseml.client.context import CONFIG_FILE, Verbs
from riseml.engines import HasVolumes
from riseml.errors import InvalidInputError, UnsupportedError

if TYPE_CHECKING:
    from riseml.storage.transfer import Copied
    from riseml.storage.uris import Location
    from riseml.storage.volume import Entry, Volume


class VolumeVerbs(Verbs):
    """What a client can do with `data://…` and `output://…`; `output://~` is `<user>/<project>`."""

    def ls(self, uri: str, *, hidden: bool = False) -> "list[Entry]":
        """Return what is in a folder, folders first, or the file itself; `hidden`: also what RiseML keeps there.

        Raises:
            InvalidInputError: it is no URI of a volume.
            NotFoundError: there is no such path.
        """
        from riseml.storage import copy_plan

        place = self._remote(uri)
        return copy_plan.listing(self._volume(place.volume), place, hidden=hidden)

    def cp(
        self, sources: Sequence[str], target: str, report: "Copied | None" = None
    ) -> "Copied":
        """Copy files, of folders all that is in them; return what was copied, and what was there already.

        Raises:
            InvalidInputError: that cannot be meant; nothing was copied.
            NotFoundError: a source is not there; nothing was copied.
            RiseMLError: it was cut off; the same copy goes on where this has stopped.
        """
        from riseml.storage.copy_plan import plan
        from riseml.storage.transfer import Copied, copy

        report, place = report or Copied(), self._place(target)
        batches = plan(self._volume, [self._place(source) for source in sources], place)
        report.begin(sum(item.source.size for batch in batches for item in batch.items))
        for batch in batches:
            copy(
                self._volume(batch.volume),
                self._volume(place.volume),
                batch.items,
                report,
            )
        return report

    def removable(self, *uris: str) -> "Iterator[tuple[Location, Entry, int, int]]":
        """Yield what `rm` would delete: the place, what is there, and how many files and bytes that are.

        Raises:
            InvalidInputError: it is all of a volume, or no URI of one.
            NotFoundError: there is no such path.
        """
        for uri in uris:
            place, entry = self._removed(uri)
            volume = self._volume(place.volume)
            files = volume.walk(place.path) if entry.is_folder else [entry]
            yield place, entry, len(files), sum(each.size for each in files)

    def rm(self, *uris: str) -> None:
        """Delete files, and folders with all that is in them; nothing where one is not there.

        Raises:
            InvalidInputError: one is all of a volume, or no URI of one.
            NotFoundError: one is not there.
        """
        for place, _ in [self._removed(uri) for uri in uris]:
            self._volume(place.volume).remove(place.path)

    def _removed(self, uri: str) -> "tuple[Location, Entry]":
        from riseml.storage import copy_plan

        place = self._remote(uri)
        if not place.path:
            raise InvalidInputError(
                f"{place} is all of a volume", "You need to add a path."
            )
        return place, copy_plan.find_entry(self._volume(place.volume), place)

    def _place(self, text: str) -> "Location":
        from riseml.storage.uris import parse

        return parse(text, lambda: f"{self.engine.user}/{self._project()}")

    def _remote(self, uri: str) -> "Location":
        place = self._place(uri)
        if not place.volume:
            raise InvalidInputError(
                f"{uri} is on this machine", "Volumes are data:// and output://."
            )
        return place

    def _volume(self, name: str) -> "Volume":
        if not name:
            from riseml.storage.folder import Folder

            return Folder()
        if not isinstance(self.engine, HasVolumes):
            raise UnsupportedError(
                f"the engine {self.engine.name} has no volumes that can be seen from here"
            )
        return self.engine.volume(name)

    def _project(self) -> str:
        if not Path(CONFIG_FILE).exists():
            raise InvalidInputError(
                f"output://~ is the folder of a project, and no {CONFIG_FILE} is here",
                "Go to the project's folder, or write output://USER/PROJECT.",
            )
        return self._load(CONFIG_FILE).project
