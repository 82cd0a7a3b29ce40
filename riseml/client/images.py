"""The verbs of `riseml.Client` that are about images, not about runs."""

import os
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from riseml.client.context import Verbs
from riseml.engines import BuildsImages, Submission, Submitted
from riseml.errors import InvalidInputError, RiseMLError, UnsupportedError

if TYPE_CHECKING:
    from riseml.config import Loaded
    from riseml.plan import ExperimentSet

# Enough for a shell that does nothing.
_MEMORY_BYTES = 64_000_000

SAME, CHANGED, NEW, GONE = "same", "changed", "new", "gone"


@dataclass(frozen=True)
class Part:
    """Something that the image depends on: what people call it, its text or digest, and how it compares to before."""

    name: str
    value: str
    change: str


@dataclass(frozen=True)
class Explanation:
    """What the image of a riseml.yml is made of, under which key, and where it is, if it is there.

    `previous_run` is the id of the run that the parts are compared to, empty where there is none that can be read.
    """

    key: str
    parts: tuple[Part, ...]
    image: str | None
    previous_run: str


class BuildVerbs(Verbs):
    """What a client can do with images."""

    def explain(self, path: str | Path) -> Explanation:
        """Return what the install steps of a riseml.yml depend on, and which of that has changed since the last run.

        Raises:
            ConfigError: the file has faults.
            InvalidInputError: it has no install steps.
        """
        config = self._load(path)
        plan = self._installing(config)
        engine = self._images()
        key = engine.image_key(
            plan, self._snapshot(config, path, None).revision, os.environ
        )
        before, known = self._before(engine, config.project)
        parts = [
            Part(name, value, _change(name, value, known))
            for name, value in key.parts.items()
        ]
        gone = [
            Part(name, value, GONE)
            for name, value in known.items()
            if name not in key.parts
        ]
        return Explanation(key.text, (*parts, *gone), engine.image(key), before)

    def build(self, path: str | Path) -> Submitted:
        """Start an experiment that does nothing but to have the image of a riseml.yml built.

        Raises:
            ConfigError: the file has faults.
            InvalidInputError: it has no install steps.
        """
        config = self._load(path)
        plan = _only_building(self._installing(config))
        snapshot = self._snapshot(config, path, None)
        return self.engine.start(Submission(plan, snapshot.revision, dict(os.environ)))

    def _installing(self, config: "Loaded") -> "ExperimentSet":
        plan = self._plan(config)
        if not plan.install:
            raise InvalidInputError(
                "there is nothing to build: riseml.yml has no `install`",
                f"Jobs run {plan.image}.",
            )
        return plan

    def _images(self) -> BuildsImages:
        if not isinstance(self.engine, BuildsImages):
            raise UnsupportedError(f"the engine {self.engine.name} builds no images")
        return self.engine

    def _before(self, engine: BuildsImages, project: str) -> tuple[str, dict[str, str]]:
        """Return the last run of the project, and the parts of its image."""
        from riseml import config, planner

        try:
            last = self.engine.read(self.engine.latest(project))
            plan = planner.plan(config.load_text(last.config, "riseml.yml"))
            if not plan.install:
                return last.id, {}
            base = last.base_image or plan.image
            return last.id, dict(
                engine.image_key(plan, last.revision, os.environ, base).parts
            )
        except RiseMLError:
            return "", {}


def _only_building(plan: "ExperimentSet") -> "ExperimentSet":
    """Return a plan with the image of another one, and a single job that does nothing.

    It keeps the text of the riseml.yml: that has the install steps which a later `build --explain` compares with.
    """
    from riseml.plan import Experiment, Job, Resources, Retries

    resources = Resources(cpus=Decimal("0.1"), mem=_MEMORY_BYTES, gpus=0)
    return replace(
        plan,
        jobs=(Job("train", ("true",), resources),),
        experiments=(Experiment(1, {}),),
        is_set=False,
        secrets=(),
        framework=None,
        tensorboard=False,
        concurrency=1,
        timeout=None,
        retries=Retries(),
    )


def _change(name: str, value: str, known: dict[str, str]) -> str:
    if name not in known:
        return NEW
    return SAME if known[name] == value else CHANGED
