"""A folder of this machine as a volume, or the machine itself."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from riseml.errors import InvalidInputError, NotFoundError, RiseMLError
from riseml.storage.volume import WHOLE, Entry, Piece, Written, below, part_of

# Bytes
_PIECE = 1 << 20


class Folder:
    """The files below `root`; without one paths are the user's own words, from the current folder on."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root

    def resolve(self, path: str) -> Entry | None:
        """Return what is at a path, None where nothing is."""
        return _entry(self._at(path), path)

    def stat(self, paths: Sequence[str]) -> list[Entry | None]:
        """Return what is at these paths, None where nothing is."""
        return [self.resolve(path) for path in paths]

    def inside(self, folder: str) -> list[Entry]:
        """Return what lies directly in a folder."""
        at = self._at(folder)
        with _told(at):
            found = [_entry(each, below(folder, each.name)) for each in at.iterdir()]
        return [entry for entry in found if entry]

    def walk(self, folder: str) -> list[Entry]:
        """Return all files below a folder; links are none."""
        at = self._at(folder)
        found = []
        for place, folders, names in os.walk(at, onerror=_raise):
            folders.sort()
            for name in sorted(names):
                file = Path(place, name)
                entry = (
                    None
                    if file.is_symlink()
                    else _entry(file, below(folder, os.path.relpath(file, at)))
                )
                if entry is not None and stat.S_ISREG(entry.mode):
                    found.append(entry)
        return found

    def digests(self, beginnings: Sequence[tuple[str, int]]) -> list[str]:
        """Return the SHA-256 of the first so many bytes of files, empty where there is no such file."""
        return [_digest(self._at(path), size) for path, size in beginnings]

    def read(self, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """Yield the bytes of the pieces, one after the other."""
        for piece in pieces:
            at = self._at(piece.path)
            with _told(at), at.open("rb") as file:
                file.seek(piece.start)
                left = piece.size
                while left and (data := file.read(min(left, _PIECE))):
                    left -= len(data)
                    yield data
            if left:
                yield bytes(
                    left
                )  # it has become shorter, which its digest will tell; the next one begins in its place

    def write(self, entries: Sequence[Entry], data: Iterator[bytes]) -> None:
        """Write new parts for the final paths of `entries`."""
        rest = Rest(data)
        for entry in entries:
            part = self._at(part_of(entry.path))
            with _told(part):
                part.parent.mkdir(parents=True, exist_ok=True)
                with part.open("wb") as file:
                    file.writelines(rest.pieces(entry.size))

    def append(self, path: str, size: int, data: Iterator[bytes]) -> None:
        """Add so many bytes to the part of a final path."""
        part = self._at(part_of(path))
        with _told(part), part.open("ab") as file:
            file.writelines(Rest(data).pieces(size))

    def finish(self, files: Sequence[Written]) -> list[bool]:
        """Give parts that have their digest their final names; drop the others."""
        return [self._finish(file) for file in files]

    def remove(self, path: str) -> None:
        """Delete a file, or a folder with all that is in it."""
        at = self._at(path)
        with _told(at):
            if at.is_dir() and not at.is_symlink():
                shutil.rmtree(at)
            else:
                at.unlink()

    def _finish(self, file: Written) -> bool:
        at, part = self._at(file.path), self._at(part_of(file.path))
        with _told(part):
            if _digest(part, WHOLE) != file.digest:
                part.unlink(missing_ok=True)
                return False
            if file.mode & 0o111:
                part.chmod(part.stat().st_mode | (0o111 & ~_umask()))
            os.utime(part, (file.modified, file.modified))
            part.replace(at)
        return True

    def _at(self, path: str) -> Path:
        if self.root is None:
            return Path(path)
        at = self.root / path
        if not at.resolve().is_relative_to(self.root.resolve()):
            raise InvalidInputError(
                f"{path} leads out of its volume by a link",
                "Name what lies in the volume.",
            )
        return at


class Rest:
    """What has not been taken yet of bytes that come in pieces of any size."""

    def __init__(self, data: Iterator[bytes]) -> None:
        self._data, self._left = data, b""

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the next `size` bytes; fewer where no more come, which their digest will tell."""
        while size and (piece := self._left or next(self._data, b"")):
            self._left = piece[size:]
            size -= min(len(piece), size)
            yield piece[: len(piece) - len(self._left)]


def _entry(at: Path, path: str) -> Entry | None:
    try:
        found = at.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RiseMLError(f"{at}: {error.strerror}") from None
    return Entry(path, found.st_size, found.st_mtime, found.st_mode)


def _digest(at: Path, size: int) -> str:
    if not at.is_file():
        return ""
    found, left = hashlib.sha256(), size
    with _told(at), at.open("rb") as file:
        while left and (data := file.read(_PIECE if left < 0 else min(left, _PIECE))):
            found.update(data)
            left -= len(data) if left > 0 else 0
    return found.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _raise(error: OSError) -> None:
    raise RiseMLError(f"{error.filename}: {error.strerror}")


@contextmanager
def _told(at: Path) -> Iterator[None]:
    """Say of the system's errors which file they are about."""
    try:
        yield
    except FileNotFoundError:
        raise NotFoundError(f"{at} does not exist") from None
    except OSError as error:
        raise RiseMLError(f"{at}: {error.strerror}") from None
