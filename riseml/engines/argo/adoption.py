"""Adoption of Workflows that somebody made from RiseML's documents: each gets a number of its own.

    argo submit --from workflowtemplate/digits ──▶ digits-x7k2p, without a number ──▶ run 14
    CronWorkflow digits                        ──▶ digits-1794…, without a number ──▶ run 15

The folder of such a run has the name of its Workflow. A link with its number leads there, so that all
readers of the output volume find it.
"""

from functools import partial
from typing import Any, Protocol

from riseml import labels
from riseml.cluster.api import CACHED, Object, path
from riseml.cluster.user_namespace import UserNamespace
from riseml.errors import NotFoundError

UNNUMBERED = f"{labels.PROJECT},!{labels.NUMBER}"
"""The label selector of Workflows that nobody has adopted."""

# The link is relative, because jobs and the store mount the volume at different places.
_LINK = """\
set -e
umask 0
cd /output
mkdir -p "$1/$2" "$5/$2/$3"
ln -sfn "../../$5/$2/$3" "$1/$2/$4"
"""


class Store(Protocol):
    """What runs shell scripts where the output volume is."""

    def script(self, text: str, *arguments: str) -> bytes:
        """Run a script."""


def adopt(namespace: UserNamespace, store: Store, user: str) -> None:
    """Number the Workflows of a namespace that have no number, the oldest first.

    Raises:
        UnreachableError: the store does not run.
    """
    workflows = namespace.api.items(
        path("workflows", namespace.namespace),
        metadata=True,
        labelSelector=UNNUMBERED,
        resourceVersion=CACHED,
    )
    for workflow in sorted(workflows, key=_created):
        _adopt_one(namespace, store, user, workflow["metadata"]["name"])


def _created(workflow: Object) -> tuple[str, str]:
    metadata = workflow["metadata"]
    return metadata["creationTimestamp"], metadata["name"]


def _adopt_one(namespace: UserNamespace, store: Store, user: str, name: str) -> None:
    workflow_path = path("workflows", namespace.namespace, name)
    try:
        # The list may be older than the adoption by another command.
        tags = namespace.api.get(workflow_path)["metadata"].get("labels", {})
        if labels.NUMBER in tags:
            return
        number = namespace.number
        while not namespace.take(number):
            number = namespace.number
        owner = tags.get(labels.USER, user)
        store.script(_LINK, user, tags[labels.PROJECT], name, str(number), owner)
        change = partial(_numbered, number=number, user=user)
        namespace.api.update(workflow_path, change)
    except NotFoundError:
        # Somebody has deleted it since.
        return


def _numbered(workflow: Object, number: int, user: str) -> dict[str, Any]:
    """Return the change that gives a Workflow a number, none if another client was faster."""
    tags = workflow["metadata"].get("labels", {})
    if labels.NUMBER in tags:
        return {}
    title = f"{tags[labels.PROJECT]} {number}"
    return {
        "metadata": {
            "labels": {labels.NUMBER: str(number), labels.USER: user},
            "annotations": {labels.TITLE: title},
        }
    }
