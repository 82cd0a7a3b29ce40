"""Experiments of a run that a command names, or that qualify to be repeated."""

from collections.abc import Collection, Sequence

from riseml.client.context import ClientContext, run_of
from riseml.dataclass import dataclass
from riseml.engines.selection import run_or_experiment
from riseml.errors import InvalidInputError
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus, State


@dataclass(frozen=True)
class Selection:
    """Experiments of one run to repeat: those named by `subs`, or all that qualify."""

    run: Id
    subs: tuple[int, ...]
    failed: bool
    missing: bool

    @classmethod
    def of(
        cls,
        context: ClientContext,
        names: Sequence[str | Id],
        *,
        failed: bool,
        missing: bool,
    ) -> "Selection":
        """Return the selection of a command's ids.

        Raises:
            InvalidInputError: they do not belong to one run of the user.
        """
        ids = [
            context.experiment_id(name, "can only repeat experiments") for name in names
        ]
        ids = ids or [context.find_id(None)]
        runs = set(map(run_of, ids))
        if len(runs) > 1:
            raise InvalidInputError(
                "the experiments belong to different runs",
                "Repeat those of one run at a time.",
            )
        run = runs.pop()
        if run.user not in (None, context.engine.user):
            raise InvalidInputError(
                f"{run} belongs to another user", "You can repeat your own experiments."
            )
        subs = [named.sub for named in ids if named.sub is not None]
        if subs and (failed or missing or len(subs) < len(ids)):
            raise InvalidInputError(
                "name either a set or some of its experiments",
                f"Write for example `riseml retry {run.number} --failed`"
                f" or `riseml retry {run.number}.3 {run.number}.5`.",
            )
        return cls(run, tuple(dict.fromkeys(subs)), failed, missing)

    def choose(
        self, run: SetStatus, started: Collection[int]
    ) -> list[ExperimentStatus]:
        """Return the experiments to repeat, without those that this command has started.

        Raises:
            InvalidInputError: a named experiment has finished, or has not ended.
        """
        if not self.subs:
            return list(filter(self._qualifies, run.experiments))
        named = [sub for sub in self.subs if sub not in started]
        return [_repeatable(numbered(run, sub)) for sub in named]

    def _qualifies(self, experiment: ExperimentStatus) -> bool:
        states = set()
        if self.failed or not self.missing:
            states.add(State.FAILED)
        if self.missing or not self.failed:
            states.add(State.KILLED)
        return experiment.state in states


def _repeatable(experiment: ExperimentStatus) -> ExperimentStatus:
    if experiment.state is State.FINISHED:
        raise InvalidInputError(
            f"{experiment.id} has finished, so its set does not repeat it",
            f"`riseml rerun {experiment.id}` runs it once more, as a new run.",
        )
    if not experiment.state.is_terminal:
        raise InvalidInputError(
            f"{experiment.id} has not ended (it is {experiment.state})",
            f"`riseml kill {experiment.id}` ends it.",
        )
    return experiment


def numbered(run: SetStatus, sub: int) -> ExperimentStatus:
    """Return the experiment of a number.

    Raises:
        NotFoundError: there is none.
    """
    selected = run_or_experiment(run, Id(number=run.number, sub=sub))
    # The id has a number of an experiment.
    assert isinstance(selected, ExperimentStatus)  # noqa: S101
    return selected
