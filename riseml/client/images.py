"""Methods of `riseml.Client` about images that install steps make: build, explain."""

import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from riseml.client import config_file
from riseml.client.context import ClientContext
from riseml.client.types import Overrides
from riseml.dataclass import dataclass, replace
from riseml.engines import Engine, Submission, Submitted
from riseml.engines.capabilities import BuildsImages
from riseml.errors import InvalidInputError, RiseMLError, UnsupportedError

if TYPE_CHECKING:
    from riseml.config import Loaded
    from riseml.plan import ExperimentSet

# Enough for a shell that does nothing.
_MEMORY_BYTES = 64_000_000

SAME, CHANGED, NEW, GONE = "same", "changed", "new", "gone"


@dataclass(frozen=True)
class ImagePart:
    """One thing that an image is made of: its base image, an install step or a file.

    `value` is its text or digest, `change` how it compares with the previous run.
    """

    name: str
    value: str
    change: str


@dataclass(frozen=True)
class Explanation:
    """The image of a riseml.yml: its key, the parts that the key is made of, and the image if it exists.

    `previous_run` is the id of the run that the parts are compared with, empty where
    there is none that can be read.
    """

    key: str
    parts: tuple[ImagePart, ...]
    image: str | None
    previous_run: str


def explain(
    context: ClientContext, path: str | Path, overrides: Overrides
) -> Explanation:
    """Compare the image of a riseml.yml with the previous run's; see `Client.explain`."""
    config = config_file.load(path, overrides)
    plan = _plan_with_install_steps(config)
    engine = _image_builder(context.engine)
    # The key depends on files of the code, so even an explanation needs a snapshot.
    snapshot = context.snapshot(config.project, path, None)
    key = engine.image_key(plan, snapshot.revision, os.environ)
    previous_run, previous = _previous_parts(context.engine, engine, config.project)
    parts = [
        ImagePart(name, value, _change(name, value, previous))
        for name, value in key.parts.items()
    ]
    for name, value in previous.items():
        if name not in key.parts:
            parts.append(ImagePart(name, value, GONE))
    return Explanation(key.text, tuple(parts), engine.image(key), previous_run)


def build(context: ClientContext, path: str | Path, overrides: Overrides) -> Submitted:
    """Start an experiment that has only an image built; see `Client.build`."""
    config = config_file.load(path, overrides)
    plan = _without_jobs(_plan_with_install_steps(config))
    snapshot = context.snapshot(config.project, path, None)
    return context.engine.start(Submission(plan, snapshot.revision, dict(os.environ)))


def _plan_with_install_steps(config: "Loaded") -> "ExperimentSet":
    plan = config_file.plan(config)
    if not plan.install:
        raise InvalidInputError(
            "there is nothing to build: riseml.yml has no `install`",
            f"Jobs run {plan.image}.",
        )
    return plan


def _image_builder(engine: Engine) -> BuildsImages:
    if not isinstance(engine, BuildsImages):
        raise UnsupportedError(f"the engine {engine.name} builds no images")
    return engine


def _without_jobs(plan: "ExperimentSet") -> "ExperimentSet":
    """Return a plan that needs the same image, with a single job that does nothing.

    It keeps the text of the riseml.yml: a later `build --explain` compares its install
    steps with those of the recorded text.
    """
    from riseml.plan import Experiment, Job, Resources, Retries

    resources = Resources(cpus=Decimal("0.1"), mem=_MEMORY_BYTES, gpus=0)
    return replace(
        plan,
        jobs=(Job("train", ("true",), resources),),
        experiments=(Experiment(1, {}),),
        is_set=False,
        # Engines refuse secrets that are not set, and a build needs none.
        secrets=(),
        framework=None,
        tensorboard=False,
        concurrency=1,
        timeout=None,
        idle_timeout=None,
        retries=Retries(),
    )


def _previous_parts(
    engine: Engine, builder: BuildsImages, project: str
) -> tuple[str, Mapping[str, str]]:
    """Return the id of the project's last run, and the parts of its image."""
    from riseml import config, planner

    try:
        run = engine.read(engine.latest(project))
        plan = planner.plan(config.load_text(run.config))
        if not plan.install:
            return run.id, {}
        base = run.base_image or plan.image
        key = builder.image_key(plan, run.revision, os.environ, base)
    except RiseMLError:
        # An earlier run may be deleted, or recorded by a RiseML that knew other keys.
        return "", {}
    return run.id, key.parts


def _change(name: str, value: str, previous: Mapping[str, str]) -> str:
    if name not in previous:
        return NEW
    return SAME if previous[name] == value else CHANGED
