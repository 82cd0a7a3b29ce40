"""Marks of a run on a cluster: labels and annotations of its Workflows, and its record in the volume."""

from typing import Any

from riseml import labels, marks
from riseml.cluster.api import path_of
from riseml.dataclass import replace
from riseml.engines.argo import archive
from riseml.engines.argo.run_reader import RunReader
from riseml.ids import Id
from riseml.plan import Marks


def change(reader: RunReader, run: Id, marked: Marks) -> None:
    """Replace the marks of a run, also of one whose Workflows are gone.

    Raises:
        NotAllowedError: it belongs to another user.
        NotFoundError: there is no such run.
    """
    status, documents = reader.read_with_documents(run)
    for document in documents:
        patch = _patch(marks.read(document["metadata"]), marked)
        reader.workflows.api.patch(path_of(document), patch)
    # The record of an ended run outlives its Workflows.
    if not documents or archive.is_archived(documents):
        archive.rewrite(reader.store_of(run), replace(status, marks=marked))


def _patch(before: Marks, after: Marks) -> dict[str, Any]:
    """Return the change of the metadata of a Workflow; None removes a label."""
    tags: dict[str, str | None] = dict.fromkeys(map(marks.tag_label, before.tags))
    tags[labels.NAME] = None
    tags.update(marks.labels_of(after))
    notes: dict[str, str | None] = {labels.NOTE: None}
    notes.update(marks.annotations_of(after))
    return {"metadata": {"labels": tags, "annotations": notes}}
