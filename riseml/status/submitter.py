"""Submitter of a run: the name by which the API server knows who started it.

RiseML asks the API server for the name and writes it into the Workflow; a policy of the
cluster lets everybody write only the own name. An Argo Server with single sign-on submits
by an account of its own, and notes in labels for whom.
"""

from collections.abc import Mapping
from typing import Any

from riseml import labels
from riseml.status import document as doc
from riseml.status import people


def read(tags: Mapping[str, Any], notes: Mapping[str, Any]) -> str:
    """Return the submitter from a Workflow's labels and annotations, empty if not known."""
    # `argo resubmit` copies the annotation, whoever uses it.
    if labels.RESUBMITTED not in tags:
        name = doc.text(notes.get(labels.SUBMITTER))
        if name:
            return name
    return people.submitter(tags)
