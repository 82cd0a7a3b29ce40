"""Writer of all new objects into one file, a pack.

object ──▶ output file ──read──▶ checksum of the pack
   │           │                   a second thread
   │           └──▶ the disk begins while more objects follow
   └──▶ id, of a large file by a third thread
"""

import os
import sys
import zlib
from contextlib import suppress
from hashlib import sha1

from riseml.project import objects, pack_index, pack_stream
from riseml.project.file_hasher import FileHasher
from riseml.project.objects import Read
from riseml.project.pack_index import word
from riseml.project.store import Store
from riseml.project.stream_hasher import StreamHasher

# What every pack of version 2 begins with, before the number of its objects.
_SIGNATURE = b"PACK" + word(2)
_STEP_BYTES = 1 << 20
# What is read at once stays in the processor's cache for two checksums and a copy.
_READ_BYTES = 256 << 10
# The disk gets so much at once.
_DISK_BYTES = 8 << 20

Stream = pack_stream.Compressed | pack_stream.Stored


class Pack:
    """A writer of all objects into one file, visible once that is finished.

    With the `expected` number of objects, its checksum takes no second pass.
    """

    def __init__(self, store: Store, *, compresses: bool, expected: int) -> None:
        self._store, self._compresses = store, compresses
        self._packed = pack_index.packed_ids(store)
        self._loose_folders = frozenset(os.listdir(os.path.join(store.path, "objects")))
        # The checksum and the position of each entry, by the id of its object.
        self._entries: dict[bytes, tuple[int, int]] = {}
        self._path = store.unfinished("pack")
        self._output = _Output(self._path, expected)

    def add(self, kind: bytes, data: bytes) -> bytes:
        """Store an object and return its id."""
        name = objects.identify(kind, data)
        if not self._has(name):
            self._output.begin()
            head = pack_stream.head(kind, len(data))
            self._output.extend(self._stream(head, data), data, is_last=True)
            self._entries[name] = self._output.end()
        return name

    def add_file(self, read: Read, size: int) -> bytes | None:
        """Store the next `size` bytes as a blob and return its id.

        It returns None, and stores nothing, if there are fewer.
        """
        if size > objects.IN_MEMORY:
            return self._add_stream(read, size)
        return objects.add_read(self, read, size)

    def _add_stream(self, read: Read, size: int) -> bytes | None:
        digest = sha1(objects.header(b"blob", size), usedforsecurity=False)
        self._output.begin()
        head = pack_stream.head(b"blob", size)
        stream: Stream | None = None
        remaining = size
        with StreamHasher(digest) as hasher:
            while remaining:
                data = read(min(remaining, _READ_BYTES))
                if not data:
                    break
                remaining -= len(data)
                hasher.extend(data)
                stream = stream or self._stream(head, data)
                self._output.extend(stream, data, is_last=not remaining)
        name = digest.digest()
        if remaining or self._has(name):
            # The id is known only now, so an object that exists already is cut off again.
            self._output.cut_off()
        else:
            self._entries[name] = self._output.end()
        return None if remaining else name

    def _stream(self, head: bytes, data: bytes) -> Stream:
        if self._compresses and pack_stream.pays(data):
            return pack_stream.Compressed(head)
        return pack_stream.Stored(head)

    def _has(self, name: bytes) -> bool:
        if name in self._entries or name in self._packed:
            return True
        # A first snapshot asks for thousands of objects, and no folder exists.
        return name.hex()[:2] in self._loose_folders and self._store.has_loose(name)

    def finish(self) -> None:
        """Complete the pack and its index, and give both their names.

        They survive a power cut.
        """
        if not self._entries:
            self.discard()
            return
        digest = self._output.finish(len(self._entries))
        name = f"objects/pack/pack-{digest.hex()}"
        index = self._store.make(
            pack_index.content_of(self._entries, digest), 0o444, lasting=True
        )
        self._store.rename(self._path, f"{name}.pack")
        self._store.rename(index, f"{name}.idx")

    def discard(self) -> None:
        """Delete the unfinished pack."""
        self._output.close()
        self._store.unfinished("pack")


class _Output:
    """File of a pack, whose checksum is computed while it grows."""

    def __init__(self, path: str, expected: int) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o444)
        # `Pack` closes it.
        self._file = open(self._descriptor, "wb", _STEP_BYTES)  # noqa: SIM115
        self._expected = expected
        self._digest = sha1(usedforsecurity=False)
        self._hasher = FileHasher(self._descriptor, self._digest)
        self._is_hashed = True
        self._checksum = 0
        self._size = self._file.write(_SIGNATURE + word(expected))
        self._begun = self._hashed = self._size
        self._on_disk = 0

    def begin(self) -> None:
        """Begin an object."""
        self._begun = self._size
        self._checksum = 0

    def extend(self, stream: Stream, data: bytes, *, is_last: bool) -> None:
        """Write the next part of an object's content."""
        for part in stream.parts(data, is_last=is_last):
            self._checksum = zlib.crc32(part, self._checksum)
            self._size += self._file.write(part)

        if self._size - self._hashed >= _STEP_BYTES:
            self._file.flush()
            self._hasher.extend(self._size)
            self._hashed = self._size
        if self._hashed - self._on_disk >= _DISK_BYTES:
            self._begin_disk()

    def end(self) -> tuple[int, int]:
        """Return the checksum and the position of the object that is complete now."""
        return self._checksum, self._begun

    def _begin_disk(self) -> None:
        """Let the disk begin with what has been written, so that `fsync` has little to wait for."""
        start, self._on_disk = self._on_disk, self._hashed
        # macOS has no such call. It is only advice, so its errors do not matter.
        if sys.platform != "darwin":
            with suppress(OSError):
                os.posix_fadvise(
                    self._descriptor,
                    start,
                    self._on_disk - start,
                    os.POSIX_FADV_DONTNEED,
                )

    def cut_off(self) -> None:
        """Remove the last object again."""
        self._file.seek(self._begun)
        self._file.truncate()
        self._size = self._begun
        if self._hashed > self._begun:
            self._is_hashed = False
            self._hasher.stop()

    def finish(self, count: int) -> bytes:
        """Write the number of objects and the checksum of the file, and return that."""
        self._file.flush()
        if self._is_hashed and count == self._expected:
            self._hasher.extend(self._size)
            self._hasher.finish()
        else:
            self._hash_again(count)
        checksum = self._digest.digest()
        self._file.write(checksum)
        self._file.flush()
        os.fsync(self._descriptor)
        self._file.close()
        return checksum

    def _hash_again(self, count: int) -> None:
        """Correct the number of objects: some have the same content, which nobody could know."""
        self._hasher.stop()
        self._file.seek(len(_SIGNATURE))
        self._file.write(word(count))
        self._file.seek(self._size)
        self._digest = sha1(usedforsecurity=False)
        self._hasher = FileHasher(self._descriptor, self._digest)
        self._hasher.extend(self._size)
        self._hasher.finish()

    def close(self) -> None:
        """Close the file of a pack that is not needed."""
        self._hasher.stop()
        # Closing writes what is buffered, which fails again if the disk is full.
        with suppress(OSError):
            self._file.close()
