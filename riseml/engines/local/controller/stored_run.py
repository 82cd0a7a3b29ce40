"""Runs of the database, brought back to the interpreter.

Everything that the interpreter needs is in the document and its nodes, so a run is
restored from its rows alone.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from riseml import labels
from riseml.engines.local.interpreter.node import Node
from riseml.engines.local.interpreter.run import WorkflowRun
from riseml.engines.local.queries import Queries


def stored_document(store: Queries, row: sqlite3.Row) -> dict[str, Any]:
    """Return the document of a run as it is now, with its kills and its shutdown.

    Raises:
        DamagedError: the document cannot be read.
    """
    number = row["number"]
    document: dict[str, Any] = store.decode(number, row["document"], "the document")
    annotations = document["metadata"].setdefault("annotations", {})
    annotations[labels.KILLED] = row["killed"]
    if row["shutdown"]:
        document["spec"]["shutdown"] = row["shutdown"]
    return document


def replay(
    store: Queries,
    number: int,
    document: dict[str, Any],
    node_ids: Sequence[str] | None = None,
) -> WorkflowRun:
    """Return the run of a document, as far as its recorded nodes have come.

    With `node_ids`, it has only these nodes: enough for their status, but it cannot go on.

    Raises:
        DamagedError: a node cannot be read.
    """
    try:
        nodes = list(map(Node.from_row, store.nodes(number, node_ids)))
    except (ValueError, TypeError) as error:
        raise store.damaged(number, f"a node ({error})") from error
    return WorkflowRun.restore(document, document["metadata"]["uid"], nodes)
