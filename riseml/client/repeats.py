"""Experiments that run again: in a new run, or as further attempts in their set.

    rerun 14    ──▶ run 15: the code, configuration and experiments of 14
    retry 14    ──▶ run 14: a further attempt of each experiment that has not finished

What an experiment ran is recorded with the Workflow that ran it, so experiments of
several Workflows may need several again. Only the engine decides whether a Workflow can
be added to a run: of two commands that repeat the same experiment, one is refused, reads
the run again, and finds nothing left to repeat.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from riseml.client.context import ClientContext, experiment_id, run_of
from riseml.client.explain import tensorboard_url
from riseml.client.types import Grown, Repetition
from riseml.engines import Growth, Submission, Submitted
from riseml.errors import (
    ChangedMeanwhileError,
    ConfigError,
    InvalidInputError,
    RiseMLError,
)
from riseml.ids import Id
from riseml.plan import Experiment, ExperimentSet, GitState
from riseml.status import ExperimentStatus, SetStatus, ShardStatus, State
from riseml.status import attempts as attempts_
from riseml.status.shards import shard_of

if TYPE_CHECKING:
    pass

# Other commands may change the same run so often before this one gives up.
_TRIES = 10


@dataclass(frozen=True)
class Code:
    """What experiments run: the plan of their jobs, and where their code and image come from."""

    plan: ExperimentSet
    revision: str
    excluded: Mapping[str, tuple[str, ...]]
    git: GitState | None = None
    base: str = ""
    node: str = ""


def rerun(context: ClientContext, name: str | Id) -> Repetition:
    """Start a run with what another one ran; see `Client.rerun`."""
    subject = context.find_id(experiment_id(name, "can only run experiments again"))
    run = context.read(subject)
    chosen = list(run.experiments)
    if subject.sub is not None and run.is_set:
        chosen = [_numbered(run, subject.sub)]
    groups = _by_code(run, chosen, are_attempts=False)
    (code, experiments), *further = groups
    submitted = _start(context, code, experiments, None)
    for shard, (code, experiments) in enumerate(further, start=2):
        growth = Growth(submitted.number, shard)
        _start(context, code, experiments, growth)
    return Repetition(
        id=str(submitted.number),
        name=submitted.name,
        project=run.project,
        is_set=submitted.is_set,
        experiments=len(chosen),
        revision=run.revision,
        notes=submitted.notes,
        tensorboard=_tensorboard(context, submitted, code.plan),
    )


def retry(
    context: ClientContext,
    names: Sequence[str | Id],
    *,
    failed: bool,
    missing: bool,
) -> Grown:
    """Repeat experiments in their set; see `Client.retry`."""
    selection = Selection.of(context, names, failed=failed, missing=missing)
    started: dict[int, ExperimentStatus] = {}
    for _ in range(_TRIES):
        run = context.read(selection.run)
        chosen = selection.choose(run, started)
        try:
            return _repeat(context, run, chosen, started)
        except ChangedMeanwhileError as error:
            refused = error
    raise refused


def _repeat(
    context: ClientContext,
    run: SetStatus,
    chosen: Sequence[ExperimentStatus],
    started: dict[int, ExperimentStatus],
) -> Grown:
    """Start Workflows with further attempts; enter in `started` what has been started."""
    shard = _last_shard(run)
    notes: list[str] = []
    url = None
    for code, experiments in _by_code(run, chosen, are_attempts=True):
        shard += 1
        growth = Growth(run.number or 0, shard)
        submitted = _start(context, code, experiments, growth)
        notes += submitted.notes
        url = url or _tensorboard(context, submitted, code.plan)
        for experiment in experiments:
            started[experiment.sub] = _numbered(run, experiment.sub)
    ids = [started[sub].id for sub in sorted(started)]
    return Grown(run.id, run.project, run.is_set, tuple(ids), tuple(notes), url)


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
        ids = [experiment_id(name, "can only repeat experiments") for name in names]
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
        self, run: SetStatus, started: Mapping[int, ExperimentStatus]
    ) -> list[ExperimentStatus]:
        """Return the experiments to repeat, without those that this command has started.

        Raises:
            InvalidInputError: a named experiment has finished, or has not ended.
        """
        if not self.subs:
            return list(filter(self._qualifies, run.experiments))
        named = [sub for sub in self.subs if sub not in started]
        return [_repeatable(_numbered(run, sub)) for sub in named]

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


def _numbered(run: SetStatus, sub: int) -> ExperimentStatus:
    """Return the experiment of a number.

    Raises:
        NotFoundError: there is none.
    """
    from riseml.engines.selection import run_or_experiment

    selected = run_or_experiment(run, Id(number=run.number, sub=sub))
    # The id has a number of an experiment.
    assert isinstance(selected, ExperimentStatus)  # noqa: S101
    return selected


def _last_shard(run: SetStatus) -> int:
    return max(shard.index for shard in run.workflows)


def _by_code(
    run: SetStatus,
    experiments: Iterable[ExperimentStatus],
    *,
    are_attempts: bool,
) -> list[tuple[Code, list[Experiment]]]:
    """Return experiments in groups that ran the same, each with what it ran."""
    groups: list[tuple[Code, list[Experiment]]] = []
    by_shard: dict[tuple[str, str, str], int] = {}
    for experiment in experiments:
        shard = shard_of(run, experiment.shard)
        key = (shard.revision, shard.config, shard.base_image)
        if key not in by_shard:
            by_shard[key] = len(groups)
            groups.append((code_of(run, shard), []))
        code, group = groups[by_shard[key]]
        group.append(_planned(code.plan, experiment, is_attempt=are_attempts))
    return groups


def code_of(run: SetStatus, shard: ShardStatus) -> Code:
    """Return what the experiments of one Workflow of a run ran.

    Raises:
        RiseMLError: nothing says that any more, or this version cannot read it.
    """
    if not (shard.config and shard.revision):
        raise RiseMLError(
            f"what {run.id} ran is not recorded, so it cannot be repeated",
            "Only runs that `riseml train` has started can.",
        )
    from riseml import config, planner

    try:
        plan = planner.plan(config.load_text(shard.config, f"riseml.yml of {run.id}"))
    except ConfigError as error:
        raise RiseMLError(
            f"this version of riseml cannot read the riseml.yml of {run.id}: {error}",
            "Use the version that started it.",
        ) from error
    plan = replace(plan, tensorboard=plan.tensorboard and not _serves_tensorboard(run))
    return Code(plan, shard.revision, run.excluded, run.git, shard.base_image)


def _serves_tensorboard(run: SetStatus) -> bool:
    """Return whether the TensorBoard of a run still serves it."""
    for job in run.jobs:
        if job.type == "tensorboard" and not job.state.is_terminal:
            return not run.state.is_terminal
    return False


def _planned(
    plan: ExperimentSet, experiment: ExperimentStatus, *, is_attempt: bool
) -> Experiment:
    """Return the experiment of a plan that has run before."""
    sub = experiment.sub or 1
    planned = Experiment(sub, experiment.parameters)
    for candidate in plan.experiments[sub - 1 : sub]:
        # The search strategy may have said more about it.
        if candidate.parameters == experiment.parameters:
            planned = candidate
    earlier = attempts_.count(experiment) if is_attempt else 0
    return replace(planned, attempts=earlier, resume=experiment.resume)


def _start(
    context: ClientContext,
    code: Code,
    experiments: Sequence[Experiment],
    growth: Growth | None,
) -> Submitted:
    plan = replace(
        code.plan,
        experiments=tuple(experiments),
        workdir_limit=context.settings.workdir_limit,
    )
    submission = Submission(
        plan,
        code.revision,
        dict(os.environ),
        code.node,
        code.excluded,
        git=code.git,
        into=growth,
        base=code.base,
    )
    return context.engine.start(submission)


def _tensorboard(
    context: ClientContext, submitted: Submitted, plan: ExperimentSet
) -> str | None:
    if not plan.tensorboard:
        return None
    return tensorboard_url(context.engine, Id(number=submitted.number))
