"""riseml.yml, read, checked and completed with defaults.

    file ──read──▶ text ──parse──▶ nodes ──modernize──▶ nodes ──FILE.read──▶ ExperimentConfig and warnings
          file.py       yaml_document.py     legacy.py          train.py, frameworks/<name>.py, search/<name>.py

All faults are reported at once: a `ConfigError` holds a `Fault` with its position for each.
"""

import os
from collections.abc import Sequence
from typing import Any

# Before any other import of `yaml`
from riseml.schema import yaml_import  # noqa: F401

# isort: split
from yaml.nodes import Node

from riseml.config import experiments, file
from riseml.config.file import MAX_BYTES
from riseml.config.legacy import modernize
from riseml.config.train import TRAIN, TrainConfig
from riseml.dataclass import dataclass
from riseml.errors import ConfigError, Fault
from riseml.excerpts import printable
from riseml.schema.fields import Nullable, Record, Schema, Shorthand, Text, Value
from riseml.schema.texts import joined
from riseml.schema.yaml_document import Document

__all__ = [
    "FILE",
    "MAX_BYTES",
    "ExperimentConfig",
    "Loaded",
    "TrainConfig",
    "json_schema",
    "load",
    "load_text",
]

_PROJECT = Text(
    "letters, digits, '-' and '_', at least two, with a letter or digit at both ends",
    "[A-Za-z0-9][A-Za-z0-9_-]*[A-Za-z0-9]",
    "Write for example project: mnist.",
    most=63,
)


@dataclass(frozen=True)
class ExperimentConfig:
    """A checked riseml.yml; `text` is its source. Without `train` there is nothing to run."""

    project: str
    text: str
    train: TrainConfig | None = None


@dataclass(frozen=True)
class Loaded(ExperimentConfig):
    """A config with the warnings about its file: faults of severity "warning" or "note", by position."""

    warnings: tuple[Fault, ...] = ()

    @property
    def config(self) -> ExperimentConfig:
        """The config without its warnings."""
        return ExperimentConfig(self.project, self.text, self.train)


FILE = Record(
    dict[str, Any],
    {
        "project": _PROJECT.says(
            "Name of the project: experiments, code and output belong to it.",
            example="mnist",
        ),
        "train": TRAIN.says(
            "What to run.",
            otherwise="there is nothing to run",
            example={"run": "python train.py"},
        ),
    },
    required={"project": "Write for example project: mnist."},
)


def load(
    path: str | os.PathLike[str],
    *,
    parameters: Sequence[str] = (),
    settings: Sequence[str] = (),
    content: bytes | None = None,
) -> Loaded:
    """Read and check a riseml.yml.

    `parameters` (`lr=0.1`) and `settings` (`train.timeout=1h`) replace values of the file;
    `overrides.py` describes their form. `content` is that of the file, if it was read before.

    Raises:
        ConfigError: it cannot be read, or has errors.
    """
    name = printable(os.fsencode(path).decode("utf-8", "replace"))
    if content is None:
        text = file.read(path, name)
    else:
        text = file.decoded(content, name)
    # Tables are beside the file, wherever the command runs.
    folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    return load_text(
        text,
        name,
        parameters=parameters,
        settings=settings,
        folder=os.fsdecode(folder),
    )


def load_text(
    text: str,
    name: str = "riseml.yml",
    *,
    parameters: Sequence[str] = (),
    settings: Sequence[str] = (),
    folder: str | None = None,
) -> Loaded:
    """Check the text of a riseml.yml; `name` is the file that faults print.

    `folder` has the tables that it names, None if it names none. The text of the result
    contains the rows of tables, and the changes that `parameters` and `settings` make.

    Raises:
        ConfigError: it has errors.
    """
    # Editors on Windows write a byte order mark, which YAML allows only at the start.
    doc = Document(name, text.removeprefix("\ufeff"), _belongs)
    root = doc.root()
    if root is None or not root.value:
        # A file of comments is empty up to its last line.
        doc.error(
            doc.position(len(doc.text)),
            "the file is empty",
            "`riseml init` writes a first one.",
        )
        raise ConfigError(doc.faults)
    changed = experiments.with_table(root, folder, doc)
    if parameters or settings:
        changed = _override(changed, parameters, settings, doc)
    complete = experiments.with_columns(modernize(changed, doc), doc)
    values = FILE.read(complete, "", doc)
    if values is None or doc.errors:
        raise ConfigError(doc.faults)
    if changed is not root:
        # Most commands change nothing.
        from riseml.config.edited_text import edited  # noqa: PLC0415

        text = edited(doc.text, root, changed)
    return Loaded(values["project"], text, values.get("train"), doc.faults)


def _override(
    root: Node, parameters: Sequence[str], settings: Sequence[str], doc: Document
) -> Node:
    """Return the nodes of a file with the changes of a command line."""
    # Most commands change nothing.
    from riseml.config import overrides  # noqa: PLC0415

    changes = overrides.parse(parameters, settings)
    # A file that is not a mapping has another error.
    return overrides.apply(root, changes, doc) if doc.is_mapping(root) else root


def json_schema() -> Schema:
    """Return the JSON Schema (2020-12) of today's riseml.yml, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "riseml.yml",
        "description": "What RiseML trains, and with which parameters.",
        **FILE.schema(),
    }


def _belongs(key: str) -> str | None:
    """Return the name of the only mapping at the lowest level that has such a key, or None."""
    # Breadth first: a key is most likely meant at the highest level that has it.
    level: list[tuple[str, Record[Any]]] = [("", FILE)]
    while level:
        matches = [name for name, record in level if record.find(key) is not None]
        if matches:
            return matches[0] if len(matches) == 1 else None
        level = _next_level(level)
    return None


def _next_level(level: list[tuple[str, Record[Any]]]) -> list[tuple[str, Record[Any]]]:
    deeper = []
    for name, record in level:
        for key in record.names():
            inner = _record(record.find(key))
            if inner is not None:
                deeper.append((joined(name, key), inner))
    return deeper


def _record(value: Value[Any] | None) -> Record[Any] | None:
    """Return the mapping that a kind of value accepts, beneath its shorthands."""
    while isinstance(value, Nullable | Shorthand):
        value = value.value
    return value if isinstance(value, Record) else None
