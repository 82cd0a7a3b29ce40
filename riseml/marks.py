"""Marks of a run, its name, tags and note: their form, and how a Workflow carries them.

name    label riseml.io/name         tags    labels tags.riseml.io/TAG        note    annotation riseml.io/note
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from riseml import labels
from riseml.errors import InvalidInputError
from riseml.excerpts import excerpt
from riseml.plan import Marks

# A name is not taken for an id: it has no dots, and begins with a letter.
_NAME = r"[A-Za-z](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_TAG = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
# Annotations of one object have 256 kB together, and riseml.yml is one of them.
_MAX_NOTE_BYTES = 10_000


def checked(name: str, tags: Iterable[str], note: str) -> Marks:
    """Return marks, each tag once, in the order of the alphabet.

    Raises:
        InvalidInputError: a label of Kubernetes could not hold one of them.
    """
    if name and not re.fullmatch(_NAME, name):
        raise InvalidInputError(
            f"'{excerpt(name)}' cannot be the name of a run",
            "Use up to 63 letters, digits, '-' and '_', beginning with a letter.",
        )
    distinct = sorted(set(tags))
    for tag in distinct:
        if not re.fullmatch(_TAG, tag):
            raise InvalidInputError(
                f"'{excerpt(tag)}' cannot be a tag",
                "Use up to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends.",
            )
    if len(note.encode(errors="replace")) > _MAX_NOTE_BYTES:
        raise InvalidInputError(
            f"the note is longer than {_MAX_NOTE_BYTES:,} bytes",
            "Put it into a file of the project.",
        )
    return Marks(name, tuple(distinct), note)


def tag_label(tag: str) -> str:
    """Return the label of a Workflow that has a tag."""
    return f"{labels.TAG_PREFIX}{tag}"


def labels_of(marks: Marks) -> dict[str, str]:
    """Return the labels of a Workflow for marks; those of an empty name and of other tags are left out."""
    values = {labels.NAME: marks.name} if marks.name else {}
    values.update(dict.fromkeys(map(tag_label, marks.tags), "true"))
    return values


def annotations_of(marks: Marks) -> dict[str, str]:
    """Return the annotations of a Workflow for marks."""
    return {labels.NOTE: marks.note} if marks.note else {}


def read(metadata: Mapping[str, Any]) -> Marks:
    """Return the marks in the metadata of a Workflow."""
    tags = _mapping(metadata.get("labels"))
    notes = _mapping(metadata.get("annotations"))
    # Joined, since a document may have keys that are no texts.
    names = re.findall(
        rf"^{labels.TAG_PREFIX}(.*)$", "\n".join(map(str, tags)), re.MULTILINE
    )
    name, note = tags.get(labels.NAME, ""), notes.get(labels.NOTE, "")
    return Marks(str(name), tuple(sorted(names)), str(note))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def from_data(data: Mapping[str, Any] | None) -> Marks:
    """Return the marks that JSON data describes, `vars` of them; none for None.

    Raises:
        LookupError, TypeError: the data does not describe marks.
    """
    if not data:
        return Marks()
    return Marks(data["name"], tuple(data["tags"]), data["note"])


def to_data(marks: Marks) -> dict[str, Any]:
    """Return marks as JSON data."""
    return {"name": marks.name, "tags": list(marks.tags), "note": marks.note}
