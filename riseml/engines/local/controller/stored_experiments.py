"""Experiments of a run as their rows have them: without jobs."""

from riseml.engines.local.queries import Queries
from riseml.engines.local.serialize import experiment_from_data
from riseml.status import ExperimentStatus


def read(store: Queries, number: int) -> list[ExperimentStatus]:
    """Return the experiments of a run, in their order.

    Raises:
        DamagedError: a row cannot be read.
    """
    try:
        return list(map(experiment_from_data, store.experiments(number)))
    except (LookupError, TypeError, ValueError) as error:
        raise store.damaged(number, f"an experiment ({error!r})") from error


def read_one(store: Queries, number: int, sub: int) -> ExperimentStatus | None:
    """Return one experiment of a run, None if it has no row.

    Raises:
        DamagedError: its row cannot be read.
    """
    data = store.experiment(number, sub)
    if data is None:
        return None
    try:
        return experiment_from_data(data)
    except (LookupError, TypeError, ValueError) as error:
        raise store.damaged(number, f"experiment {sub} ({error!r})") from error
