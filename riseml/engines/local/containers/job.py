"""Container of one job: from the processes that a pod stands for to a call of podman or docker.

PreparedPod, template ──contained──▶ PreparedPod whose main command is the attendant
                                      └── <pod>/container.json: options, image, command
"""

import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from riseml import labels
from riseml.dataclass import replace
from riseml.engines.local.containers.program import ContainerProgram
from riseml.engines.local.jobs import attendant, bare, container_removal, processes
from riseml.engines.local.jobs.gang_names import gang_of
from riseml.engines.local.jobs.launcher import Mount, ProcessSpec, Step
from riseml.engines.local.jobs.pod_resources import resources
from riseml.engines.local.jobs.pod_to_process import PreparedPod, annotation
from riseml.errors import UnsupportedError
from riseml.gpus import AMD, NVIDIA, Gpu

_ENTRY = Path(__file__).with_name("entry.sh")
_NAME_CHARACTERS = 40
_SMALLEST_SHARES = 2
# Before the lower folders, an overlay has its options and its work folder.
_FIRST_LOWER = 2
_SHARES_PER_CORE = 1024
_SMALLEST_MEM = 6 << 20
"""No container program accepts less."""


def container_name(key: str) -> str:
    """Return the name of the containers of a pod, unique on this machine."""
    node = re.sub(r"[^A-Za-z0-9.-]+", "-", key.partition(":")[2])
    return f"riseml-{node[:_NAME_CHARACTERS].strip('-.')}-{_digest(key)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def contained(
    prepared: PreparedPod,
    template: Mapping[str, Any],
    program: ContainerProgram,
    home: Path,
    gpus: Sequence[Gpu],
    *,
    attempt: int = 0,
) -> PreparedPod:
    """Return a pod whose main command runs in a container.

    `attempt` numbers the starts of the pod. The environment of `prepared.spec.main` is that of the container.

    Raises:
        UnsupportedError: a folder has a path that no container program can mount.
    """
    spec = prepared.spec
    directory = Path(spec.directory)
    env = _environment(spec, gpus)
    document = {
        "kind": program.name,
        "program": program.path,
        "environment": dict(program.environment),
        "name": container_name(spec.key),
        "image": template["container"]["image"],
        "options": [
            *_identity(directory, home, template),
            *_options(spec, template, program, env, gpus),
        ],
        "limits": _limits(template),
        "command": ["-c", _ENTRY.read_text("utf-8"), "riseml"],
        "argv": list(spec.main.argv),
        "gang": _gang(directory, home, template, attempt, program),
        "writable": _writable(prepared),
    }
    files = (
        *prepared.files,
        (directory / container_removal.SPEC, json.dumps(document)),
        _program_record(program, home),
    )
    main = _attendant_step(spec, env, program)
    folders = (*prepared.folders, directory / attendant.FOLDER)
    spec = replace(spec, main=main, mounts=())
    return replace(prepared, spec=spec, folders=folders, files=files)


def _writable(prepared: PreparedPod) -> list[str]:
    """Return what a user of the image may write to, as the volumes of a cluster allow."""
    spec = prepared.spec
    folder = f"{spec.directory}/{attendant.FOLDER}"
    paths = [folder]
    for mount in spec.mounts:
        if not mount.read_only:
            # podman gives the upper folder of an overlay the mode of the lower one.
            paths += [mount.source, *mount.layers[_FIRST_LOWER:]]
    if spec.main.log:
        log = Path(spec.main.log)
        # The job's results lie beside its logs.
        paths += map(str, (log, log.parent, log.parent.parent))
    for file, _ in prepared.files:
        paths += map(str, (file.parent, file))
    return paths


def _gang(
    directory: Path,
    home: Path,
    template: Mapping[str, Any],
    attempt: int,
    program: ContainerProgram,
) -> dict[str, Any] | None:
    """Return the network that a job shares with its peers, None for a job without any."""
    patch = json.loads(template.get("podSpecPatch") or "{}")
    is_isolated = annotation(template, labels.ISOLATE_NETWORK) == "true"
    if "subdomain" not in patch and not is_isolated:
        return None
    gang = gang_of(template, attempt)
    record = directory.with_name(f"containers.{gang}.json")
    options = ["--label", f"{container_removal.HOME_LABEL}={home}"]
    options += ["--label", f"{container_removal.FILE_LABEL}={record}"]
    if not program.is_docker:
        # Its own name server is not needed, and not installed everywhere.
        options += ["--disable-dns"]
        options += ["--opt", "isolate=true"] if is_isolated else []
    name = patch.get("hostname", "job")
    names = [f"{name}.{patch['subdomain']}", name] if "subdomain" in patch else [name]
    return {
        "record": str(record),
        "hosts": str(directory.with_name(f"hosts.{gang}")),
        "run_options": [] if program.is_docker else ["--no-hosts"],
        "network": f"riseml-{_digest(str(record))}",
        "options": options,
        "names": names,
    }


def _environment(spec: ProcessSpec, gpus: Sequence[Gpu]) -> dict[str, str]:
    env = {
        **spec.main.env,
        "ARGO_PROGRESS_FILE": f"{attendant.MOUNT}/progress",
        processes.KEY: spec.key,
    }
    if any(gpu.id.isdecimal() for gpu in gpus if gpu.vendor == NVIDIA):
        # Inside, the cards of the container have numbers from 0.
        env.pop("CUDA_VISIBLE_DEVICES", None)
    return env


def _options(
    spec: ProcessSpec,
    template: Mapping[str, Any],
    program: ContainerProgram,
    env: Mapping[str, str],
    gpus: Sequence[Gpu],
) -> list[str]:
    options = [
        *_mounts(spec, template, program),
        *_devices(program, gpus),
        *_variables(env, program.environment),
        "--entrypoint",
        "sh",
    ]
    if spec.main.cwd != spec.directory:
        options += ["--workdir", spec.main.cwd]
    return options


def programs_folder(home: Path) -> Path:
    """Return the folder that records the container programs which a home has used."""
    return home / "containers"


def _program_record(program: ContainerProgram, home: Path) -> tuple[Path, str]:
    """Return the file from which a later controller knows where containers may be left."""
    record = {"program": program.path, "environment": dict(program.environment)}
    return programs_folder(home) / f"{program.name}.json", json.dumps(record)


def _attendant_step(
    spec: ProcessSpec, env: Mapping[str, str], program: ContainerProgram
) -> Step:
    """Return the process that attends to the container.

    The program takes the values of the container's variables from the process that calls
    it, so that no list of processes shows them.
    """
    words = (sys.executable, "-I", "-S", str(Path(bare.__file__)), "attendant")
    return replace(
        spec.main,
        argv=(*words, spec.directory),
        env={**env, **program.environment},
        cwd=spec.directory,
    )


def _identity(directory: Path, home: Path, template: Mapping[str, Any]) -> list[str]:
    words = ["--pull", "never", "--log-driver", "none"]
    # Labels of SELinux would keep the container from the folders of the home.
    words += ["--security-opt", "label=disable"]
    file = directory / container_removal.SPEC
    words += ["--label", f"{container_removal.HOME_LABEL}={home}"]
    words += ["--label", f"{container_removal.FILE_LABEL}={file}"]
    patch = json.loads(template.get("podSpecPatch") or "{}")
    if patch.get("hostname"):
        words += ["--hostname", patch["hostname"]]
    return words


def _limits(template: Mapping[str, Any]) -> list[str]:
    """Return the limits that a cluster sets: memory, and a share of the CPUs."""
    request = resources(template)
    words = []
    if request.cpus:
        shares = max(_SMALLEST_SHARES, round(request.cpus * _SHARES_PER_CORE))
        words += ["--cpu-shares", str(shares)]
    if annotation(template, labels.ENFORCED) == "true" and request.cpus:
        words += ["--cpus", str(request.cpus)]
    if request.mem:
        words += ["--memory", f"{max(request.mem, _SMALLEST_MEM)}b"]
    return words


def _devices(program: ContainerProgram, gpus: Sequence[Gpu]) -> list[str]:
    """Return the GPUs of a container, by the names of the Container Device Interface."""
    words = []
    if any(gpu.vendor == AMD for gpu in gpus):
        # Its library chooses the cards by the variables of the job.
        words += ["--device", "/dev/kfd", "--device", "/dev/dri"]
    names = [gpu.id for gpu in gpus if gpu.vendor == NVIDIA]
    if program.is_docker and names:
        return [*words, "--gpus", f'"device={",".join(names)}"']
    for name in names:
        words += ["--device", f"nvidia.com/gpu={name}"]
    return words


def _variables(env: Mapping[str, str], own: Mapping[str, str]) -> list[str]:
    """Return the options for a container's variables.

    Only a variable that the program needs itself is on the command line with its value.
    """
    words = []
    for name, value in env.items():
        is_own = name in own
        words += ["--env", f"{name}={value}" if is_own else name]
    return words


def _mounts(
    spec: ProcessSpec, template: Mapping[str, Any], program: ContainerProgram
) -> list[str]:
    entries = template["container"].get("volumeMounts", ())
    targets = {entry["mountPath"] for entry in entries}
    # The others are those of the init steps.
    mounts = [mount for mount in spec.mounts if mount.target in targets]
    folder = f"{spec.directory}/{attendant.FOLDER}"
    mounts.append(Mount(folder, attendant.MOUNT))
    if spec.main.log and not spec.secrets:
        # With secrets, the log is a pipe in the folder.
        mounts.append(Mount(spec.main.log, f"{attendant.MOUNT}/log"))
    words = []
    for mount in mounts:
        words += _volume(mount, program)
    return words


def _volume(mount: Mount, program: ContainerProgram) -> list[str]:
    for path in (mount.source, mount.target, *mount.layers[1:]):
        if ":" in path or "," in path:
            raise UnsupportedError(
                f"{program.name} cannot mount {path}: its name contains ':' or ','",
                "Rename the folder, or use the runner `process`.",
            )
    if not mount.layers:
        suffix = ":ro" if mount.read_only else ""
        return ["--volume", f"{mount.source}:{mount.target}{suffix}"]
    _, work, lower = mount.layers
    if not program.is_docker:
        option = f"{lower}:{mount.target}:O,upperdir={mount.source},workdir={work}"
        return ["--volume", option]
    layers = f"lowerdir={lower},upperdir={mount.source},workdir={work}"
    fields = [
        "type=volume",
        f"destination={mount.target}",
        "volume-driver=local",
        "volume-opt=type=overlay",
        "volume-opt=device=overlay",
        f'"volume-opt=o={layers}"',
    ]
    return ["--mount", ",".join(fields)]


def is_containable(template: Mapping[str, Any]) -> bool:
    """Return whether a pod runs the user's own command in the image of riseml.yml.

    The others do RiseML's own work: builds, TensorBoard, the job of a search.
    """
    metadata = template.get("metadata", {})
    is_own = labels.EXPERIMENT not in metadata.get("labels", {})
    image = template["container"].get("image", "")
    return not is_own and not image.startswith(labels.ENVIRONMENT)
