"""Status of a run from the rows of its Workflows: what was recorded at their ends, else their nodes."""

from collections.abc import Sequence

from riseml.engines.local import marks
from riseml.engines.local.queries import Queries
from riseml.status import SetStatus
from riseml.status.shards import merged


def read(store: Queries, keys: Sequence[int]) -> SetStatus:
    """Return the status of a run whose Workflows have these keys, in their order.

    Raises:
        DamagedError: a record cannot be read.
    """
    run = merged([_read(store, key) for key in keys])
    (marked,) = marks.added(store, [run], run.number)
    return marked


def _read(store: Queries, key: int) -> SetStatus:
    final = store.final_status(key)
    if final is None:
        return _computed(store, key)
    # Lists have a shorter record.
    from riseml.status.data import from_data  # noqa: PLC0415

    try:
        return from_data(final)
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
