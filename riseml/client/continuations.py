"""Experiments that continue from an earlier run: added to a set, or with its output.

extend 14   ──▶ run 14: the experiments of a widened grid that it does not have yet
resume 14   ──▶ run 15: each experiment finds the output of its predecessor at /resume
"""

from collections.abc import Iterable, Mapping, Sequence

from riseml.client import run_code, submissions
from riseml.client.context import ClientContext, run_of
from riseml.client.repeat_types import FolderCode, Grown
from riseml.client.selected import numbered
from riseml.dataclass import replace
from riseml.engines import Growth
from riseml.errors import InvalidInputError
from riseml.ids import Id
from riseml.plan import Experiment, ExperimentSet
from riseml.status import ExperimentStatus, SetStatus


def extend(
    context: ClientContext, name: str | Id, folder: FolderCode, *, other_code: bool
) -> Grown:
    """Start the experiments of a folder that a set lacks; see `Client.extend`."""
    subject = context.experiment_id(name, "can only extend sets")
    if subject.sub is not None:
        raise InvalidInputError(
            "can only extend sets", f"{subject} is part of set {run_of(subject)}."
        )
    extended = context.read(subject)
    _check_extensible(extended)
    code = run_code.current(context, folder, extended.seed)

    def grow(run: SetStatus) -> Grown:
        _check_project(run, code.plan)
        missing = _missing(run, code.plan)
        grown = Grown(run.id, run.project, run.is_set, (), (), code.warnings)
        if not missing:
            return grown
        last = run.workflows[-1]
        run_code.check_same(context, run, last, code, other_code=other_code)
        plan = code.plan
        if submissions.serves_tensorboard(run):
            plan = replace(plan, tensorboard=False)
        # The image stays that of the set, even if its tag points to another one now.
        own_code = replace(
            code, plan=plan, base=last.base_image, runner=run_code.runner_of(last)
        )
        growth = Growth(run.number or 0, last.index + 1)
        submitted = submissions.start(context, own_code, missing, growth)
        return replace(
            grown,
            experiments=tuple(f"{run.id}.{experiment.sub}" for experiment in missing),
            notes=submitted.notes,
            tensorboard=submissions.tensorboard(context, submitted, plan),
        )

    return submissions.until_unchanged(context, subject, grow)


def _check_extensible(run: SetStatus) -> None:
    if not run.is_set:
        raise InvalidInputError(
            f"{run.id} is a single experiment, so it cannot be extended",
            "A set is what a riseml.yml with `parameters` starts.",
        )


def _check_project(run: SetStatus, plan: ExperimentSet) -> None:
    if not plan.is_set:
        raise InvalidInputError(
            "riseml.yml has no `parameters`, so it adds no experiments to a set",
            f"`riseml status {run.id}` shows those of the set.",
        )
    if run.project != plan.project:
        raise InvalidInputError(
            f"{run.id} belongs to project {run.project}, not to {plan.project}",
            "Only a set of the same project can be extended.",
        )


def _missing(run: SetStatus, plan: ExperimentSet) -> list[Experiment]:
    """Return the experiments of a plan whose parameters none of a run has."""
    present = {_key(experiment.parameters) for experiment in run.experiments}
    sub = max(experiment.number for experiment in run.experiments)
    if plan.rounds:
        return [experiment for experiment in plan.experiments if experiment.sub > sub]
    missing = []
    for experiment in plan.experiments:
        if _key(experiment.parameters) not in present:
            sub += 1
            missing.append(replace(experiment, sub=sub))
    return missing


def _key(parameters: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(parameters.items())


def resumed(
    context: ClientContext, name: str | Id, plan: ExperimentSet
) -> tuple[ExperimentSet, tuple[str, ...]]:
    """Return a plan whose experiments continue those of a run, and notes about it.

    Raises:
        InvalidInputError: an experiment has not ended, or none has the parameters of
            one in the plan.
    """
    if plan.rounds:
        raise InvalidInputError(
            "experiments whose parameters a search chooses in rounds continue no others",
            "Use method: random or grid with --resume, or start the search without it.",
        )
    subject = context.find_id(
        context.experiment_id(name, "can only continue experiments")
    )
    if subject.user not in {None, context.engine.user}:
        raise InvalidInputError(
            f"{subject} belongs to another user", "You can continue your own runs."
        )
    run = context.read(subject)
    if subject.sub is None and run.is_set:
        predecessors = _matched(run, plan.experiments)
    else:
        single = numbered(run, subject.sub or 1)
        predecessors = dict.fromkeys(
            (experiment.sub for experiment in plan.experiments), single
        )
    if not predecessors:
        raise InvalidInputError(
            f"no experiment of {run.id} has the parameters of one in riseml.yml",
            f"Name the experiment that all of them continue: --resume {run.id}.1",
        )
    experiments = []
    for experiment in plan.experiments:
        path = _output(run, predecessors.get(experiment.sub))
        experiments.append(replace(experiment, resume=path))
    notes = _notes(run, len(experiments) - len(predecessors), len(experiments))
    return replace(plan, experiments=tuple(experiments)), notes


def _output(run: SetStatus, predecessor: ExperimentStatus | None) -> str:
    """Return the output folder of a predecessor, empty without one."""
    if predecessor is None:
        return ""
    if not predecessor.state.is_terminal:
        raise InvalidInputError(
            f"{predecessor.id} has not ended (it is {predecessor.state})",
            f"`riseml kill {predecessor.id}` ends it.",
        )
    return submissions.output_path(run, predecessor.sub)


def _notes(run: SetStatus, lacking: int, total: int) -> tuple[str, ...]:
    if not lacking:
        return ()
    note = (
        f"{lacking} of {total} experiments continue none of {run.id}, because none has"
        " their parameters: they find an empty folder at /resume"
    )
    return (note,)


def _matched(
    run: SetStatus, experiments: Sequence[Experiment]
) -> dict[int, ExperimentStatus]:
    """Return the experiment of a run that each experiment continues, by its number.

    They have the same values of all parameters that distinguish experiments. A
    parameter that is the same everywhere, such as a number of epochs, may differ.
    """
    names = _varying(run.experiments) | _varying(experiments)
    by_values = {}
    for predecessor in run.experiments:
        by_values[_values(predecessor.parameters, names)] = predecessor
    matched = {}
    for experiment in experiments:
        predecessor_found = by_values.get(_values(experiment.parameters, names))
        if predecessor_found is not None:
            matched[experiment.sub] = predecessor_found
    return matched


def _varying(experiments: Iterable[Experiment | ExperimentStatus]) -> set[str]:
    """Return the names of the parameters that have several values."""
    first: dict[str, str] = {}
    names = set()
    for experiment in experiments:
        for name, value in experiment.parameters.items():
            if first.setdefault(name, value) != value:
                names.add(name)
    return names


def _values(
    parameters: Mapping[str, str], names: set[str]
) -> frozenset[tuple[str, str | None]]:
    return frozenset((name, parameters.get(name)) for name in names)
