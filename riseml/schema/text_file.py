"""Small text files that users write, read without surprises: no pipe, no device, no endless file.

A fault has a position where there is one: `FILE:LINE:COLUMN: message`.
"""

import os
import stat

from riseml.errors import HomeError, InvalidInputError

MAX_BYTES = 1_000_000
"""Size of the largest file that is read; a larger one is not what it should be."""

# Opening a pipe must not wait for a writer, and a terminal must not become ours.
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def read(path: str | os.PathLike[str], advice: str) -> str | None:
    """Return the text of a file, None if there is none; `advice` says what it contains.

    The null device is an empty file.

    Raises:
        InvalidInputError: it is not a regular file, too large, or not UTF-8.
        HomeError: it cannot be read.
    """
    name = os.fspath(path)
    try:
        data = _data(name, advice)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        raise InvalidInputError(
            f"{name!r} is not the name of a file", "It contains a NUL character."
        ) from None
    except OSError as error:
        raise HomeError(
            f"cannot read {name}: {error.strerror}",
            "Make it readable, or move it away.",
        ) from None
    if len(data) > MAX_BYTES:
        raise InvalidInputError(f"{name} is larger than 1 MB", advice)
    return _decoded(data, name, advice)


def _data(name: str, advice: str) -> bytes:
    descriptor = os.open(name, _READING)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            return _content(descriptor)
    finally:
        os.close(descriptor)
    if os.path.samestat(status, os.stat(os.devnull)):  # noqa: PTH116 pathlib loads slowly
        return b""
    raise InvalidInputError(f"{name} is not a regular file", advice)


def _content(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        return file.read(MAX_BYTES + 1)


def _decoded(data: bytes, name: str, advice: str) -> str:
    try:
        # Editors on Windows write a byte order mark.
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        lines = data[: error.start].decode().split("\n")
        position = f"{name}:{len(lines)}:{len(lines[-1]) + 1}"
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8"
        raise InvalidInputError(f"{position}: {message}", advice) from None
