"""Status of a run from the rows of its Workflows: what was recorded at their ends, else their nodes."""

from collections.abc import Mapping, Sequence
from typing import Any

from riseml.dataclass import replace
from riseml.engines.local import marks
from riseml.engines.local.controller import stored_experiments
from riseml.engines.local.queries import Queries
from riseml.errors import DamagedError
from riseml.status import SetStatus
from riseml.status.shards import merged


def read(
    store: Queries, keys: Sequence[int], *, brief: bool = False, sub: int | None = None
) -> SetStatus:
    """Return the status of a run whose Workflows have these keys, in their order.

    With `brief`, experiments of a set that are not at work may lack their jobs, but not
    the one with the number `sub`.

    Raises:
        DamagedError: a record cannot be read.
    """
    # Experiments of several Workflows are merged by their jobs.
    if brief and len(keys) == 1:
        run = _brief(store, keys[0], sub)
    else:
        run = merged([_complete(store, key) for key in keys])
    (marked,) = marks.added(store, [run], run.number)
    return marked


def _brief(store: Queries, key: int, sub: int | None) -> SetStatus:
    """Return the status of a Workflow; most experiments have no jobs, as `read` says."""
    data = store.final_outline(key)
    if data is None:
        # Ended runs do not need the interpreter.
        from riseml.engines.local.controller import brief_status  # noqa: PLC0415

        return brief_status.read(store, key, sub)
    if sub is not None and data.get("experiments"):
        # SQLite cannot read it, so it cannot read one of its experiments either.
        return _decoded(store, key, data)
    run = _decoded(store, key, {**data, "experiments": ()})
    try:
        experiments = stored_experiments.read(store, key)
    except DamagedError:
        # The record has the experiment whose row is damaged.
        return _complete(store, key)
    is_known = len(experiments) == sum(run.counts.values())
    for position, experiment in enumerate(experiments):
        if experiment.number == sub:
            recorded = store.final_experiment(key, position)
            one = _decoded(store, key, {**data, "experiments": [recorded]})
            (experiments[position],) = one.experiments
            # The record has all experiments in their order, unless somebody changed it.
            is_known = is_known and experiments[position].id == experiment.id
    if not is_known:
        return _complete(store, key)
    return replace(run, experiments=tuple(experiments))


def _complete(store: Queries, key: int) -> SetStatus:
    final = store.final_status(key)
    return _computed(store, key) if final is None else _decoded(store, key, final)


def _decoded(store: Queries, key: int, data: Mapping[str, Any]) -> SetStatus:
    # Lists have a shorter record.
    from riseml.status.data import from_data  # noqa: PLC0415

    try:
        return from_data(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise store.damaged(key, f"the status ({error!r})") from error


def _computed(store: Queries, key: int) -> SetStatus:
    # Ended runs do not need the interpreter.
    from riseml import status  # noqa: PLC0415
    from riseml.engines.local.controller import stored_run  # noqa: PLC0415

    row = store.run(key)
    # The caller has just found this key.
    assert row is not None  # noqa: S101
    document = stored_run.stored_document(store, row)
    document["status"] = stored_run.replay(store, key, document).status()
    return status.read(document)
