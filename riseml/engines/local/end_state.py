"""State of a run for a command that waits for its end: little is read before that."""

from riseml.dataclass import replace
from riseml.engines.local.controller import stored_experiments
from riseml.engines.local.reader import HomeReader
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus


def read(reader: HomeReader, run: Id) -> SetStatus:
    """Return a run, in full once it has ended, or the experiment that the id names has.

    Before, it has no experiments but that one.
    """
    store, number = reader.store(), reader.number(run)
    row = reader.summary_row(number)
    summary = reader.summary(store, row, experiments=False)
    state = summary.state
    experiments: tuple[ExperimentStatus, ...] = ()
    if run.sub is not None:
        experiment = stored_experiments.read_one(store, number, run.sub)
        if experiment is None:
            # A single experiment has no number of its own.
            return reader.read_to_follow(run)
        state, experiments = experiment.state, (experiment,)
    if state.is_terminal:
        return reader.read_to_follow(run)
    return replace(summary, experiments=experiments)
