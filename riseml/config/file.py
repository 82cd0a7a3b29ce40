"""riseml.yml on disk: read with a limit, decoded as UTF-8, every failure a `ConfigError`."""

import codecs
import os
import stat

from riseml.errors import ConfigError, Fault
from riseml.schema.yaml_document import Document

# The text travels in every Workflow, and etcd refuses objects of about 1.5 MB.
MAX_BYTES = 1_000_000


def read(path: str | os.PathLike[str], name: str) -> str:
    """Return the text of a riseml.yml; `name` is the path as faults print it.

    Raises:
        ConfigError: the file cannot be read, is too large, or is not UTF-8.
    """
    try:
        # pathlib takes as long to load as reading a small file.
        mode = os.stat(path).st_mode  # noqa: PTH116
        _check_type(mode, name)
        with open(path, "rb") as stream:  # noqa: PTH123
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise refused(name, "the file does not exist", _other_file(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise refused(name, f"the file cannot be read: {reason}") from None
    if len(data) > MAX_BYTES:
        raise refused(name, "the file is larger than 1 MB", "Is this a riseml.yml?")
    return decoded(data, name)


def refused(name: str, message: str, advice: str = "") -> ConfigError:
    """Return the error about a file as a whole, without a line."""
    return ConfigError((Fault(name, 0, 0, message, advice=advice),))


def _check_type(mode: int, name: str) -> None:
    if stat.S_ISDIR(mode):
        raise refused(
            name,
            "this is a directory",
            "Name the file in it, such as -f DIRECTORY/riseml.yml.",
        )
    # Reading a pipe would wait for whoever writes to it.
    if not stat.S_ISREG(mode):
        raise refused(
            name,
            "this is not a regular file",
            "Jobs run the code beside it, so it must be a file in the project's folder.",
        )


def decoded(data: bytes, name: str) -> str:
    """Return the text of the bytes of a riseml.yml.

    Raises:
        ConfigError: they are not UTF-8.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise refused(name, "the file is in UTF-16", "Save it as UTF-8.")
    nul = data.find(b"\0")
    if nul >= 0:
        raise _byte_fault(
            data, nul, name, "the file contains a NUL byte", "Is it a riseml.yml? "
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8"
        raise _byte_fault(data, error.start, name, message) from None


def _byte_fault(
    data: bytes, index: int, name: str, message: str, question: str = ""
) -> ConfigError:
    """Return the error about one byte of a file."""
    # Latin-1 decodes any byte, so the line of the fault can be shown.
    doc = Document(name, data.decode("latin-1"))
    before = data[:index].decode("utf-8", "replace")
    doc.error(doc.position(len(before)), message, f"{question}Save the file as UTF-8.")
    return ConfigError(doc.faults)


def _other_file(path: str | os.PathLike[str]) -> str:
    """Return advice that names a file of the same name in a folder above, if there is one."""
    # Only a missing file needs pathlib, which takes as long to load as reading a small file.
    from pathlib import Path  # noqa: PLC0415

    missing = Path(path).absolute()
    for folder in missing.parent.parents:
        if (folder / missing.name).is_file():
            return (
                f"There is one in {folder}: change to that folder, or name it with -f."
            )
    return "`riseml init` writes one; -f names another."
