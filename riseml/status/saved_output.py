"""Output of jobs that Argo has saved in its artifact repository, because no volume keeps it."""

from collections.abc import Mapping, Sequence
from typing import Any

from riseml.status import document as doc
from riseml.status.document import Node

_NAME = "output"


def notes(document: Mapping[str, Any], nodes: Sequence[Node]) -> tuple[str, ...]:
    """Return where the output of an experiment is, a sentence for each of its jobs.

    There is none if a volume keeps the output.
    """
    # Argo saves the logs only of such runs.
    if not doc.inner(document, "spec").get("archiveLogs"):
        return ()
    repository = doc.inner(
        document, "status", "artifactRepositoryRef", "artifactRepository"
    )
    sentences = []
    for node in nodes:
        address = _address(node, repository)
        if address:
            sentences.append(f"the output is at {address}")
    return tuple(sentences)


def _address(node: Node, repository: Mapping[str, Any]) -> str:
    """Return the address of the archive that a job has left, empty if there is none."""
    artifacts = doc.named(doc.inner(node, "outputs").get("artifacts"))
    artifact = artifacts.get(_NAME, {})
    # The kind of the store is a field, such as `s3` or `gcs`.
    for kind, settings in repository.items():
        key = doc.text(doc.inner(artifact, kind).get("key"))
        bucket = doc.text(doc.mapping(settings).get("bucket"))
        if key:
            return f"{kind}://{bucket}/{key}"
    return ""
