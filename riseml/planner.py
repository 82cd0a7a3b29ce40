"""Planner: turns a checked riseml.yml into experiments and jobs.

parameters ──search strategy──▶ experiments          train ──framework──▶ jobs of each experiment
"""

from typing import Any

from riseml import frameworks, search
from riseml.config import ExperimentConfig, TrainConfig
from riseml.dataclass import replace
from riseml.errors import InvalidInputError, RiseMLError, UnsupportedError
from riseml.plan import (
    EarlyStop,
    Experiment,
    ExperimentSet,
    Job,
    Retries,
    Rounds,
    Search,
)
from riseml.schema.fields import LARGEST


def plan(config: ExperimentConfig, seed: int | None = None) -> ExperimentSet:
    """Return the experiments, numbered from 1 in the order of the search strategy, and the jobs of each.

    `seed` is that of a search whose file leaves it open; None draws one.

    Raises:
        InvalidInputError: the file has nothing to train.
        UnsupportedError: Argo cannot distinguish the causes that `retries.on` names.
    """
    train = config.train
    if train is None:
        raise InvalidInputError(
            f"the project '{config.project}' has nothing to train: its file has no 'train'",
            "Write for example train: {image: python:3.12, resources: {cpus: 1, mem: 512}, run: python train.py}.",
        )
    options = _with_seed(train.search.options, seed)
    planned = ExperimentSet(
        project=config.project,
        config=config.text,
        image=train.image,
        jobs=_jobs(train),
        experiments=_experiments(train, options),
        is_set=bool(train.parameters),
        install=train.install,
        build_files=train.build_files,
        secrets=train.secrets,
        framework=train.framework,
        tensorboard=getattr(train.options, "tensorboard", False),
        concurrency=train.concurrency,
        timeout=train.timeout,
        idle_timeout=train.idle_timeout,
        hold=train.hold_on_failure,
        retries=train.retries,
        gang_timeout=train.gang_timeout,
        metrics=train.results,
        isolate_network=train.isolate_network,
        isolated=train.isolated,
        names_image=train.names_image,
        queue=train.queue,
        priority=train.priority,
        search=_search(train, options),
        early_stop=_early_stop(train, options),
        rounds=_rounds(train, options),
    )
    _check_retries(planned)
    return planned


def _jobs(train: TrainConfig) -> tuple[Job, ...]:
    job = Job(type="train", run=train.run, resources=train.resources, env=train.env)
    framework = frameworks.find(train.framework)
    return framework.distribute(job, train.options, train.image)


def _with_seed(options: Any, seed: int | None) -> Any:
    """Return the options of a search with a seed, if it has one that the file leaves open."""
    if getattr(options, "seed", 0) is not None:
        return options
    # Few searches have a seed, and this takes 1 ms to load.
    import random  # noqa: PLC0415

    # A seed only has to differ between runs; nothing is secret about it.
    drawn = random.randint(0, LARGEST)  # noqa: S311
    return replace(options, seed=drawn if seed is None else seed)


def _search(train: TrainConfig, options: Any) -> Search:
    config = train.search
    seed = getattr(options, "seed", None)
    rounds = _rounds(train, options)
    batch = rounds.batch if rounds else 0
    return Search(config.method, seed, config.metric, config.mode, batch)


def _experiments(train: TrainConfig, options: Any) -> tuple[Experiment, ...]:
    # A single experiment has nothing to search.
    if not train.parameters:
        return (Experiment(1, {}),)
    if train.experiments:
        return _listed(train)
    strategy = search.find(train.search.method)
    if search.has_rounds(strategy):
        subs = range(1, strategy.size(train.parameters, options) + 1)
        return tuple(Experiment(sub, {}) for sub in subs)
    trials = strategy.trials(train.parameters, options)
    names = train.parameters.keys()
    for trial in trials:
        # A missing value would surface only as a placeholder left in a job's command.
        if trial.keys() != names:
            raise RiseMLError(
                f"the search strategy '{train.search.method}' does not give every parameter a value",
                "Report this to its authors, or choose another strategy.",
            )
    experiments = []
    brackets = search.brackets(strategy, len(trials), options)
    for sub, (trial, bracket) in enumerate(zip(trials, brackets, strict=True), 1):
        experiments.append(Experiment(sub, trial, bracket))
    return tuple(experiments)


def _rounds(train: TrainConfig, options: Any) -> Rounds | None:
    strategy = search.find(train.search.method)
    if not search.has_rounds(strategy) or not train.parameters:
        return None
    return search.rounds(strategy, train.parameters, options, train.concurrency)


def _listed(train: TrainConfig) -> tuple[Experiment, ...]:
    """Return experiments that are listed: each parameter has one value for each."""
    names = train.parameters.keys()
    columns = []
    for values in train.parameters.values():
        # A list of values is never a distribution.
        assert isinstance(values, tuple)  # noqa: S101
        columns.append(values)
    rows = zip(*columns, strict=True)
    return tuple(
        Experiment(sub, dict(zip(names, row, strict=True)))
        for sub, row in enumerate(rows, 1)
    )


def _early_stop(train: TrainConfig, options: Any) -> EarlyStop | None:
    rule = search.early_stop(search.find(train.search.method), options)
    if rule is None or not train.parameters:
        return None
    # The metric of the search is the first one.
    return replace(rule, metric=train.results[0])


def _check_retries(planned: ExperimentSet) -> None:
    chooses_causes = set(planned.retries.on) != set(Retries().on)
    if planned.is_gang and planned.retries.count and chooses_causes:
        # Argo retries a gang as one template, whose failure carries no cause.
        raise UnsupportedError(
            "`retries.on` does not work with several jobs per experiment: they are retried together, and Argo "
            "reports only that the experiment failed",
            f"Write retries: {planned.retries.count}.",
        )
