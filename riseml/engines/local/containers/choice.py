"""Choice of the runner: whether jobs run as processes, or in containers of podman or docker.

    --runner, RISEML_RUNNER, settings ──▶ auto ──┬─ no image, or a bare one ────▶ process
                                                 ├─ no container engine works ──▶ process
                                                 ├─ the image is out of reach ──▶ process
                                                 └─ else ───────────────────────▶ podman, docker

`auto` never makes a run fail that works as a process for lack of an engine or a network. A
runner that the user names is an order: if it does not work, nothing starts.
"""

from collections.abc import Mapping
from pathlib import Path

from riseml.dataclass import dataclass
from riseml.engines.capabilities import RunnerChoice
from riseml.engines.local.containers import detection, images, names
from riseml.engines.local.containers.images import LocalImage
from riseml.engines.local.containers.program import PROGRAMS, ContainerProgram
from riseml.errors import RiseMLError, UnsupportedError
from riseml.plan import ExperimentSet
from riseml.settings import AUTO, PROCESS

_INSIST = "`--runner {name}` tries it anyway"
_CDI_FOLDERS = ("/etc/cdi", "/var/run/cdi")


@dataclass(frozen=True)
class Choice:
    """The runner of a run; `program` is None for processes.

    `image` is the plan's image if it is present, and `digest` what its tag points to in its
    registry, empty if that is not known. `is_unanswered` means that the tag of the present
    image moves, but its registry did not say where to.
    """

    runner: RunnerChoice
    program: ContainerProgram | None = None
    image: LocalImage | None = None
    digest: str = ""
    is_unanswered: bool = False


@dataclass(frozen=True)
class Chooser:
    """Chooser of runners for the commands of one user with one home."""

    home: Path
    environment: Mapping[str, str]

    def choose(self, runner: str, plan: ExperimentSet) -> Choice:
        """Return the runner of a plan.

        Raises:
            UnsupportedError: the user has named one that does not work here.
        """
        if runner == PROCESS:
            return _process()
        if runner != AUTO:
            return self._named(runner, plan.image)
        if not plan.names_image:
            return _process("riseml.yml names no image")
        if names.is_bare(plan.image):
            return _process(f"{plan.image} has no packages that your own lacks")
        return self._automatic(plan)

    def _named(self, name: str, image: str) -> Choice:
        engine = detection.detect(name, self.environment, self.home, fresh=True)
        if engine.problem:
            raise UnsupportedError(
                f"the runner {name} does not work: {engine.problem}", engine.advice
            )
        runner = RunnerChoice(name, version=engine.version)
        return self._with_image(runner, image)

    def _automatic(self, plan: ExperimentSet) -> Choice:
        problems = []
        for name in PROGRAMS:
            engine = detection.detect(name, self.environment, self.home)
            problem = engine.problem or _obstacle(plan)
            if problem:
                problems.append(f"{name}: {problem}")
                continue
            reason = f"riseml.yml names {plan.image}"
            runner = RunnerChoice(name, reason, engine.version)
            try:
                choice = self._with_image(runner, plan.image)
            except RiseMLError as error:
                problems.append(f"{name}: {error}")
                continue
            if choice.image or choice.digest or self._has_login(plan.image):
                return choice
            problems.append(f"{name}: {_unreachable(plan.image, name)}")
        reason = f"{plan.image} cannot run here ({'; '.join(problems)})"
        return _process(reason, is_notable=True)

    def _with_image(self, runner: RunnerChoice, image: str) -> Choice:
        """Return the choice of a container program, with the image that is present, and with what its tag points to.

        The registry is only asked for images that are absent, and for tags that move.
        """
        program = ContainerProgram.find(runner.name, self.environment)
        # It has just answered.
        assert program is not None  # noqa: S101
        present = images.find(program, image)
        digest = ""
        moves = names.has_latest(image)
        if present is None or moves:
            # It takes a while to load.
            from riseml.engines.local.containers import registries  # noqa: PLC0415

            digest = registries.digest(image)
        is_unanswered = present is not None and moves and not digest
        return Choice(runner, program, present, digest, is_unanswered)

    def _has_login(self, image: str) -> bool:
        from riseml.engines.local.containers import registries  # noqa: PLC0415

        return registries.has_login(image, self.environment)


def _process(reason: str = "", *, is_notable: bool = False) -> Choice:
    return Choice(RunnerChoice(PROCESS, reason, is_notable=is_notable))


def _obstacle(plan: ExperimentSet) -> str:
    """Return why containers cannot run a plan that processes can, empty if they can."""
    if not any(job.resources.gpus for job in plan.jobs):
        return ""
    for folder in map(Path, _CDI_FOLDERS):
        if folder.is_dir() and any(folder.iterdir()):
            return ""
    return "it has no description of the GPUs, see `nvidia-ctk cdi generate --help`"


def _unreachable(image: str, name: str) -> str:
    host = names.qualified(image).partition("/")[0]
    return f"the image is not here, and {host} does not offer it; {_INSIST.format(name=name)}"
