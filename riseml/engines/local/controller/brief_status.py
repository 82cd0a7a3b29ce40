"""Status of an unfinished run for a table: rows of experiments, and nodes only of those at work.

    rows of experiments ──▶ those that have ended or not begun, without jobs
    nodes of the others ──▶ interpreter ──▶ those that have begun, with jobs

A set may have thousands of experiments, of which few are at work. With 1,000 ended ones
of 2,000, this takes a tenth of the time of reading all nodes.
"""

from riseml import status
from riseml.engines.local.controller import stored_experiments, stored_run
from riseml.engines.local.queries import Queries
from riseml.status import ExperimentStatus, SetStatus
from riseml.status.outline import Outline, sketch


def read(store: Queries, number: int, sub: int | None = None) -> SetStatus:
    """Return the status of an unfinished run that has one Workflow.

    Only experiments at work have jobs, and the one with the number `sub`.

    Raises:
        DamagedError: a record cannot be read.
    """
    row = store.run(number)
    # The caller has just found this number.
    assert row is not None  # noqa: S101
    document = stored_run.stored_document(store, row)
    outline = sketch(document)
    recorded = _recorded(store, number, outline, sub)
    # Nodes are read last: an experiment may begin or end meanwhile.
    node_ids = []
    for node_id, name in store.node_names(number):
        position = outline.positions.of(name)
        experiment = recorded.get(position)
        if experiment is None or not experiment.state.is_terminal:
            node_ids.append(node_id)
            # What its nodes say is newer than its row.
            recorded.pop(position, None)
    replayed = stored_run.replay(store, number, document, node_ids)
    document["status"] = replayed.status()
    return status.read(document, recorded)


def _recorded(
    store: Queries, number: int, outline: Outline, sub: int | None
) -> dict[int | None, ExperimentStatus]:
    """Return the rows of experiments by position, without the one with the number `sub`."""
    positions = {}
    for position in range(len(outline.items)):
        positions[int(outline.sub(position))] = position
    recorded = {}
    for experiment in stored_experiments.read(store, number):
        if experiment.number != sub:
            recorded[positions.get(experiment.number)] = experiment
    # The nodes of the run itself have no position.
    recorded.pop(None, None)
    return recorded
