"""Methods of `riseml.Client` about a riseml.yml: what it starts, and what it stands for."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riseml.client import compilation, config_file, lifecycle
from riseml.client.compilation import COMPILED, Export, Exported
from riseml.client.context import ClientContext
from riseml.client.project_folder import CONFIG_FILE
from riseml.client.types import NO_OVERRIDES, Overrides, RunHandle
from riseml.dataclass import replace
from riseml.engines import Submitted
from riseml.engines.capabilities import ChoosesRunner, RunnerChoice
from riseml.errors import Fault
from riseml.ids import Id
from riseml.plan import NO_MARKS, Marks
from riseml.settings import PROCESS

if TYPE_CHECKING:
    from riseml.client.images import Explanation
    from riseml.plan import ExperimentSet
    from riseml.project import Snapshot, Survey


class ConfigMethods:
    """The part of a client whose methods take a riseml.yml.

    `overrides` change its values before it is checked; the run records the result.
    """

    _context: ClientContext

    def train(
        self,
        path: str | Path = CONFIG_FILE,
        *,
        gitignore: bool | None = None,
        on_sync: "Callable[[Snapshot], None] | None" = None,
        node: str = "",
        overrides: Overrides = NO_OVERRIDES,
        marks: Marks = NO_MARKS,
        resume: str | Id | None = None,
        runner: str | None = None,
    ) -> RunHandle:
        """Start what a riseml.yml describes, with the code beside it.

        It returns once the run is stored. `gitignore` None follows the settings. `on_sync`
        is called between snapshot and submission. `node` is the host name of the only
        cluster node that jobs may run on. `overrides` change values of the file.
        `marks` are the run's name, tags and note. Each experiment finds at /resume the
        output of the one that it continues: `resume` itself, or the experiment of that
        set which has the same parameters. `runner` is what runs the jobs on this machine:
        auto, process, podman or docker; None follows the settings.

        Raises:
            ConfigError: the file has faults; nothing was started.
            InvalidInputError: no experiment of `resume` can be continued.
            UnsupportedError: the engine cannot run it; nothing was started.
            HomeError: the code or the run cannot be stored.
        """
        # Only commands that start runs need it.
        from riseml.client import planned_file

        # All checks come before the snapshot, so a faulty file stores no code.
        home = self._context.settings.home
        file = planned_file.read(path, overrides, home)
        plan = file.plan
        notes: tuple[str, ...] = ()
        lifecycle.check_runner(self._context.engine, runner)
        if resume is not None:
            from riseml.client import continuations

            plan, notes = continuations.resumed(self._context, resume, plan)
        snapshot = self._context.snapshot(plan.project, path, gitignore)
        if on_sync:
            on_sync(snapshot)
        # Only commands that start runs need it.
        from riseml.project import user_git

        git = user_git.read(Path(path).absolute().parent)
        run = lifecycle.submit(
            self._context,
            file,
            plan,
            snapshot,
            node=node,
            git=git,
            marks=marks,
            runner=runner or "",
        )
        file.keep(home)
        return replace(run, notes=(*notes, *run.notes))

    def choose_runner(
        self, plan: "ExperimentSet", runner: str | None = None
    ) -> RunnerChoice | None:
        """Return what would run the jobs of a plan on this machine, None on a cluster.

        `runner` is as for `train`.

        Raises:
            InvalidInputError: there is no runner of this name.
            UnsupportedError: it does not work here.
        """
        engine = self._context.engine
        lifecycle.check_runner(engine, runner)
        if not isinstance(engine, ChoosesRunner):
            return None
        return engine.choose_runner(plan, runner or "", os.environ)

    def plan(
        self, path: str | Path = CONFIG_FILE, *, overrides: Overrides = NO_OVERRIDES
    ) -> "ExperimentSet":
        """Return what `train` would run.

        Raises:
            ConfigError: the file has faults.
        """
        return config_file.plan(config_file.load(path, overrides))

    def check(
        self, path: str | Path = CONFIG_FILE, *, overrides: Overrides = NO_OVERRIDES
    ) -> tuple[Fault, ...]:
        """Return every error and warning of a riseml.yml."""
        return config_file.check(path, self._context, overrides)

    def measure(
        self, path: str | Path = CONFIG_FILE, *, gitignore: bool | None = None
    ) -> tuple[int, int]:
        """Return the number of files, and of bytes, that `survey` returns."""
        code = self.survey(path, gitignore=gitignore)
        return code.files, code.size

    def survey(
        self, path: str | Path = CONFIG_FILE, *, gitignore: bool | None = None
    ) -> "Survey":
        """Return what `train` would store as code, and what it would leave out."""
        return config_file.survey(self._context, path, gitignore)

    def differences(
        self, plan: "ExperimentSet", runner: str = PROCESS
    ) -> Sequence[str]:
        """Return how jobs of a plan would differ from those of a cluster, in sentences."""
        from riseml.engines.capabilities import SharesItsMachine

        engine = self._context.engine
        if not isinstance(engine, SharesItsMachine):
            return ()
        enforces = self._context.settings.resources_enforce
        plan = replace(plan, enforces_resources=enforces)
        return engine.differences(plan, os.environ, runner)

    def compile(
        self,
        path: str | Path = CONFIG_FILE,
        *,
        git: str | None = None,
        number: int | None = None,
        user: str = "me",
        on_warning: Callable[[str], None] | None = None,
        overrides: Overrides = NO_OVERRIDES,
    ) -> dict[str, Any]:
        """Return the Argo Workflow of a riseml.yml as plain data, for any cluster.

        `git` is `URL` or `URL#REVISION`. `on_warning` is called with a text if not every
        Argo can run the Workflow.

        Raises:
            ConfigError: the file has faults.
            RiseMLError: the Workflow would be too large for Kubernetes.
        """
        options = Export(git=git, number=number, user=user)
        exported = self.export(
            path, options, on_warning=on_warning, overrides=overrides
        )
        return exported.documents[-1]

    def export(
        self,
        path: str | Path = CONFIG_FILE,
        options: Export = COMPILED,
        *,
        on_warning: Callable[[str], None] | None = None,
        overrides: Overrides = NO_OVERRIDES,
    ) -> Exported:
        """Return the documents of a riseml.yml for Argo, and what they need on a cluster.

        `on_warning` is as for `compile`.

        Raises:
            ConfigError: the file has faults.
            InvalidInputError: the options contradict each other.
            ProjectError: the code is too large for a standalone document.
            UnsupportedError: a standalone document cannot do what the file asks for.
        """
        gitignore = not options.standalone or self._context.uses_gitignore(None)
        return compilation.export(
            path,
            options,
            on_warning=on_warning,
            overrides=overrides,
            gitignore=gitignore,
        )

    def explain(
        self, path: str | Path, *, overrides: Overrides = NO_OVERRIDES
    ) -> "Explanation":
        """Return what the image of a riseml.yml is made of, compared with the last run.

        Raises:
            ConfigError: the file has faults.
            InvalidInputError: it has no install steps.
        """
        from riseml.client import images

        return images.explain(self._context, path, overrides)

    def build(
        self, path: str | Path, *, overrides: Overrides = NO_OVERRIDES
    ) -> Submitted:
        """Start an experiment that builds the image of a riseml.yml and does nothing else.

        Raises:
            ConfigError: the file has faults.
            InvalidInputError: it has no install steps.
        """
        from riseml.client import images

        return images.build(self._context, path, overrides)
