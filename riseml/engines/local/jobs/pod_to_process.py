"""Conversion of a compiled Workflow's pod to processes of this machine.

    template, volumes ──prepare──▶ launcher.ProcessSpec

The volumes that a cluster would mount are bind-mounted for the job (pod_mounts). Where
the machine does not allow that, environment variables name the folders instead.
"""

import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from riseml import labels
from riseml.dataclass import dataclass, replace
from riseml.engines.local.home import HomeLayout
from riseml.engines.local.interpreter.events import StartPod
from riseml.engines.local.jobs import bare
from riseml.engines.local.jobs.build_folders import (
    BUILT,
    environment_of,
    without_packages,
)
from riseml.engines.local.jobs.gpu_share import GpuShare, gpu_share
from riseml.engines.local.jobs.launcher import GRACE, Mount, ProcessSpec, Step
from riseml.engines.local.jobs.pod_mounts import (
    folders_of,
    mounts_of,
    outputs_of,
    sources_of,
    translate,
    volume_folders,
)
from riseml.engines.local.jobs.pod_resources import resources
from riseml.engines.local.jobs.workdir import Workdir
from riseml.engines.local.jobs.working_copy import CODE, working_copy
from riseml.engines.local.serialize import Inherited
from riseml.errors import InvalidInputError, RiseMLError
from riseml.gpus import Gpu
from riseml.gpus import job_variables as gpu_variables

MOUNTED = (CODE, "/data", "/output", "/resume", "/riseml", "/rungs", "/store")
"""Paths at which a job with mounts sees other files than the machine has there."""

# The environment of the command that started the run may itself be that of a job.
_RESERVED_PREFIXES = ("RISEML_", "ARGO_")
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class PreparedPod:
    """A pod that is ready to start: its processes, its log, outputs and folders.

    `engine_steps` counts the init steps before those of the template. `files` are
    written before the start.
    """

    spec: ProcessSpec
    log: Path
    outputs: Mapping[str, tuple[Path, str | None]]
    folders: tuple[Path, ...]
    engine_steps: int = 0
    workdir: Workdir | None = None
    files: tuple[tuple[Path, str], ...] = ()


def experiment_number(template: Mapping[str, Any]) -> str:
    """Return the number in a pod's experiment label; empty for a run's own jobs."""
    return _label(template, labels.EXPERIMENT)


def annotation(template: Mapping[str, Any], name: str) -> str:
    """Return an annotation of a pod, empty if it has none of this name."""
    value: str = template.get("metadata", {}).get("annotations", {}).get(name, "")
    return value


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` and `$$` as the kubelet does in `command`, `args` and `env`.

    References to unknown names stay as they are.
    """
    if "$" not in text:
        return text

    def replacement(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(replacement, text)


def find_python(environment: Mapping[str, str]) -> str:
    """Return the path of the Python that a user's environment finds first.

    Raises:
        RiseMLError: no Python is on its PATH.
    """
    path = environment.get("PATH")
    python = shutil.which("python3", path=path) or shutil.which("python", path=path)
    if python is None:
        raise RiseMLError(
            "install steps need Python, and there is none on your PATH",
            "Install Python, then try again.",
        )
    return python


class PodPreparer:
    """Converter for the pods of one run.

    `folder` holds the logs of the run's own jobs. `inherited` comes from the
    command that started the run. `secrets` returns the user's secrets by name.
    `attributes` are those in which the run's processes differ from the launcher.
    """

    def __init__(
        self,
        layout: HomeLayout,
        number: int,
        folder: Path,
        inherited: Inherited,
        secrets: Callable[[], Mapping[str, str]],
        *,
        attributes: Mapping[str, list[int]],
    ) -> None:
        self._layout = layout
        self._attributes = attributes
        self.inherited = inherited
        self._number = number
        self._folder = folder
        self._secrets = secrets
        self._user_environment = {
            name: value
            for name, value in inherited.environment.items()
            if not name.startswith(_RESERVED_PREFIXES)
        }

    @property
    def cpus(self) -> frozenset[int]:
        """The CPUs that the run may use; empty if it may use all."""
        return frozenset(self._attributes.get("cpus", ()))

    def is_contained(self, template: Mapping[str, Any]) -> bool:
        """Return whether the main command of a pod runs in a container."""
        del template
        return False

    def prepare(
        self, pod: StartPod, key: str, gpus: Sequence[Gpu], *, begun: bool = False
    ) -> PreparedPod:
        """Return the processes that `pod` stands for, without touching a file.

        A pod that has `begun` needs no secrets, since its processes have them.

        Raises:
            RiseMLError: the pod needs something that this home does not have.
        """
        template = pod.template
        directory = self._layout.job(self._number, pod.node)
        mounts = self._mounts(pod, directory)
        log = self._log(pod, mounts)
        is_isolated = annotation(template, labels.ISOLATED) == "true"
        steps = self._step_maker(
            key, gpus, directory, mounts, begun=begun, is_isolated=is_isolated
        )
        steps = replace(steps, share=gpu_share(resources(template), gpus))
        container = template["container"]
        init_containers = template.get("initContainers", ())
        environment = self._layout.environment(container.get("image", ""))
        copy = working_copy(template, self._layout, directory, mounts, begun=begun)
        overlay = copy.overlay if copy else None
        if overlay:
            init_containers, environment = (), None
            mounts = [mount for mount in mounts if mount.target != CODE]
            mounts.append(overlay)
        init = [steps.step(init_container, log) for init_container in init_containers]
        main = steps.step(container, log)
        if _label(template, labels.TYPE) in labels.BUILD_TYPES:
            python = find_python(self._user_environment)
            main = steps.build_step(container, main, python)
        engine_init = []
        if environment is not None:
            engine_init.append(_copy_step(environment, directory, main))
        spec = ProcessSpec(
            key=key,
            directory=str(directory),
            init=(*engine_init, *init),
            main=main,
            sidecars=steps.sidecars(pod, log),
            mounts=tuple(mounts) if self._layout.mounts else (),
            deadline=pod.deadline,
            grace=GRACE,
            secrets=steps.secret_values(container),
            attributes=self._attributes,
        )
        return PreparedPod(
            spec,
            log,
            dict(outputs_of(template, mounts)),
            (log.parent, *folders_of(_containers_of(template), mounts, directory)),
            engine_steps=len(engine_init),
            workdir=copy.workdir if copy else None,
            files=copy.files if copy else (),
        )

    def _mounts(self, pod: StartPod, directory: Path) -> list[Mount]:
        template = pod.template
        container = template["container"]
        folders = volume_folders(pod.volumes, self._layout, directory)
        mounts = mounts_of(_containers_of(template), folders)
        if _label(template, labels.TYPE) in labels.BUILD_TYPES:
            # As in an image, steps run in /code, so what they install refers to that.
            built = environment_of(self._layout, container) / BUILT
            mounts.append(Mount(str(built), CODE))
        if self._layout.environment(container.get("image", "")) is not None:
            # Like a real image, the environment has files in /code: those that its
            # install steps left there.
            code_copy = str(directory / "image-code")
            mounts.append(Mount(code_copy, CODE, read_only=False))
        return mounts

    def _step_maker(
        self,
        key: str,
        gpus: Sequence[Gpu],
        directory: Path,
        mounts: Sequence[Mount],
        *,
        begun: bool,
        is_isolated: bool,
    ) -> "_StepMaker":
        job_variables = {
            "RISEML_JOB_KEY": key,
            "RISEML_LOGGED": "1",
            "ARGO_PROGRESS_FILE": str(directory / "progress"),
            **gpu_variables(gpus),
        }
        user_environment = self._user_environment
        if is_isolated:
            user_environment = without_packages(user_environment)
        return _StepMaker(
            self._layout,
            user_environment,
            None if begun else self._secrets,
            job_variables,
            {} if self._layout.mounts else sources_of(mounts),
            directory,
        )

    def _log(self, pod: StartPod, mounts: Sequence[Mount]) -> Path:
        """Return the log of a pod: in its output folder, else in the run's folder."""
        variables = {}
        for entry in pod.template["container"].get("env", ()):
            variables[entry["name"]] = entry.get("value", "")
        job = variables.get("RISEML_JOB") or pod.template["name"]
        earlier = int(variables.get("RISEML_EARLIER_ATTEMPTS") or 0)
        attempt = int(variables.get("RISEML_ATTEMPT") or pod.attempt) + earlier
        output = sources_of(mounts).get(variables.get("OUTPUT_DIR", ""))
        folder = self._folder if output is None else Path(output)
        return folder / ".riseml" / "logs" / f"{job}.{attempt}.log"


@dataclass(frozen=True)
class _StepMaker:
    """Converter for the containers of one pod.

    `secrets` is None where values of secrets do not matter. `job_variables` override
    those of a container. `sources` maps targets of mounts to folders where the machine
    allows no mounts, else it is empty. `share` is the part of a GPU that the pod has.
    """

    layout: HomeLayout
    user_environment: Mapping[str, str]
    secrets: Callable[[], Mapping[str, str]] | None
    job_variables: Mapping[str, str]
    sources: Mapping[str, str]
    directory: Path
    share: GpuShare | None = None

    def step(self, container: Mapping[str, Any], log: Path) -> Step:
        """Return the process of a container."""
        variables = self._variables(container)
        argv = (*container["command"], *container.get("args", ()))
        cwd = container.get("workingDir") or str(self.directory)
        return Step(
            argv=tuple(expand(word, variables) for word in argv),
            env=self._environment(container, variables),
            cwd=translate(cwd, self.sources),
            log=str(log),
        )

    def secret_values(self, container: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the secrets that a container receives."""
        values = set()
        for entry in container.get("env", ()):
            if "valueFrom" in entry:
                values.add(self._secret(entry["valueFrom"]["secretKeyRef"]["key"]))
        return tuple(sorted(values - {""}))

    def sidecars(self, pod: StartPod, log: Path) -> tuple[Step, ...]:
        """Return the processes of the sidecars, which write beside the log of the pod."""
        made = []
        for sidecar in pod.template.get("sidecars", ()):
            sidecar_log = log.with_name(f"{sidecar['name']}.{pod.attempt}.log")
            made.append(self.step(sidecar, sidecar_log))
        return tuple(made)

    def build_step(self, container: Mapping[str, Any], step: Step, python: str) -> Step:
        """Return the process that makes a virtual environment of a Python instead of an image."""
        folder = environment_of(self.layout, container)
        code = str(folder / BUILT)
        env = {
            **step.env,
            "PYTHON": python,
            "ENV_DIR": str(folder),
            "CODE_DIR": CODE if self.layout.mounts else code,
        }
        runner = (sys.executable, "-I", "-S", str(Path(bare.__file__)))
        return replace(step, argv=(*runner, "build_environment"), env=env)

    def _environment(
        self, container: Mapping[str, Any], variables: Mapping[str, str]
    ) -> dict[str, str]:
        user_environment = self.user_environment
        env = dict(user_environment)
        for name, value in variables.items():
            env[name] = translate(value, self.sources)
        env.update(self.job_variables)
        if variables.get("PYTHONPATH") and user_environment.get("PYTHONPATH"):
            env["PYTHONPATH"] += f":{user_environment['PYTHONPATH']}"
        venv = self.layout.environment(container.get("image", ""))
        if venv is not None:
            env["VIRTUAL_ENV"] = str(venv)
            env["RISEML_CODE_DIR"] = translate(CODE, self.sources)
            env["PATH"] = f"{venv / 'bin'}:{env.get('PATH', _DEFAULT_PATH)}"
            env.pop("PYTHONHOME", None)
        if self.share is not None:
            return {**self.share.variables(env), **env}
        return env

    def _variables(self, container: Mapping[str, Any]) -> dict[str, str]:
        """Return the variables that the document sets for a container."""
        variables: dict[str, str] = {}
        for entry in container.get("env", ()):
            source = entry.get("valueFrom")
            if source:
                value = self._secret(source["secretKeyRef"]["key"])
            else:
                value = expand(str(entry.get("value", "")), variables)
            variables[entry["name"]] = value
        return variables

    def _secret(self, name: str) -> str:
        if self.secrets is None:
            return ""
        secrets = self.secrets()
        if name not in secrets:
            raise InvalidInputError(
                f"the secret {name} is not set",
                f"Set it with `riseml secret set {name}`.",
            )
        return secrets[name]


def _copy_step(environment: Path, directory: Path, main: Step) -> Step:
    """Return the step that gives a job its own copy of the environment's /code."""
    argv = ("cp", "-a", f"{environment / 'code'}/.", f"{directory / 'image-code'}/")
    return Step(argv=argv, env=main.env, cwd="/", log=main.log)


def _label(template: Mapping[str, Any], name: str) -> str:
    value: str = template.get("metadata", {}).get("labels", {}).get(name, "")
    return value


def _containers_of(template: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    init_containers = template.get("initContainers", ())
    return [*init_containers, template["container"], *template.get("sidecars", ())]
