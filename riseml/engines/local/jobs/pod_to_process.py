"""From a pod of a compiled Workflow to processes of this machine.

template, volumes ──prepare──▶ launcher.ProcessSpec   what the cluster would mount is bound, or mapped by environment

claim riseml-data    the user's data folder, read-only        claim riseml-store   <home>/store, read-only
claim riseml-output  <home>/output                            emptyDir             a folder of the job, gone with it
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from riseml import labels
from riseml.engines.local.home import HomeLayout
from riseml.engines.local.interpreter.events import StartPod as Pod
from riseml.engines.local.jobs.launcher import Mount, ProcessSpec, Step
from riseml.errors import InvalidInputError, RiseMLError, UnsupportedError
from riseml.plan import Resources
from riseml.quantities import bytes_of, cores_of

# Seconds between SIGTERM and SIGKILL, Kubernetes' default
GRACE = 30.0
CODE = "/code"
MOUNTED = (
    CODE,
    "/data",
    "/output",
    "/riseml",
    "/store",
)  # where jobs see something else than the machine has
_OURS = ("RISEML_", "ARGO_")
_BUILD = Path(__file__).with_name("build.sh")
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")


@dataclass(frozen=True)
class Pending:
    """A pod that is ready to start: what the launcher needs, and where its results will lie."""

    launch: ProcessSpec
    log: Path
    outputs: Mapping[str, tuple[Path, str | None]]
    folders: tuple[Path, ...]
    # Init steps before those of the template
    extra: int = 0


def resources(template: Mapping[str, Any]) -> Resources:
    """Return what the main container of a template asks for; TensorBoard takes nothing from the experiments here."""
    if template.get("metadata", {}).get("labels", {}).get(labels.TYPE) == "tensorboard":
        return Resources(Decimal(0), 0)
    wanted = template["container"].get("resources", {})
    requests, limits = wanted.get("requests", {}), wanted.get("limits", {})
    gpus = sum(int(value) for name, value in limits.items() if name.endswith("/gpu"))
    return Resources(
        cpus=cores_of(requests["cpu"]) if "cpu" in requests else Decimal(0),
        mem=bytes_of(requests["memory"]) if "memory" in requests else 0,
        gpus=gpus,
    )


class Pods:
    """Prepares the pods of one run; `folder` is where the run's own logs go."""

    def __init__(
        self,
        place: HomeLayout,
        number: int,
        folder: Path,
        base: Mapping[str, str],
        secrets: Callable[[], Mapping[str, str]],
    ) -> None:
        self.place, self.number, self.folder, self.secrets = (
            place,
            number,
            folder,
            secrets,
        )
        self._begun = False
        self.base = {
            name: value for name, value in base.items() if not name.startswith(_OURS)
        }

    def prepare(
        self, pod: Pod, key: str, gpus: Sequence[str], *, begun: bool = False
    ) -> Pending:
        """Say which processes `pod` is; touches no file. One that has `begun` needs its secrets no more.

        Raises:
            RiseMLError: it would need something that this home does not have.
        """
        template, directory = pod.template, self.place.job(self.number, pod.node)
        self._begun = begun
        container = template["container"]
        containers = [
            *template.get("initContainers", []),
            container,
            *template.get("sidecars", []),
        ]
        mounts = _mounts(containers, dict(self._volumes(pod.volumes, directory)))
        venv = self.place.environment(container.get("image", ""))
        if (
            venv is not None
        ):  # the image's own /code: what install steps have left there
            mounts.append(Mount(str(directory / "image-code"), CODE, read_only=False))
        shown = (
            {}
            if self.place.mounts
            else {mount.target: mount.source for mount in mounts}
        )
        log = self._log(pod, mounts)
        own = {
            "RISEML_JOB_KEY": key,
            "RISEML_LOGGED": "1",
            "ARGO_PROGRESS_FILE": str(directory / "progress"),
            "CUDA_VISIBLE_DEVICES": ",".join(gpus),
        }
        steps = [self._step(part, own, shown, directory, log) for part in containers]
        before = len(template.get("initContainers", []))
        main = steps[before]
        if _is_build(template):
            main = replace(
                main,
                argv=self._build(container),
                env={**main.env, **self._build_environment(container)},
            )
        launch = ProcessSpec(
            key=key,
            directory=str(directory),
            init=(*self._copied(venv, directory, main, log), *steps[:before]),
            main=main,
            sidecars=tuple(
                replace(
                    step, log=str(log.with_name(f"{part['name']}.{pod.attempt}.log"))
                )
                for step, part in zip(
                    steps[before + 1 :], containers[before + 1 :], strict=True
                )
            ),
            mounts=tuple(mounts) if self.place.mounts else (),
            deadline=pod.deadline,
            grace=GRACE,
        )
        folders = (
            directory,
            log.parent,
            *(Path(mount.source) for mount in mounts if not mount.read_only),
        )
        return Pending(
            launch,
            log,
            dict(_outputs(template, mounts)),
            folders,
            extra=len(launch.init) - before,
        )

    def _step(
        self,
        container: Mapping[str, Any],
        own: Mapping[str, str],
        shown: Mapping[str, str],
        directory: Path,
        log: Path,
    ) -> Step:
        said = self._said(container)
        return Step(
            argv=tuple(
                expand(word, said)
                for word in (*container["command"], *container.get("args", ()))
            ),
            env=self._environment(container, said, own, shown),
            cwd=_translate(container.get("workingDir") or str(directory), shown),
            log=str(log),
        )

    def _copied(
        self, venv: Path | None, directory: Path, main: Step, log: Path
    ) -> Iterator[Step]:
        """Yield what gives a job its own copy of the files that install steps have left in /code."""
        if venv is not None:
            argv = ("cp", "-a", f"{venv / 'code'}/.", f"{directory / 'image-code'}/")
            yield Step(argv=argv, env=main.env, cwd="/", log=str(log))

    def _build(self, container: Mapping[str, Any]) -> tuple[str, ...]:
        steps = json.loads(self._said(container)["RISEML_INSTALL"])
        return ("sh", str(_BUILD), *steps)

    def _build_environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        said = self._said(container)
        store = self.place.home / "store"
        return {
            "PYTHON": python(self.base),
            "ENV_DIR": str(self.place.home / "envs" / said["IMAGE_KEY"]),
            "RISEML_BUILD_FILES": "\n".join(json.loads(said["RISEML_BUILD_FILES"])),
            "REPOSITORY": str(
                store / PurePosixPath(said["REPOSITORY"]).relative_to("/store")
            ),
        }

    def _volumes(
        self, volumes: Sequence[Mapping[str, Any]], directory: Path
    ) -> Iterator[tuple[str, Path | None]]:
        for volume in volumes:
            if claim := volume.get("persistentVolumeClaim"):
                yield volume["name"], self.place.claim(claim["claimName"])
            elif volume.get("emptyDir", {}).get("medium") == "Memory":
                # The machine's own /dev/shm serves
                yield volume["name"], None
            else:
                yield volume["name"], directory / "volumes" / volume["name"]

    def _environment(
        self,
        container: Mapping[str, Any],
        said: Mapping[str, str],
        own: Mapping[str, str],
        shown: Mapping[str, str],
    ) -> dict[str, str]:
        env = {
            **self.base,
            **{name: _translate(value, shown) for name, value in said.items()},
            **own,
        }
        if said.get("PYTHONPATH") and self.base.get("PYTHONPATH"):
            env["PYTHONPATH"] += f":{self.base['PYTHONPATH']}"
        if venv := self.place.environment(container.get("image", "")):
            env["VIRTUAL_ENV"] = str(venv)
            env["PATH"] = (
                f"{venv / 'bin'}:{env.get('PATH', '/usr/local/bin:/usr/bin:/bin')}"
            )
            env.pop("PYTHONHOME", None)
        return env

    def _said(self, container: Mapping[str, Any]) -> dict[str, str]:
        """Return the environment that the document gives a container."""
        said: dict[str, str] = {}
        for entry in container.get("env", ()):
            said[entry["name"]] = self._value(entry, said)
        return said

    def _value(self, entry: Mapping[str, Any], before: Mapping[str, str]) -> str:
        if source := entry.get("valueFrom"):
            name = source["secretKeyRef"]["key"]
            kept = {name: ""} if self._begun else self.secrets()
            if name not in kept:
                raise InvalidInputError(
                    f"the secret {name} is not set",
                    f"Set it with `riseml secret set {name}`.",
                )
            return kept[name]
        return expand(str(entry.get("value", "")), before)

    def _log(self, pod: Pod, mounts: Sequence[Mount]) -> Path:
        said = {
            entry["name"]: entry.get("value", "")
            for entry in pod.template["container"].get("env", ())
        }
        name = f"{said.get('RISEML_JOB') or pod.template['name']}.{said.get('RISEML_ATTEMPT') or pod.attempt}.log"
        outputs = [
            mount.source for mount in mounts if mount.target == said.get("OUTPUT_DIR")
        ]
        folder = Path(outputs[0]) if outputs else self.folder
        return folder / ".riseml" / "logs" / name


def cell(template: Mapping[str, Any]) -> str:
    """Return the number of the experiment that a pod belongs to, as its label says; empty for a run's own jobs."""
    text: str = (
        template.get("metadata", {}).get("labels", {}).get(labels.EXPERIMENT, "")
    )
    return text


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` and `$$` as the kubelet does in `command`, `args` and `env`; unknown names stay."""
    if "$" not in text:
        return text
    return _REFERENCE.sub(
        lambda m: "$" if m[0] == "$$" else variables.get(m[1], m[0]), text
    )


def python(environment: Mapping[str, str]) -> str:
    """Return the Python of the user's environment.

    Raises:
        RiseMLError: there is none on its PATH.
    """
    path = environment.get("PATH")
    found = shutil.which("python3", path=path) or shutil.which("python", path=path)
    if found is None:
        raise RiseMLError(
            "install steps need a Python, and there is none on your PATH",
            "Install one, then try again.",
        )
    return found


def _is_build(template: Mapping[str, Any]) -> bool:
    kind: str = template.get("metadata", {}).get("labels", {}).get(labels.TYPE, "")
    return kind == "build"


def _mounts(
    containers: Sequence[Mapping[str, Any]], volumes: Mapping[str, Path | None]
) -> list[Mount]:
    found: dict[str, Mount] = {}
    for mount in (
        mount for container in containers for mount in container.get("volumeMounts", ())
    ):
        root, target = volumes[mount["name"]], str(PurePosixPath(mount["mountPath"]))
        if root is None:
            continue
        source = _below(root, mount.get("subPath", ""))
        here = Mount(str(source), target, bool(mount.get("readOnly")))
        if target in found and found[target].source != here.source:
            raise UnsupportedError(
                f"the containers of one pod mount different things at {target}"
            )
        found[target] = here
    return sorted(found.values(), key=lambda mount: mount.target)


def _below(root: Path, sub: str) -> Path:
    """Return `root/sub`, which may not leave `root`: a user or project name is no way out of its folder."""
    parts = PurePosixPath(sub).parts
    if ".." in parts or sub.startswith("/") or any(ord(c) < ord(" ") for c in sub):
        raise UnsupportedError(f"the path {sub!r} leads out of its volume")
    return root.joinpath(*parts)


def _outputs(
    template: Mapping[str, Any], mounts: Sequence[Mount]
) -> Iterator[tuple[str, tuple[Path, str | None]]]:
    shown = {mount.target: mount.source for mount in mounts}
    for parameter in template.get("outputs", {}).get("parameters", ()):
        source = parameter["valueFrom"]
        yield (
            parameter["name"],
            (Path(_translate(source["path"], shown)), source.get("default")),
        )


def _translate(text: str, shown: Mapping[str, str]) -> str:
    """Replace a mount point at the start of each path of `text` (`:` parts them) by the folder behind it."""
    if not shown or "/" not in text:
        return text
    return ":".join(_translated(part, shown) for part in text.split(":"))


def _translated(path: str, shown: Mapping[str, str]) -> str:
    for target, source in shown.items():
        if path == target or path.startswith(f"{target}/"):
            return source + path[len(target) :]
    return path
