"""People in the labels of an Argo Server: who submitted a Workflow, and who changed it."""

from collections.abc import Mapping
from typing import Any

from riseml import labels
from riseml.status import document as doc

# Argo writes `@` like that, since a label's value cannot have it.
_AT = ".at."


def submitter(tags: Mapping[str, Any]) -> str:
    """Return for whom a server submitted a Workflow, empty if that is not known."""
    email, name = tags.get(labels.CREATOR_EMAIL), tags.get(labels.CREATOR_NAME)
    return _person(email, name, tags.get(labels.CREATOR))


def last_actor(tags: Mapping[str, Any]) -> str:
    """Return for whom a server changed a Workflow last, empty if that is not known."""
    email, name = tags.get(labels.ACTOR_EMAIL), tags.get(labels.ACTOR_NAME)
    return _person(email, name, tags.get(labels.ACTOR))


def _person(email: Any, name: Any, subject: Any) -> str:
    address = doc.text(email).replace(_AT, "@")
    return address or doc.text(name) or doc.text(subject)
