"""Folder of this machine as a volume, or the entire machine."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from riseml import umask
from riseml.errors import InvalidInputError, NotFoundError, RiseMLError
from riseml.storage.volume import (
    WHOLE_FILE,
    Entry,
    Piece,
    Written,
    digest_of,
    join,
    partial_path,
)

_PIECE_BYTES = 1 << 20
_EXECUTABLE = 0o111


class Folder:
    """The files below `root`.

    Without a root, paths are relative to the current folder.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root

    def resolve(self, path: str) -> Entry | None:
        """Return the file or folder at a path, None where there is none."""
        return _entry(self._file(path), path)

    def stat(self, paths: Sequence[str]) -> list[Entry | None]:
        """Return the files or folders at these paths, None where there is none."""
        return list(map(self.resolve, paths))

    def inside(self, folder: str) -> list[Entry]:
        """Return the files and folders directly in a folder."""
        directory = self._file(folder)
        with _naming(directory):
            children = list(directory.iterdir())
        entries = []
        for child in children:
            entry = _entry(child, join(folder, child.name))
            # A link may lead nowhere, and a file may be deleted meanwhile.
            if entry is not None:
                entries.append(entry)
        return entries

    def walk(self, folder: str) -> list[Entry]:
        """Return all files below a folder, without links."""
        top = self._file(folder)
        entries = []
        for directory, subfolders, names in os.walk(top, onerror=_raise):
            # os.walk visits the subfolders in this order.
            subfolders.sort()
            for name in sorted(names):
                file = Path(directory, name)
                path = join(folder, os.path.relpath(file, top))
                entry = _entry(file, path, follow_links=False)
                if entry is not None and stat.S_ISREG(entry.mode):
                    entries.append(entry)
        return entries

    def digests(self, beginnings: Sequence[tuple[str, int]]) -> list[str]:
        """Return the SHA-256 of the first bytes of files, empty where there is no such file."""
        return [_digest(self._file(path), size) for path, size in beginnings]

    def read(self, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """Yield the bytes of the pieces, one after the other."""
        for piece in pieces:
            file = self._file(piece.path)
            remaining = piece.size
            with _naming(file), file.open("rb") as stream:
                stream.seek(piece.start)
                for data in _next_bytes(stream, piece.size):
                    remaining -= len(data)
                    yield data
            if remaining:
                # The file has become shorter. Zeros keep the following file at its
                # position, and the digest will show that this one has changed.
                yield bytes(remaining)

    def write(self, entries: Sequence[Entry], data: Iterator[bytes]) -> None:
        """Write new partial files for the final paths of `entries`."""
        stream = ByteStream(data)
        for entry in entries:
            partial = self._file(partial_path(entry.path))
            with _naming(partial):
                partial.parent.mkdir(parents=True, exist_ok=True)
                with partial.open("wb") as file:
                    file.writelines(stream.pieces(entry.size))

    def append(self, path: str, size: int, data: Iterator[bytes]) -> None:
        """Append `size` bytes to the partial file of a final path."""
        partial = self._file(partial_path(path))
        with _naming(partial), partial.open("ab") as file:
            file.writelines(ByteStream(data).pieces(size))

    def finish(self, files: Sequence[Written]) -> list[bool]:
        """Rename each partial file with the right digest; delete the others."""
        return list(map(self._finish, files))

    def remove(self, path: str) -> None:
        """Delete a file, or a folder recursively."""
        file = self._file(path)
        with _naming(file):
            if file.is_dir() and not file.is_symlink():
                shutil.rmtree(file)
            else:
                file.unlink()

    def _finish(self, written: Written) -> bool:
        file = self._file(written.path)
        partial = self._file(partial_path(written.path))
        with _naming(partial):
            if _digest(partial, WHOLE_FILE) != written.digest:
                partial.unlink(missing_ok=True)
                return False
            if written.mode & _EXECUTABLE:
                partial.chmod(partial.stat().st_mode | (_EXECUTABLE & ~umask.current()))
            os.utime(partial, (written.modified, written.modified))
            partial.replace(file)
        return True

    def _file(self, path: str) -> Path:
        if self.root is None:
            return Path(path)
        file = self.root / path
        # Jobs may leave links in their output, and `rm` must not follow one out of it.
        if not file.resolve().is_relative_to(self.root.resolve()):
            raise InvalidInputError(
                f"{path} leads out of its volume by a link",
                "Name a file in the volume.",
            )
        return file


class ByteStream:
    """Bytes that arrive in pieces of any size, and are taken in other sizes."""

    def __init__(self, data: Iterator[bytes]) -> None:
        self._data = data
        self._buffer = b""

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the next `size` bytes, fewer at the end of the stream."""
        remaining = size
        while remaining:
            piece = self._buffer or next(self._data, b"")
            if not piece:
                # The digest of the file will show that bytes are missing.
                return
            self._buffer = piece[remaining:]
            piece = piece[:remaining]
            remaining -= len(piece)
            yield piece


def _entry(file: Path, path: str, *, follow_links: bool = True) -> Entry | None:
    try:
        status = file.stat(follow_symlinks=follow_links)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RiseMLError(f"{file}: {error.strerror}") from None
    return Entry(path, status.st_size, status.st_mtime, status.st_mode)


def _digest(file: Path, size: int) -> str:
    """Return the SHA-256 of the first `size` bytes, empty where there is no such file."""
    if not file.is_file():
        return ""
    with _naming(file), file.open("rb") as stream:
        if size == WHOLE_FILE:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        return digest_of(_next_bytes(stream, size))


def _next_bytes(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the next `size` bytes of a file in pieces, fewer at its end."""
    remaining = size
    # Reading 0 bytes returns none, as the end of the file does.
    while data := stream.read(min(remaining, _PIECE_BYTES)):
        remaining -= len(data)
        yield data


def _raise(error: OSError) -> None:
    raise RiseMLError(f"{error.filename}: {error.strerror}")


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Turn the system's errors into errors that name the file."""
    try:
        yield
    except FileNotFoundError:
        raise NotFoundError(f"{file} does not exist") from None
    except OSError as error:
        raise RiseMLError(f"{file}: {error.strerror}") from None
