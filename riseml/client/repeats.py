"""Experiments that run again: in a new run, or as further attempts in their set.

    rerun 14    ──▶ run 15: the code, configuration and experiments of 14
    retry 14    ──▶ run 14: a further attempt of each experiment that has not finished

What an experiment ran is recorded with the Workflow that ran it, so experiments of
several Workflows may need several again. Only the engine decides whether a Workflow can
be added to a run: of two commands that repeat the same experiment, one is refused, reads
the run again, and finds nothing left to repeat.
"""

from collections.abc import Iterable, Sequence
from itertools import filterfalse
from operator import attrgetter

from riseml.client import run_code, submissions
from riseml.client.context import ClientContext
from riseml.client.repeat_types import FolderCode, Grown, Repetition
from riseml.client.run_code import Code
from riseml.client.selected import Selection, numbered
from riseml.dataclass import replace
from riseml.engines import Growth
from riseml.errors import InvalidInputError
from riseml.ids import Id
from riseml.plan import Experiment, ExperimentSet
from riseml.status import ExperimentStatus, SetStatus, attempts
from riseml.status.shards import shard_of

Group = tuple[Code, list[Experiment]]
"""Experiments that run the same code."""


def rerun(context: ClientContext, name: str | Id) -> Repetition:
    """Start a run with what another one ran; see `Client.rerun`."""
    subject = context.find_id(
        context.experiment_id(name, "can only run experiments again")
    )
    run = context.read(subject)
    chosen = list(run.experiments)
    if subject.sub is not None and run.is_set:
        chosen = [numbered(run, subject.sub)]
    groups = _without_search(_as_new(_by_code(run, chosen), chosen))
    (code, experiments), *further = groups
    submitted = submissions.start(context, code, experiments)
    for shard, (other_code, others) in enumerate(further, start=2):
        growth = Growth(submitted.number, shard)
        submissions.start(context, other_code, others, growth)
    return Repetition(
        id=str(submitted.number),
        name=submitted.name,
        project=run.project,
        is_set=submitted.is_set,
        experiments=len(chosen),
        revision=code.revision,
        notes=submitted.notes,
        tensorboard=submissions.tensorboard(context, submitted, code.plan),
    )


def _as_new(groups: list[Group], chosen: Sequence[ExperimentStatus]) -> list[Group]:
    """Return groups without attempts; a single experiment has the number 1."""
    fresh = []
    for code, experiments in groups:
        first_attempts = []
        for experiment in experiments:
            sub = experiment.sub if len(chosen) > 1 else 1
            first_attempts.append(replace(experiment, sub=sub, attempts=0))
        fresh.append((code, first_attempts))
    return fresh


def retry(
    context: ClientContext,
    names: Sequence[str | Id],
    *,
    failed: bool,
    missing: bool,
    folder: FolderCode | None,
    resume: bool,
    other_code: bool,
) -> Grown:
    """Repeat experiments in their set; see `Client.retry`."""
    selection = Selection.of(context, names, failed=failed, missing=missing)
    code = run_code.current(context, folder) if folder else None
    started: dict[int, str] = {}

    def repeat(run: SetStatus) -> Grown:
        chosen = selection.choose(run, started)
        if code is None:
            groups = _by_code(run, chosen)
        else:
            groups = _with_code(context, run, chosen, code, other_code=other_code)
        if resume:
            groups = [(each, _in_place(run, items)) for each, items in groups]
        return _repeat(context, run, groups, started)

    return submissions.until_unchanged(context, selection.run, repeat)


def _repeat(
    context: ClientContext,
    run: SetStatus,
    groups: Iterable[Group],
    started: dict[int, str],
) -> Grown:
    """Start Workflows with further attempts; enter in `started` what has been started."""
    shard = run.workflows[-1].index
    notes: list[str] = []
    url = None
    for code, experiments in _without_search(groups):
        shard += 1
        plan = code.plan
        if submissions.serves_tensorboard(run):
            plan = replace(plan, tensorboard=False)
        growth = Growth(run.number or 0, shard)
        own_code = replace(code, plan=plan)
        submitted = submissions.start(context, own_code, experiments, growth)
        notes += submitted.notes
        url = url or submissions.tensorboard(context, submitted, plan)
        for experiment in experiments:
            started[experiment.sub] = numbered(run, experiment.sub).id
    ids = [started[sub] for sub in sorted(started)]
    return Grown(run.id, run.project, run.is_set, tuple(ids), tuple(notes), (), url)


def _without_search(groups: Iterable[Group]) -> Iterable[Group]:
    """Yield groups in which a search chooses either all parameters or none.

    Experiments whose parameters it has chosen already keep them.
    """
    for code, experiments in groups:
        if code.plan.rounds is None:
            yield code, experiments
            continue
        has_parameters = attrgetter("parameters")
        chosen = list(filter(has_parameters, experiments))
        others = filterfalse(has_parameters, experiments)
        unchosen = _in_one_range([replace(item, attempts=0) for item in others])
        if chosen:
            yield replace(code, plan=replace(code.plan, rounds=None)), chosen
        if unchosen:
            yield code, unchosen


def _in_one_range(experiments: list[Experiment]) -> list[Experiment]:
    """Return experiments without parameters, whose numbers must follow each other."""
    subs = [experiment.sub for experiment in experiments]
    if subs and subs != list(range(subs[0], subs[0] + len(subs))):
        raise InvalidInputError(
            "a search chooses the parameters of all its missing experiments in order",
            "Repeat all of them: name the set.",
        )
    return experiments


def _by_code(run: SetStatus, experiments: Iterable[ExperimentStatus]) -> list[Group]:
    """Return experiments in groups that ran the same, each with what it ran."""
    groups: list[Group] = []
    positions: dict[tuple[str, ...], int] = {}
    for experiment in experiments:
        shard = shard_of(run, experiment.shard)
        key = (shard.revision, shard.config, shard.base_image, shard.runner)
        if key not in positions:
            positions[key] = len(groups)
            groups.append((run_code.recorded(run, shard), []))
        code, group = groups[positions[key]]
        group.append(_planned(code.plan, experiment))
    return groups


def _planned(plan: ExperimentSet, experiment: ExperimentStatus) -> Experiment:
    """Return the next attempt of an experiment."""
    sub = experiment.number
    planned = Experiment(sub, experiment.parameters)
    for candidate in plan.experiments[sub - 1 : sub]:
        # The search strategy may have said more about it.
        if candidate.parameters == experiment.parameters:
            planned = candidate
    earlier = attempts.count(experiment)
    return replace(planned, attempts=earlier, resume=experiment.resume)


def _with_code(
    context: ClientContext,
    run: SetStatus,
    chosen: Sequence[ExperimentStatus],
    code: Code,
    *,
    other_code: bool,
) -> list[Group]:
    """Return experiments with the code of a folder, once it may be other code than theirs."""
    if not chosen:
        return []
    names = set(code.plan.parameters)
    for experiment in chosen:
        if experiment.parameters and set(experiment.parameters) != names:
            raise InvalidInputError(
                f"{experiment.id} has other parameters than riseml.yml declares",
                "Declare the same ones, or start a new run.",
            )
    for index in sorted({experiment.shard for experiment in chosen}):
        run_code.check_same(
            context, run, shard_of(run, index), code, other_code=other_code
        )
    same_runner = replace(code, runner=run_code.runner_of(run.workflows[-1]))
    planned = [_planned(code.plan, experiment) for experiment in chosen]
    return [(same_runner, planned)]


def _in_place(run: SetStatus, experiments: Iterable[Experiment]) -> list[Experiment]:
    """Return experiments that find their own output at /resume."""
    continued = []
    for experiment in experiments:
        folder = submissions.output_path(run, experiment.sub)
        continued.append(replace(experiment, resume=folder))
    return continued
