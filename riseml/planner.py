"""From what the user wrote to what will run: experiments by the grid, jobs by the framework."""

from riseml import frameworks
from riseml.config import ExperimentConfig
from riseml.errors import InvalidInputError, UnsupportedError
from riseml.plan import Experiment, ExperimentSet, Job, Retries
from riseml.search import grid


def plan(config: ExperimentConfig) -> ExperimentSet:
    """Return the experiments, numbered from 1 in the order of the grid, and the jobs that each of them has.

    Raises:
        InvalidInputError: the file has nothing to train.
        UnsupportedError: what it asks for cannot be told apart on Argo.
    """
    train = config.train
    if train is None:
        raise InvalidInputError(
            f"the project '{config.project}' has nothing to train: its file has no 'train'",
            "Write for example train: {image: python:3.12, resources: {cpus: 1, mem: 512}, run: python train.py}.",
        )
    job = Job(type="train", run=train.run, resources=train.resources, env=train.env)
    jobs = frameworks.find(train.framework).distribute(job, train.options, train.image)
    trials = grid.trials(train.parameters)
    planned = ExperimentSet(
        project=config.project,
        config=config.text,
        image=train.image,
        jobs=jobs,
        experiments=tuple(
            Experiment(sub, parameters) for sub, parameters in enumerate(trials, 1)
        ),
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
    )
    if (
        planned.is_gang
        and planned.retries.count
        and set(planned.retries.on) != set(Retries().on)
    ):
        raise UnsupportedError(
            "retries of an experiment of several jobs cannot choose causes: they are tried again together, and Argo "
            "tells of an experiment only that it has failed",
            f"Write retries: {planned.retries.count}.",
        )
    return planned
