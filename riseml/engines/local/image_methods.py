"""Methods of the local engine about runners, and the images and environments of their jobs."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from riseml.settings import PROCESS

# Only commands that start or build something need what these methods import.
if TYPE_CHECKING:
    from riseml.engines import Submission
    from riseml.engines.capabilities import RunnerChoice
    from riseml.engines.local.run_runner import RunRunner
    from riseml.plan import ExperimentSet
    from riseml.project.image_key import ImageKey


class ImageMethods:
    """The part of the engine that provides `ChoosesRunner` and `BuildsImages`."""

    home: Path
    runner: str

    def choose_runner(
        self, plan: "ExperimentSet", runner: str, environment: Mapping[str, str]
    ) -> "RunnerChoice":
        """Return what runs the jobs of a plan; `runner` is what the user named, or empty."""
        from riseml.engines.local import run_runner  # noqa: PLC0415

        named = runner or self.runner
        return run_runner.choose(self.home, plan, named, environment).runner

    def image_key(
        self,
        plan: "ExperimentSet",
        revision: str,
        environment: Mapping[str, str],
        base: str | None = None,
    ) -> "ImageKey":
        """Return the key of a plan's image, or of its environment if jobs are processes.

        An environment has this machine's Python as its base.
        """
        from riseml.engines.local import run_runner  # noqa: PLC0415
        from riseml.engines.local.controller import environments  # noqa: PLC0415

        preparer, current = run_runner.image_preparer(
            self.home, plan, revision, self.runner, environment
        )
        if preparer is not None:
            return preparer.key(plan, base or current)
        return environments.image_key_of(plan, revision, self.home, environment)

    def image(self, key: "ImageKey") -> str | None:
        """Return the name of a key's environment or image, None if it has to be built."""
        from riseml.engines.local.containers import preparation  # noqa: PLC0415
        from riseml.engines.local.controller import environments  # noqa: PLC0415

        name = environments.complete(key, self.home)
        if name is not None or self.runner == PROCESS:
            return name
        return preparation.find_built(key.text, os.environ)

    def _runner_of(self, submission: "Submission") -> "RunRunner":
        from riseml.engines.local import run_runner  # noqa: PLC0415

        named = submission.runner or self.runner
        return run_runner.prepare(self.home, submission, named)

    def _remove_unused_images(self, before: float) -> int:
        from riseml.engines.local.containers import built_images  # noqa: PLC0415

        return built_images.remove_unused(self.home, os.environ, before)
