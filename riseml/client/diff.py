"""Difference of two runs or experiments, or of one and the project's folder as it is now."""

import difflib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riseml import labels
from riseml.client import code, config_file
from riseml.client.context import ClientContext
from riseml.dataclass import dataclass, field, replace
from riseml.engines.code import KnowsPackages
from riseml.errors import ConfigError, InvalidInputError, RiseMLError
from riseml.ids import Id
from riseml.project.revision_diff import CodeDifference, StoredRevision, compare
from riseml.status import ExperimentStatus, JobStatus, SetStatus
from riseml.status.select import pick
from riseml.status.shards import seen_from

if TYPE_CHECKING:
    from riseml.plan import ExperimentSet

NOW = "now"
"""Name of the project's folder as it is now, in place of an id."""

Pair = tuple[Any, Any]
"""A value of the first and of the second run; None where one has none."""


@dataclass(frozen=True)
class ExperimentPair:
    """Two experiments, and the results in which they differ.

    `parameters` are those of both, none if they differ.
    """

    old: str
    new: str
    parameters: Mapping[str, str]
    results: Mapping[str, Pair]


@dataclass(frozen=True)
class Difference:
    """What differs between `old` and `new`, which are ids; `new` may be `now`.

    `code` is None if nothing is known of the code of one of them. `configuration` is a
    unified diff of the texts of riseml.yml. `properties` are git, image, base_image,
    image_key and framework. `packages` are those of the environments, with their versions;
    None if they are not known. `pairs` are experiments of both with the same parameters, or
    the only ones. `only_old` and `only_new` count experiments without a counterpart.
    """

    old: str
    new: str
    is_same_run: bool = False
    code: CodeDifference | None = None
    configuration: str = ""
    parameters: Mapping[str, Pair] = field(default_factory=dict)
    properties: Mapping[str, Pair] = field(default_factory=dict)
    packages: Mapping[str, Pair] | None = None
    pairs: tuple[ExperimentPair, ...] = ()
    only_old: int = 0
    only_new: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Side:
    """One of the two: a run, the experiments of it that are compared, and its code."""

    name: str
    run: SetStatus
    experiments: Sequence[ExperimentStatus]
    packages: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()


def difference(
    context: ClientContext,
    old_id: str | Id,
    new_id: str | Id | None,
    path: str | Path,
    *,
    gitignore: bool | None,
) -> Difference:
    """Return the difference of two runs; see `Client.diff`."""
    old = _stored(context, old_id)
    if new_id is None:
        new = _current(context, Path(path), old, gitignore=gitignore)
    else:
        new = _stored(context, new_id)
    parameters = _different(_parameters(old), _parameters(new))
    pairs, only_old, only_new = _pairs(old, new)
    if old.run == new.run:
        return Difference(
            old.name,
            new.name,
            is_same_run=True,
            parameters=parameters,
            pairs=pairs,
            only_old=only_old,
            only_new=only_new,
        )
    notes = [*old.notes, *new.notes]
    code_difference = None
    try:
        code_difference = compare(_revision(context, old), _revision(context, new))
    except RiseMLError as error:
        # The rest can be compared without the code.
        notes.append(f"The code is not compared: {error}.")
    packages = None
    if old.packages is not None and new.packages is not None:
        packages = _different(old.packages, new.packages)
    return Difference(
        old.name,
        new.name,
        code=code_difference,
        configuration=_configuration(old, new),
        parameters=parameters,
        properties=_properties(old.run, new.run),
        packages=packages,
        pairs=pairs,
        only_old=only_old,
        only_new=only_new,
        notes=tuple(notes),
    )


def _stored(context: ClientContext, id: str | Id) -> _Side:
    """Return a run or an experiment that exists."""
    parsed = context.find_id(id)
    run = context.read(parsed)
    status = pick(run, parsed)
    if isinstance(status, JobStatus):
        raise InvalidInputError(
            f"{parsed} is a job", f"Compare its experiment: {parsed.experiment}."
        )
    experiments = run.experiments
    if isinstance(status, ExperimentStatus):
        experiments = (status,)
        run = seen_from(run, status)
    packages = None
    if isinstance(context.engine, KnowsPackages):
        packages = context.engine.packages(run)
    return _Side(str(parsed), run, experiments, packages)


def _current(
    context: ClientContext, path: Path, old: _Side, *, gitignore: bool | None
) -> _Side:
    """Return the project's folder as it is now, as if it were a run."""
    from riseml.project import user_git

    folder = path.absolute().parent
    # What cannot be read is not compared.
    run = replace(old.run, id=NOW, config=_text(path))
    experiments = old.experiments
    notes: tuple[str, ...] = ()
    try:
        plan = config_file.plan(config_file.load(path))
    except RiseMLError as error:
        notes = (f"riseml.yml cannot be read: {_first_line(error)}",)
    else:
        experiments = _planned(plan)
        framework = plan.framework or ""
        run = replace(run, project=plan.project, image=plan.image, framework=framework)
    snapshot = code.keeper(context).record(
        run.project, folder, gitignore=context.uses_gitignore(gitignore)
    )
    run = replace(run, revision=snapshot.revision, git=user_git.read(folder))
    return _Side(NOW, run, experiments, notes=notes)


def _first_line(error: RiseMLError) -> str:
    faults = error.faults if isinstance(error, ConfigError) else (error,)
    return str(faults[0]).partition("\n")[0]


def _text(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text("utf-8")
    raise InvalidInputError(
        f"there is no {path} to compare with",
        "Go to the project's folder, or name two runs.",
    )


def _planned(plan: "ExperimentSet") -> list[ExperimentStatus]:
    experiments = []
    for experiment in plan.experiments:
        experiments.append(ExperimentStatus(NOW, parameters=experiment.parameters))
    return experiments


def _revision(context: ClientContext, side: _Side) -> StoredRevision:
    return StoredRevision(code.repository(context, side.run), side.run.revision)


def _configuration(old: _Side, new: _Side) -> str:
    """Return the unified diff of two texts of riseml.yml."""
    lines = difflib.unified_diff(
        old.run.config.splitlines(),
        new.run.config.splitlines(),
        f"riseml.yml ({old.name})",
        f"riseml.yml ({new.name})",
        lineterm="",
    )
    return "".join(map("{}\n".format, lines))


def _parameters(side: _Side) -> dict[str, str]:
    """Return the values of each parameter, in the order of the experiments."""
    values: dict[str, dict[str, None]] = {}
    for experiment in side.experiments:
        for name, value in experiment.parameters.items():
            values.setdefault(name, {})[value] = None
    return {name: ", ".join(texts) for name, texts in values.items()}


def _properties(old: SetStatus, new: SetStatus) -> dict[str, Pair]:
    """Return which properties of two runs differ."""
    different = _different(_described(old), _described(new))
    if new.id == NOW:
        # These are only known of a run that has started.
        different.pop("base_image", None)
        different.pop("image_key", None)
    return different


def _planned_image(run: SetStatus) -> str:
    """Return the image that riseml.yml names; empty if the file cannot be read any more."""
    from riseml import config

    with suppress(ConfigError):
        train = config.load_text(run.config).train
        return train.image if train else ""
    return ""


def _described(run: SetStatus) -> dict[str, str]:
    image = run.image
    if image.startswith(labels.ENVIRONMENT):
        # A run whose environment existed has no build, which would name the image.
        image = _planned_image(run)
    fields = {
        "image": image,
        "base_image": run.base_image,
        "image_key": run.image_key,
        "framework": run.framework,
    }
    if run.git:
        fields["git"] = " ".join(filter(None, (run.git.branch, run.git.commit)))
    return {name: value for name, value in fields.items() if value}


def _different(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Pair]:
    pairs = {}
    for name in sorted({*old, *new}):
        pair = old.get(name), new.get(name)
        if pair[0] != pair[1]:
            pairs[name] = pair
    return pairs


def _pairs(old: _Side, new: _Side) -> tuple[tuple[ExperimentPair, ...], int, int]:
    """Return experiments that belong together, and how many of each side do not."""
    if len(old.experiments) == len(new.experiments) == 1:
        return (_pair(old.experiments[0], new.experiments[0]),), 0, 0
    by_parameters = {}
    for experiment in new.experiments:
        by_parameters[frozenset(experiment.parameters.items())] = experiment
    pairs = []
    for experiment in old.experiments:
        key = frozenset(experiment.parameters.items())
        counterpart = by_parameters.pop(key, None)
        if counterpart is not None:
            pairs.append(_pair(experiment, counterpart))
    return tuple(pairs), len(old.experiments) - len(pairs), len(by_parameters)


def _pair(old: ExperimentStatus, new: ExperimentStatus) -> ExperimentPair:
    results = {}
    if new.id != NOW:
        results = _different(_results(old), _results(new))
    is_same = old.parameters == new.parameters
    parameters = old.parameters if is_same else {}
    return ExperimentPair(old.id, new.id, parameters, results)


def _results(experiment: ExperimentStatus) -> dict[str, Any]:
    return {"state": str(experiment.state), **experiment.results}
