"""Volume of a user's store: shell scripts in its pod, which need only busybox.

Each script reads paths as lines from its standard input and prints one line for each, so
that a thousand files take one request. A path with characters that a line cannot hold is
written in octal, after the word `e`.
"""

import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence

from riseml.cluster.command_error import CommandError
from riseml.cluster.store import UNPACK, StorePod
from riseml.errors import InvalidInputError, NotFoundError, RiseMLError
from riseml.storage.folder import ByteStream
from riseml.storage.volume import Entry, Piece, Written, join, partial_path

# Exit status of a script that a link has led out of the volume.
_OUTSIDE = 9
_PLAIN = re.compile(rb"[^\x00-\x20\\\x7f](?:[^\x00-\x1f\\\x7f]*[^\x00-\x20\\\x7f])?")
# `stat` prints size, time and mode before the name.
_FIELDS = 3

# $1 is the volume's folder. Each line has a number, another one, p or e, and the path; `end` follows the last line.
_LOOP = """cd "$1"; umask 0; root=$(pwd -P)
inside() {
  case $(readlink -f "$1")/ in "$root"/*) ;; *) echo "$1 leads out of its volume by a link" >&2; exit 9; esac
}
while read -r a b k n && [ "$a" != end ]; do
  [ "$k" != e ] || { n=$(printf '%b.' "$n"); n=${n%.}; }
  BODY
done
"""
_BODIES = {
    "look": """if [ -e "$n" ]; then inside "$n"; stat -L -c '%s %Y %f' "$n"; else echo; fi""",
    "stat": """if [ -e "$n" ]; then stat -L -c '%s %Y %f' "$n"; else echo; fi""",
    "digest": """if [ ! -f "$n" ]; then echo; elif [ "$a" = -1 ]; then sha256sum < "$n"
  else head -c "$a" "$n" | sha256sum; fi""",
    "read": """if [ "$a" = 1 ]; then head -c "$b" "$n"; else tail -c "+$a" "$n" | head -c "$b"; fi""",
    "make": """mkdir -p "$n"; inside "$n\"""",
    "finish": """part=${n%/*}/.${n##*/}.riseml-part
  if [ "$(sha256sum < "$part" | head -c 64)" = "$b" ]; then touch -d "@$a" "$part" || :; mv -f "$part" "$n"; echo ok
  else rm -f "$part"; echo no; fi""",
    "remove": """inside "$n"; rm -rf "$n\"""",
}
_FIND = """cd "$1"; root=$(pwd -P); cd "$2"
case $(pwd -P)/ in "$root"/*) ;; *) echo "$2 leads out of its volume by a link" >&2; exit 9; esac
"""
# Records end with `//` and a line break, because no path contains `//`.
_WALK = f"{_FIND}find . -type f -exec stat -c '%s %Y %f %n//' {{}} +"
_LIST = f"{_FIND}find . -mindepth 1 -maxdepth 1 -exec stat -c '%s %Y %f %n//' {{}} +"
_EXTRACT = f'cd "$1"; umask 0; exec {UNPACK}'
_APPEND = 'cd "$1"; head -c "$2" >> "$3"'


class StoreVolume:
    """The files below a folder of the store's pod."""

    def __init__(self, store: StorePod, root: str) -> None:
        self.store, self.root = store, root

    def resolve(self, path: str) -> Entry | None:
        """Return the file or folder at a path, None if there is none.

        Raises:
            InvalidInputError: a link at the path leads out of the volume.
        """
        return self._entries("look", [path])[0]

    def stat(self, paths: Sequence[str]) -> list[Entry | None]:
        """Return the files or folders at these paths, None where there is none."""
        return self._entries("stat", paths)

    def inside(self, folder: str) -> list[Entry]:
        """Return the files and folders directly in a folder."""
        return self._find(_LIST, folder)

    def walk(self, folder: str) -> list[Entry]:
        """Return all files below a folder, without links."""
        return self._find(_WALK, folder)

    def digests(self, beginnings: Sequence[tuple[str, int]]) -> list[str]:
        """Return the SHA-256 of the first so many bytes of files, empty for no file."""
        lines = self._run_loop("digest", [(size, 0, path) for path, size in beginnings])
        return [line.split(" ")[0] for line in lines]

    def read(self, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """Yield the bytes of the pieces, one after the other."""
        lines = [(piece.start + 1, piece.size, piece.path) for piece in pieces]
        script, stdin = _script("read"), [_encode_lines(lines)]
        try:
            yield from self.store.stream(script, self.root, stdin=stdin)
        except CommandError as error:
            raise _meaning(error) from None

    def write(self, entries: Sequence[Entry], data: Iterator[bytes]) -> None:
        """Write new partial files for the paths of `entries`."""
        folders = dict.fromkeys(
            entry.path.rpartition("/")[0] or "." for entry in entries
        )
        self._run_loop("make", _lines_of(folders))
        self._run(_EXTRACT, stdin=_archive(entries, data))

    def append(self, path: str, size: int, data: Iterator[bytes]) -> None:
        """Add so many bytes to the partial file of a path."""
        self._run(_APPEND, str(size), f"./{partial_path(path)}", stdin=data)

    def finish(self, files: Sequence[Written]) -> list[bool]:
        """Rename partial files that have the right digest; remove the others."""
        lines = [(int(file.modified), file.digest or "-", file.path) for file in files]
        return [line == "ok" for line in self._run_loop("finish", lines)]

    def remove(self, path: str) -> None:
        """Delete a file, or a folder with everything in it."""
        self._run_loop("remove", _lines_of([path]))

    def _entries(self, name: str, paths: Sequence[str]) -> list[Entry | None]:
        lines = self._run_loop(name, _lines_of(paths))
        return [_entry(line, path) for line, path in zip(lines, paths, strict=True)]

    def _find(self, script: str, folder: str) -> list[Entry]:
        output = self._run(script, f"./{folder}").decode(errors="surrogateescape")
        entries = []
        for record in output.split("//\n")[:-1]:
            *fields, name = record.split(" ", _FIELDS)
            path = join(folder, name.removeprefix("./"))
            if entry := _entry(" ".join(fields), path):
                entries.append(entry)
        return sorted(entries)

    def _run_loop(
        self, name: str, lines: Sequence[tuple[int, int | str, str]]
    ) -> list[str]:
        """Run a script's body for each line, and return what it prints for each."""
        if not lines:
            return []
        stdin = iter([_encode_lines(lines)])
        return self._run(_script(name), stdin=stdin).decode().split("\n")[:-1]

    def _run(
        self, script: str, *arguments: str, stdin: Iterator[bytes] | None = None
    ) -> bytes:
        try:
            return self.store.script(script, self.root, *arguments, stdin=stdin)
        except CommandError as error:
            raise _meaning(error) from None


def _meaning(error: CommandError) -> RiseMLError:
    """Return what a script's failure means to the user."""
    text = str(error).removeprefix("sh: ").removeprefix("riseml: ")
    if error.status == _OUTSIDE:
        return InvalidInputError(text, "Name a path within the volume.")
    if "Read-only file system" in text:
        advice = "The volume is read-only here; its administrator can write to it."
        return RiseMLError(text, advice)
    if "No such file" in text or "can't cd" in text:
        return NotFoundError(text)
    return RiseMLError(f"the store reports an error: {text}")


def _script(name: str) -> str:
    return _LOOP.replace("BODY", _BODIES[name])


def _lines_of(paths: Iterable[str]) -> list[tuple[int, int | str, str]]:
    """Return lines for a script that reads only paths."""
    return [(0, 0, path) for path in paths]


def _encode_lines(lines: Sequence[tuple[int, int | str, str]]) -> bytes:
    return b"".join(_encode_line(*line) for line in lines) + b"end\n"


def _encode_line(first: int, second: int | str, path: str) -> bytes:
    name = b"./" + path.encode(errors="surrogateescape")
    kind = b"p"
    if not _PLAIN.fullmatch(name):
        kind = b"e"
        name = b"".join(b"\\0%03o" % byte for byte in name)
    return b"%d %s %s %s\n" % (first, str(second).encode(), kind, name)


def _entry(fields: str, path: str) -> Entry | None:
    if not fields:
        return None
    size, modified, mode = fields.split(" ")
    return Entry(path, int(size), float(modified), int(mode, 16))


def _archive(entries: Sequence[Entry], data: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a tar archive of partial files.

    A file that has become shorter is padded. Its digest will not match then.
    """
    source = ByteStream(data)
    for entry in entries:
        info = tarfile.TarInfo(partial_path(entry.path))
        info.size, info.mtime = entry.size, int(entry.modified)
        # Any user of an image may change the file, as with the output of jobs.
        info.mode = 0o777 if entry.mode & 0o111 else 0o666
        yield info.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")
        written = 0
        for data_piece in source.pieces(entry.size):
            written += len(data_piece)
            yield data_piece
        missing = entry.size - written
        yield bytes(missing + -entry.size % tarfile.BLOCKSIZE)
    yield bytes(tarfile.BLOCKSIZE * 2)
