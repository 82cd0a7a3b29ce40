"""Folder of a home that keeps computed texts: small, and safe to lose at any time.

    <home>/cache/<kind>/<checksum of the inputs>      checksum, inputs, text

An entry contains all inputs that it was computed from, and is used only if they are equal.
It is written beside its place and moved there, so that commands may write the same entry at
the same time, or be killed. One that a crash of the machine left incomplete has another checksum.
"""

import os
from binascii import crc32
from contextlib import suppress

_MAX_ENTRIES = 64
_MAX_BYTES = 400_000
_HEADER = "{:08x} {:08d}\n"
_HEADER_BYTES = len(_HEADER.format(0, 0))


class CacheFolder:
    """The entries of one kind in a home."""

    def __init__(self, home: str | os.PathLike[str], kind: str) -> None:
        # pathlib takes as long to load as everything that is done here.
        self._folder = os.path.join(os.fspath(home), "cache", kind)  # noqa: PTH118

    def read(self, inputs: str) -> str | None:
        """Return the text that was computed from these inputs, None if it is not known."""
        key = inputs.encode("utf-8", "surrogatepass")
        path = self._path(key)
        try:
            with open(path, "rb") as file:  # noqa: PTH123
                # It is read before the home is checked.
                if os.fstat(file.fileno()).st_uid != os.geteuid():
                    return None
                content = file.read()
        except OSError:
            return None
        header = _HEADER.format(crc32(content[_HEADER_BYTES:]), len(key))
        if not content.startswith(header.encode() + key):
            return None
        # The entries that were used last stay.
        with suppress(OSError):
            os.utime(path)
        return content[_HEADER_BYTES + len(key) :].decode("utf-8", "surrogatepass")

    def write(self, inputs: str, text: str) -> None:
        """Keep a text for these inputs, unless it is large or the home cannot be changed."""
        key = inputs.encode("utf-8", "surrogatepass")
        content = key + text.encode("utf-8", "surrogatepass")
        if len(content) > _MAX_BYTES:
            return
        header = _HEADER.format(crc32(content), len(key)).encode()
        path = self._path(key)
        draft = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
        with suppress(OSError):
            for folder in (os.path.dirname(self._folder), self._folder):  # noqa: PTH120
                with suppress(FileExistsError):
                    os.mkdir(folder, 0o700)  # noqa: PTH102
            self._make_room()
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with open(descriptor, "wb") as file:  # noqa: PTH123
                    file.write(header + content)
                os.replace(draft, path)  # noqa: PTH105
            except OSError:
                # On a full disk, a draft would make it worse.
                os.unlink(draft)  # noqa: PTH108

    def _path(self, inputs: bytes) -> str:
        return os.path.join(self._folder, f"{crc32(inputs):08x}")  # noqa: PTH118

    def _make_room(self) -> None:
        """Remove what was used longest ago, also drafts of killed commands."""
        times = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    times.append((entry.stat().st_mtime_ns, entry.path))
        for _, path in sorted(times)[: max(0, len(times) - _MAX_ENTRIES + 1)]:
            with suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108
