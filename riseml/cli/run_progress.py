"""Progress of experiments and runs as text: a bar, a share, and how long the rest may take."""

from datetime import datetime, timedelta

from riseml import phrases
from riseml.cli.terminal import Terminal
from riseml.status import TERMINAL, ExperimentStatus, SetStatus, State, estimate

_BAR_CELLS = 8
_SET_BAR_CELLS = 20
# On narrower terminals, a bar would take the room of parameters and results.
_LEAST_WIDTH_WITH_BAR = 80


def of_experiment(
    experiment: ExperimentStatus, screen: Terminal, now: datetime, *, exact: bool
) -> str:
    """Return `[###-----] 40%, 2 min left`; `exact` writes `4/10` for the share."""
    done = estimate.share(experiment.progress)
    if experiment.progress is None or done is None:
        return ""
    phrase = f"{done:.0%}"
    if exact:
        phrase = "{}/{}".format(*experiment.progress)
    if experiment.state is not State.RUNNING:
        return phrase
    time_left = _time_left(estimate.of_experiment(experiment, now))
    return f"{_bar(done, _BAR_CELLS, screen)}{phrase}{time_left}"


def of_set(run: SetStatus, screen: Terminal, now: datetime) -> str:
    """Return `[##########----------] 30 of 60 ended, 14 min left`."""
    ended, total = _ended(run)
    phrase = f"{ended} of {total} ended"
    if run.state.is_terminal:
        return phrase
    time_left = _time_left(estimate.of_set(run, now))
    return f"{_bar(ended / total, _SET_BAR_CELLS, screen)}{phrase}{time_left}"


def of_run(run: SetStatus, screen: Terminal, now: datetime) -> str:
    """Return the progress of a listed run, "" where it is not known."""
    if run.is_set:
        ended, total = _ended(run)
        time_left = _time_left(estimate.of_set(run, now))
        return f"{_bar(ended / total, _BAR_CELLS, screen)}{ended} of {total}{time_left}"
    (experiment, *_) = (*run.experiments, ExperimentStatus(run.id))
    return of_experiment(experiment, screen, now, exact=False)


def _ended(run: SetStatus) -> tuple[int, int]:
    """Return how many experiments have ended, of how many."""
    ended = sum(map(run.counts.__getitem__, TERMINAL & run.counts.keys()))
    return ended, max(sum(run.counts.values()), 1)


def _time_left(remaining: timedelta | None) -> str:
    return "" if remaining is None else f", {phrases.rough(remaining)} left"


def _bar(share: float, cells: int, screen: Terminal) -> str:
    has_room = (screen.width or 0) >= _LEAST_WIDTH_WITH_BAR
    if not screen.interactive or not has_room:
        return ""
    filled = int(share * cells)
    return f"[{'#' * filled}{'-' * (cells - filled)}] "
