"""Pods of a document: their volumes, code, scripts, and requirements on nodes."""

import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from riseml.compiler import lazy_hera  # noqa: F401 - it loads Hera, for all imports below

# isort: split
from hera.workflows.artifact import Artifact, GitArtifact, RawArtifact
from hera.workflows.env import Env
from hera.workflows.models import (
    Affinity,
    LabelSelector,
    NodeAffinity,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
    PreferredSchedulingTerm,
    ResourceRequirements,
    VolumeMount,
    WeightedPodAffinityTerm,
)
from hera.workflows.user_container import UserContainer

from riseml import gpu_request, labels, masking, quantities, templating
from riseml.compiler import gpu_affinity, gpus
from riseml.compiler.names import Names
from riseml.compiler.text import reference
from riseml.metrics import hparams
from riseml.plan import Resources

CODE, DATA, OUTPUT, RESUME, RISEML, STORE, RUNGS, SHM = (
    "/code",
    "/data",
    "/output",
    "/resume",
    "/riseml",
    "/store",
    "/rungs",
    "/dev/shm",  # noqa: S108
)
LIBRARY = f"{RISEML}/lib/riseml.py"
ACCOUNT_FIELDS = (
    "serviceAccountName",
    "executor",
    "automountServiceAccountToken",
)
"""What a Workflow or a template says about the account of its pods."""
# Kubernetes allows preferences a weight of up to 100.
_MAX_WEIGHT = 100
_WRITE_LIBRARY = """
mkdir -p "$RISEML_DIR/lib"
printf %s "$1" > "$RISEML_DIR/lib/riseml.py"
: > "$RISEML_DIR/started"
"""
# Scripts that the script of a job needs, by the shell variable that holds each of them.
_HELPERS: Mapping[str, Mapping[str, str]] = {
    "processes": {"riseml_lines": "session.sh"},
    "jax": {
        "riseml_lines": "session.sh",
        "riseml_processes": "processes.sh",
        "riseml_hook": "jax_hook.py",
    },
    "mpi": {
        "riseml_agent": "mpi_agent.py",
        "riseml_ranks": "mpi_ranks.py",
        "riseml_rank": "mpi_rank.sh",
        "riseml_lines": "session.sh",
    },
}


def arguments(
    lines: Sequence[str],
    name: str = "session",
    *,
    gang: bool = False,
    masks: bool = False,
    stops_early: bool = False,
    has_parameters: bool = False,
    times_out: bool = False,
    holds: bool = False,
    has_gpus: bool = False,
) -> list[str]:
    """Return the `args` for the command `sh -c`: the run script, its functions, and the unchanged lines."""
    text = script(
        name,
        gang=gang,
        masks=masks,
        stops_early=stops_early,
        has_parameters=has_parameters,
        times_out=times_out,
        holds=holds,
        has_gpus=has_gpus,
    )
    # It runs the script in bash if the image has it.
    return [templating.read(templating.BASH), text, functions(), *lines]


@cache
def script(
    name: str = "session",
    *,
    gang: bool = False,
    masks: bool = False,
    stops_early: bool = False,
    has_parameters: bool = False,
    times_out: bool = False,
    holds: bool = False,
    has_gpus: bool = False,
) -> str:
    """Return the run script around the script `name`, which runs the lines.

    In a gang, the jobs first wait for each other. With `masks`, the output of the job
    shows no secrets. With `stops_early`, a search may stop the lines. A job
    that `has_parameters` records its end for TensorBoard's HPARAMS tab. Lines of one that
    `times_out` are stopped after some time. One that `holds`
    waits after a failure until it is released. The use of GPUs is watched if it `has_gpus`.
    """
    # The run script reads other scripts from variables, because it has no files.
    helpers = "".join(
        _assigned(variable, templating.read(file))
        for variable, file in _HELPERS.get(name, {}).items()
    )
    session = _assigned("riseml_session", helpers + templating.read(f"{name}.sh"))
    meeting = templating.read("gang.sh") if gang else ""
    mask = _mask() if masks else ""
    early = _early() if stops_early else ""
    session_end = _session_end() if has_parameters else ""
    # A hold waits with a function of the timeout.
    timeout = templating.read("timeout.sh") if times_out or holds else ""
    hold = templating.read("hold.sh") if holds else ""
    idle = _idle() if has_gpus else ""
    run = templating.read("run.sh")
    return meeting + mask + session + early + session_end + timeout + hold + idle + run


@cache
def functions() -> str:
    """Return the functions that follow a run script as an argument; a job on one machine rarely needs them."""
    # A shell reads a quoted text much faster than functions, and few jobs need these.
    stop = _assigned("riseml_stop_functions", templating.read("stop.sh"))
    files = ("functions.sh", "workdir.sh", "usage.sh", "pod.sh")
    return templating.FUNCTIONS + stop + "".join(map(templating.read, files))


def _mask() -> str:
    program = Path(masking.__file__).read_text("utf-8")
    return _assigned("riseml_masking", program) + templating.read("mask.sh")


def _early() -> str:
    rungs = _assigned("riseml_rungs", templating.read("rungs.py"))
    watcher = _assigned("riseml_early_stop", templating.read("early_stop.py"))
    return rungs + watcher + templating.read("early.sh")


def _idle() -> str:
    program = templating.read("idle.py")
    return _assigned("riseml_idle", program) + templating.read("idle.sh")


def _session_end() -> str:
    success = hparams.octal(hparams.end(is_success=True))
    failure = hparams.octal(hparams.end(is_success=False))
    formats = _assigned("riseml_session_success", success) + _assigned(
        "riseml_session_failure", failure
    )
    return formats + templating.read("hparams.sh")


def _assigned(variable: str, text: str) -> str:
    return f"{variable}={shlex.quote(text)}\n"


def checkout(names: Names) -> UserContainer:
    """Return the init container that checks out the code and writes the library of jobs."""
    code = [VolumeMount(name="code", mount_path=CODE)] if has_code_volume(names) else []
    return UserContainer(
        name="checkout",
        image=names.target.git_image,
        command=["sh", "-c"],
        args=[
            templating.read("checkout.sh")
            + templating.read("original.sh")
            + _WRITE_LIBRARY,
            "checkout",
            templating.read("library/riseml.py"),
        ],
        env=variables(
            {
                **source(names),
                **original(names),
                "RISEML_OPEN": "1",
                "CODE_DIR": code_folder(names),
                "RISEML_DIR": RISEML,
            }
        ),
        volume_mounts=[*store_mounts(), *code],
    )


def fetched(names: Names, folder: str) -> list[Artifact]:
    """Return the artifacts that replace `checkout` for code from a Git remote."""
    if names.origin.git_url is None:
        return []
    return [
        GitArtifact(
            name="code",
            path=folder,
            repo=names.origin.git_url,
            revision=names.origin.revision or None,
        ),
        RawArtifact(
            name="library", path=LIBRARY, data=templating.read("library/riseml.py")
        ),
    ]


def annotations(resources: Resources, names: Names) -> dict[str, str] | None:
    """Return what a shared machine has to know about a pod: what it may see, and which GPUs it needs."""
    plan = names.plan
    flags = {
        labels.ISOLATE_NETWORK: plan.isolate_network,
        labels.ISOLATED: plan.isolated,
        labels.ENFORCED: plan.enforces_resources,
    }
    values = {name: "true" for name, is_set in flags.items() if is_set}
    return {**values, **gpu_request.annotations(resources)} or None


def code_folder(names: Names) -> str:
    """Return the folder of the checkout.

    With install steps, /code is a folder of the image that has their files.
    """
    return f"{RISEML}/code" if names.plan.install else CODE


def has_code_volume(names: Names) -> bool:
    """Return whether /code is a volume, and not a folder of the image or an artifact."""
    return not names.plan.install and not names.origin.git_url


def source(names: Names) -> dict[str, str]:
    """Return the variables that name the repository and revision of the code."""
    return {
        "REPOSITORY": f"{STORE}/repos/{names.plan.project}.git",
        "REVISION": names.origin.revision,
    }


def original(names: Names) -> dict[str, str]:
    """Return the variables by which original.sh recognizes a copy of a Workflow.

    A copy has the folders of the original, and another name.
    """
    if names.workflow is None:
        return {}
    return {"WORKFLOW": "{{workflow.name}}", "ORIGINAL": names.workflow}


def store_mounts() -> list[VolumeMount]:
    """Return the mounts of a container that reads the store."""
    return [
        VolumeMount(name="store", mount_path=STORE, read_only=True),
        VolumeMount(name="riseml", mount_path=RISEML),
    ]


def variables(values: Mapping[str, str]) -> list[Any]:
    """Return environment variables."""
    return [Env(name=name, value=value) for name, value in values.items()]


def requirements(resources: Resources, names: Names) -> ResourceRequirements:
    """Return requests for all resources, and limits for GPUs, which Kubernetes requires."""
    requests = {
        "cpu": quantities.cores_text(resources.cpus),
        "memory": quantities.memory_text(resources.mem),
    }
    limits = gpus.limits(resources, names.target)
    return ResourceRequirements.model_validate({"requests": requests, "limits": limits})


def binding_requirements(resources: Resources, names: Names) -> ResourceRequirements:
    """Return requests, and limits for what a job on this cluster may not exceed.

    Jobs alone have them: the user chooses what they request.
    """
    required = requirements(resources, names)
    limits = dict(required.limits or {})
    requests = required.requests or {}
    if names.target.limit_mem:
        limits["memory"] = requests["memory"]
    if names.target.limit_cpus:
        limits["cpu"] = requests["cpu"]
    required.limits = limits or None
    return required


def prefer(label: str, operator: str) -> Affinity:
    """Return a preference for nodes whose `label` is true (`In`), or for all others (`NotIn`)."""
    requirement = NodeSelectorRequirement(key=label, operator=operator, values=["true"])
    term = PreferredSchedulingTerm(
        weight=_MAX_WEIGHT, preference=NodeSelectorTerm(match_expressions=[requirement])
    )
    return Affinity(
        node_affinity=NodeAffinity(
            preferred_during_scheduling_ignored_during_execution=[term]
        )
    )


def affinity(resources: Resources, names: Names) -> Affinity | None:
    """Return the affinity of a job, None if it is that of all pods of the Workflow."""
    base = together(names) if names.is_gang else prefer(labels.SYSTEM_NODE, "NotIn")
    required = gpu_affinity.affinity(resources, names.target, base)
    if required is base and not names.is_gang:
        return None
    return required


def together(names: Names) -> Affinity:
    """Return the preference of all jobs, and that for the node of the experiment's other jobs."""
    experiment = {
        labels.WORKFLOW: names.workflow or "{{workflow.name}}",
        labels.EXPERIMENT: reference(labels.SUB_PARAMETER),
    }
    peers = PodAffinityTerm(
        label_selector=LabelSelector(match_labels=experiment),
        topology_key="kubernetes.io/hostname",
    )
    preference = WeightedPodAffinityTerm(weight=_MAX_WEIGHT, pod_affinity_term=peers)
    return Affinity(
        node_affinity=prefer(labels.SYSTEM_NODE, "NotIn").node_affinity,
        pod_affinity=PodAffinity(
            preferred_during_scheduling_ignored_during_execution=[preference]
        ),
    )
