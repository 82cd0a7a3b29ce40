"""Planner: turns a checked riseml.yml into experiments and jobs.

parameters ──search strategy──▶ experiments          train ──framework──▶ jobs of each experiment
"""

from riseml import frameworks, search
from riseml.config import ExperimentConfig, TrainConfig
from riseml.errors import InvalidInputError, RiseMLError, UnsupportedError
from riseml.plan import Experiment, ExperimentSet, Job, Retries


def plan(config: ExperimentConfig) -> ExperimentSet:
    """Return the experiments, numbered from 1 in the order of the search strategy, and the jobs of each.

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
    planned = ExperimentSet(
        project=config.project,
        config=config.text,
        image=train.image,
        jobs=_jobs(train),
        experiments=_experiments(train),
        is_set=bool(train.parameters),
        install=train.install,
        build_files=train.build_files,
        secrets=train.secrets,
        framework=train.framework,
        tensorboard=getattr(train.options, "tensorboard", False),
        concurrency=train.concurrency,
        timeout=train.timeout,
        retries=train.retries,
        gang_timeout=train.gang_timeout,
        metrics=train.results,
        isolate_network=train.isolate_network,
        isolated=train.isolated,
    )
    _check_retries(planned)
    return planned


def _jobs(train: TrainConfig) -> tuple[Job, ...]:
    job = Job(type="train", run=train.run, resources=train.resources, env=train.env)
    framework = frameworks.find(train.framework)
    return framework.distribute(job, train.options, train.image)


def _experiments(train: TrainConfig) -> tuple[Experiment, ...]:
    # A single experiment has nothing to search.
    if not train.parameters:
        return (Experiment(1, {}),)
    strategy = search.find(train.search.strategy)
    trials = strategy.trials(train.parameters, train.search.options)
    names = train.parameters.keys()
    for trial in trials:
        # A missing value would surface only as a placeholder left in a job's command.
        if trial.keys() != names:
            raise RiseMLError(
                f"the search strategy '{train.search.strategy}' does not give every parameter a value",
                "Report this to its authors, or choose another strategy.",
            )
    return tuple(Experiment(sub, trial) for sub, trial in enumerate(trials, 1))


def _check_retries(planned: ExperimentSet) -> None:
    chooses_causes = set(planned.retries.on) != set(Retries().on)
    if planned.is_gang and planned.retries.count and chooses_causes:
        # Argo retries a gang as one template, whose failure carries no cause.
        raise UnsupportedError(
            "`retries.on` does not work with several jobs per experiment: they are retried together, and Argo "
            "reports only that the experiment failed",
            f"Write retries: {planned.retries.count}.",
        )
