"""Methods of `riseml.Client` that list, copy and delete files of the volumes."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from riseml.client import files
from riseml.client.context import ClientContext

if TYPE_CHECKING:
    from riseml.storage.transfer import CopyReport
    from riseml.storage.uris import Location
    from riseml.storage.volume import Entry


class FileMethods:
    """The part of a client whose methods read and write the volumes."""

    _context: ClientContext

    def ls(self, uri: str, *, hidden: bool = False) -> "list[Entry]":
        """Return the contents of a folder, folders first, or the file itself.

        `hidden` includes the files that RiseML keeps for itself.

        Raises:
            InvalidInputError, NotFoundError: it is not a volume's, or does not exist.
        """
        return files.ls(self._context, uri, hidden=hidden)

    def cp(
        self, sources: Sequence[str], target: str, report: "CopyReport | None" = None
    ) -> "CopyReport":
        """Copy files, and folders recursively; return what was copied or already there.

        Raises:
            InvalidInputError: the copy is ambiguous or impossible; nothing was copied.
            NotFoundError: a source does not exist; nothing was copied.
            RiseMLError: it was interrupted; the same copy continues where it stopped.
        """
        return files.cp(self._context, sources, target, report)

    def removable(self, *uris: str) -> "Iterator[tuple[Location, Entry, int, int]]":
        """Yield what `rm` would delete, with its files and bytes; raise the same errors."""
        return files.removable(self._context, uris)

    def rm(self, *uris: str) -> None:
        """Delete files, and folders recursively.

        Raises:
            InvalidInputError: one is an entire volume, or not the URI of one.
            NotFoundError: one does not exist; nothing was deleted.
        """
        files.rm(self._context, uris)
