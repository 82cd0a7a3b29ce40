"""riseml.yml: read, checked and made complete.

    file ──read──▶ text ──parse──▶ nodes ──modernise──▶ nodes ──FILE.read──▶ ExperimentConfig and warnings
          encoding      document.py       legacy.py            schema.py, train.py, frameworks/<name>.py

Everything wrong is told at once: a `ConfigError` holds a `Fault` with its place for each.
"""

import codecs
import os
import stat
from dataclasses import dataclass
from typing import Any

from riseml.config.legacy import modernise
from riseml.config.train import TRAIN, TrainConfig
from riseml.errors import ConfigError, Fault
from riseml.schema.fields import Nullable, Record, Schema, Shorthand, Text, Value
from riseml.schema.yaml_document import Document, printable

__all__ = [
    "FILE",
    "LARGEST",
    "ExperimentConfig",
    "Loaded",
    "TrainConfig",
    "json_schema",
    "load",
    "load_text",
]

# Bytes of a riseml.yml, which travels in every Workflow
LARGEST = 1_000_000

_PROJECT = Text(
    "letters, digits, '-' and '_', at least two, with a letter or digit at both ends",
    "[A-Za-z0-9][A-Za-z0-9_-]*[A-Za-z0-9]",
    "Write for example project: mnist.",
    most=63,
)


@dataclass(frozen=True)
class ExperimentConfig:
    """A riseml.yml after validation. `text` is what was read; without `train` there is nothing to run."""

    project: str
    text: str
    train: TrainConfig | None = None


@dataclass(frozen=True)
class Loaded(ExperimentConfig):
    """A config with what is doubtful or old in its file: faults of severity "warning" and "note", sorted by place."""

    warnings: tuple[Fault, ...] = ()

    @property
    def config(self) -> ExperimentConfig:
        """The config alone."""
        return ExperimentConfig(self.project, self.text, self.train)


FILE = Record(
    dict[str, Any],
    {
        "project": _PROJECT.says(
            "Name of the project: experiments, code and output belong to it."
        ),
        "train": TRAIN.says("What to run."),
    },
    required={"project": "Write for example project: mnist."},
)


def load(path: str | os.PathLike[str]) -> Loaded:
    """Read and check a riseml.yml.

    Raises:
        ConfigError: it cannot be read, or holds errors.
    """
    file = printable(os.fsencode(path).decode("utf-8", "replace"))
    return load_text(_read(path, file), file)


def load_text(text: str, file: str = "riseml.yml") -> Loaded:
    """Check the text of a riseml.yml; `file` is what faults call it.

    Raises:
        ConfigError: it holds errors.
    """
    doc = Document(file, text.removeprefix("\ufeff"), _belongs)
    root = doc.root()
    if root is None or not root.value:
        raise _refused(file, "the file is empty", "`riseml init` writes a first one.")
    values = None
    if (current := modernise(root, doc)) is not None:
        values = FILE.read(current, "", doc)
    if values is None or doc.errors:
        raise ConfigError(doc.faults)
    return Loaded(values["project"], text, values.get("train"), doc.faults)


def json_schema() -> Schema:
    """Return the JSON Schema (2020-12) of today's riseml.yml, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "riseml.yml",
        "description": "What RiseML trains, and with which parameters.",
        **FILE.schema(),
    }


def _elsewhere(path: str | os.PathLike[str]) -> str:
    """Say where a file of this name is, when its folder is a part of a project."""
    # Takes as long to load as a small file
    from pathlib import Path  # noqa: PLC0415

    wanted = Path(path).absolute()
    for folder in wanted.parent.parents:
        if (folder / wanted.name).is_file():
            return f"There is one in {folder}: go there, or name it with -f."
    return "`riseml init` writes one; -f names another."


def _read(path: str | os.PathLike[str], file: str) -> str:
    try:
        # Pathlib takes as long to load as a small file
        mode = os.stat(path).st_mode  # noqa: PTH116
        if stat.S_ISDIR(mode):
            raise _refused(
                file,
                "this is a directory",
                "Name the file in it, such as -f DIRECTORY/riseml.yml.",
            )
        if not stat.S_ISREG(mode):
            raise _refused(
                file,
                "this is no regular file",
                "The code beside it is what runs, so it must have a place.",
            )
        with open(path, "rb") as stream:  # noqa: PTH123
            data = stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise _refused(file, "the file does not exist", _elsewhere(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refused(file, f"the file cannot be read: {reason}") from None
    if len(data) > LARGEST:
        raise _refused(file, "the file is larger than 1 MB", "Is this a riseml.yml?")
    return _decode(data, file)


def _decode(data: bytes, file: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _refused(file, "the file is in UTF-16", "Save it as UTF-8.")
    if b"\0" in data:
        raise _refused(
            file,
            "the file holds NUL bytes",
            "Is it a riseml.yml? Save it as UTF-8 text.",
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        doc = Document(file, data.decode("latin-1"))
        before = data[: error.start].decode()
        doc.error(
            doc.position(len(before)),
            f"the byte 0x{data[error.start]:02X} is not UTF-8",
            "Save the file as UTF-8.",
        )
        raise ConfigError(doc.faults) from None


def _refused(file: str, message: str, advice: str = "") -> ConfigError:
    return ConfigError((Fault(file, 0, 0, message, advice=advice),))


def _belongs(key: str) -> str | None:
    """Return the only mapping that has such a key, None where there is none or a choice."""
    level: list[tuple[str, Record[Any]]] = [("", FILE)]
    while level:
        if found := [name for name, record in level if record.find(key) is not None]:
            return found[0] if len(found) == 1 else None
        level = [
            (f"{name}.{each}" if name else each, inner)
            for name, record in level
            for each in record.names()
            if (inner := _record(record.find(each))) is not None
        ]
    return None


def _record(value: Value[Any] | None) -> Record[Any] | None:
    while isinstance(value, Nullable | Shorthand):
        value = value.value if isinstance(value, Nullable) else value.full
    return value if isinstance(value, Record) else None
