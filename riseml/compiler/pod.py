"""What the pods of a document have in common: volumes, the way code comes to them, what Kubernetes is asked for."""

import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from hera.workflows import (
    Artifact,
    EmptyDirVolume,
    Env,
    ExistingVolume,
    GitArtifact,
    RawArtifact,
    SecretVolume,
    UserContainer,
)
from hera.workflows.models import (
    Affinity,
    KeyToPath,
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

from riseml import labels, quantities, templating
from riseml.compiler.names import Names
from riseml.compiler.text import reference
from riseml.plan import Resources

CODE, DATA, OUTPUT, RISEML, STORE, SHM = (
    "/code",
    "/data",
    "/output",
    "/riseml",
    "/store",
    "/dev/shm",  # noqa: S108
)
LIBRARY = f"{RISEML}/lib/riseml.py"
_STRONGEST = 100
_WRITE_LIBRARY = """
mkdir -p "$RISEML_DIR/lib"
printf %s "$1" > "$RISEML_DIR/lib/riseml.py"
"""
_PARTS = {
    "processes": {"riseml_lines": "session.sh"},
    "mpi": {"riseml_agent": "mpi_agent.py"},
}
# The lines run in bash where there is one. `$0` is the run script, which `sh` has read as an argument only.
_BASH = """\
command -v bash > /dev/null && exec bash -c "$0" riseml "$@"
exec sh -c "$0" riseml "$@"
"""


def volumes(names: Names) -> list[Any]:
    """Return the volumes of all pods: claims, and folders that live as long as a pod."""
    target = names.target
    store = (
        []
        if names.origin.git_url
        else [ExistingVolume(name="store", claim_name=target.store_claim)]
    )
    code = [EmptyDirVolume(name="code")] if has_code_volume(names) else []
    secret = names.target.buildkit_secret
    secrets = (
        [SecretVolume(name="certificates", secret_name=secret)] if names.builds else []
    )
    if (
        names.builds and target.pull_secrets
    ):  # optional: as for nodes, what is not there is done without
        items = [KeyToPath(key=".dockerconfigjson", path="config.json")]
        login = SecretVolume(
            name="login", secret_name=target.pull_secrets[0], optional=True, items=items
        )
        secrets.append(login)
    return [
        ExistingVolume(name="data", claim_name=target.data_claim),
        ExistingVolume(name="output", claim_name=target.output_claim),
        *store,
        *code,
        EmptyDirVolume(name="riseml"),
        EmptyDirVolume(name="shm", medium="Memory"),
        *secrets,
    ]


def arguments(
    lines: Sequence[str], way: str = "session", *, gang: bool = False
) -> list[str]:
    """Return the `args` of a container whose command is `sh -c`: the run script, then each line as it is."""
    return [_BASH, script(way, gang=gang), *lines]


@cache
def script(way: str = "session", *, gang: bool = False) -> str:
    """Return the run script: how the jobs of a gang meet, which way the lines run, and `run.sh` around both."""
    parts = "".join(
        _assigned(name, templating.read(part))
        for name, part in _PARTS.get(way, {}).items()
    )
    session = _assigned("riseml_session", parts + templating.read(f"{way}.sh"))
    return (
        (templating.read("gang.sh") if gang else "")
        + session
        + templating.read("run.sh")
    )


def _assigned(variable: str, text: str) -> str:
    return f"{variable}={shlex.quote(text)}\n"


def checkout(names: Names) -> UserContainer:
    """Return the init container that brings the code, and the library that jobs import."""
    code = [VolumeMount(name="code", mount_path=CODE)] if has_code_volume(names) else []
    return UserContainer(
        name="checkout",
        image=names.target.git_image,
        command=["sh", "-c"],
        args=[
            templating.read("checkout.sh") + _WRITE_LIBRARY,
            "checkout",
            templating.read("riseml.py"),
        ],
        env=variables(
            {**source(names), "CODE_DIR": code_folder(names), "RISEML_DIR": RISEML}
        ),
        volume_mounts=[*store_mounts(), *code],
    )


def fetched(names: Names, folder: str) -> list[Artifact]:
    """Return the artifacts that do what `checkout` does where the code comes from a Git remote."""
    if names.origin.git_url is None:
        return []
    return [
        GitArtifact(
            name="code",
            path=folder,
            repo=names.origin.git_url,
            revision=names.origin.revision or None,
        ),
        RawArtifact(name="library", path=LIBRARY, data=templating.read("riseml.py")),
    ]


def code_folder(names: Names) -> str:
    """Return where the checkout goes: beside /code where install steps have left files of theirs in there."""
    return f"{RISEML}/code" if names.plan.install else CODE


def has_code_volume(names: Names) -> bool:
    """Whether /code is a volume: not where the image brings one of its own, nor where an artifact becomes one."""
    return not names.plan.install and not names.origin.git_url


def source(names: Names) -> dict[str, str]:
    """Return the variables that say where the code is, as a Git repository sees it."""
    return {
        "REPOSITORY": f"{STORE}/repos/{names.plan.project}.git",
        "REVISION": names.origin.revision,
    }


def store_mounts() -> list[VolumeMount]:
    """Return what a container needs mounted that reads the store."""
    return [
        VolumeMount(name="store", mount_path=STORE, read_only=True),
        VolumeMount(name="riseml", mount_path=RISEML),
    ]


def variables(values: Mapping[str, str]) -> list[Any]:
    """Return environment variables."""
    return [Env(name=name, value=value) for name, value in values.items()]


def requirements(resources: Resources, names: Names) -> ResourceRequirements:
    """Return guaranteed shares, without limits but for GPUs, which Kubernetes knows in no other form."""
    requests = {
        "cpu": quantities.cores_text(resources.cpus),
        "memory": quantities.memory_text(resources.mem),
    }
    limits = (
        {names.target.gpu_resource: str(resources.gpus)} if resources.gpus else None
    )
    return ResourceRequirements.model_validate({"requests": requests, "limits": limits})


def prefer(label: str, operator: str) -> Affinity:
    """Return a wish for nodes: `operator` In for those whose `label` is true, NotIn for all others."""
    wish = NodeSelectorRequirement(key=label, operator=operator, values=["true"])
    term = PreferredSchedulingTerm(
        weight=_STRONGEST, preference=NodeSelectorTerm(match_expressions=[wish])
    )
    return Affinity(
        node_affinity=NodeAffinity(
            preferred_during_scheduling_ignored_during_execution=[term]
        )
    )


def together(names: Names) -> Affinity:
    """Return the wish of all jobs, and that for the node where others of the same experiment are."""
    own = {
        labels.WORKFLOW: names.workflow or "{{workflow.name}}",
        labels.EXPERIMENT: reference(labels.SUB_PARAMETER),
    }
    peers = PodAffinityTerm(
        label_selector=LabelSelector(match_labels=own),
        topology_key="kubernetes.io/hostname",
    )
    wish = WeightedPodAffinityTerm(weight=_STRONGEST, pod_affinity_term=peers)
    return Affinity(
        node_affinity=prefer(labels.SYSTEM_NODE, "NotIn").node_affinity,
        pod_affinity=PodAffinity(
            preferred_during_scheduling_ignored_during_execution=[wish]
        ),
    )
