"""Documents that need nothing of RiseML on the cluster: a namespace with Argo is enough.

    account       the default one of the namespace
    code          a Git remote, or the document contains it (`project/embedded.py`)
    install       steps run at the start of each job, because there is no build service
    output        is lost with the pod, or a claim or Argo's artifact repository keeps it
    results       output parameters of every template, up to the entry point

A compiled document is changed afterwards, so that the compiler itself knows nothing of this.
"""

import copy
import posixpath
import shlex
from collections.abc import Sequence
from typing import Any

from riseml import labels, templating
from riseml.compiler import pod
from riseml.compiler.text import literal
from riseml.dataclass import dataclass, replace
from riseml.errors import UnsupportedError
from riseml.plan import ExperimentSet

Object = dict[str, Any]

NOTHING, NEW_CLAIM, CLAIM, ARTIFACTS = "nothing", "new-claim", "claim", "artifacts"
KINDS = (NOTHING, NEW_CLAIM, CLAIM, ARTIFACTS)
DEFAULT_SIZE = "10Gi"
# The kernel accepts no variable of 128 KiB.
_MAX_VARIABLE = 120_000
_CHECKOUT = "checkout"
# The workers of MPI otherwise exchange a secret through the folder that they share, and jobs
# agree there to give their resources back, which takes the timeout.
_FIND_PEERS = """\
export RISEML_GANG_TIMEOUT= RISEML_MPI_SECRET='{{workflow.uid}}'
mkdir -p "$RISEML_MEETING"
printf %s "$RISEML_MPI_SECRET" > "$RISEML_MEETING/mpi"
riseml_find_peers > /dev/null 2>&1 &"""
_RESULT = "result"
# Argo makes a list of the results of all items.
_ONLY_ONE = (
    "let value = fromJSON(tasks['{name}'].outputs.parameters['result'])[0];"
    " type(value) == 'string' ? value : sprig.toRawJson(value)"
)


@dataclass(frozen=True)
class Keeping:
    """What keeps the output of jobs: the kind, with the size or the name of a claim."""

    kind: str = NOTHING
    detail: str = ""

    @property
    def is_shared(self) -> bool:
        """Whether all jobs of a run see the same output volume."""
        return self.kind in {NEW_CLAIM, CLAIM}


@dataclass(frozen=True)
class Standalone:
    """How a document becomes standalone.

    `archive` is the embedded code, empty if the code comes from a Git remote.
    """

    keeping: Keeping
    archive: str = ""


def prepared(plan: ExperimentSet, keeping: Keeping) -> ExperimentSet:
    """Return the plan without what only RiseML's installation provides.

    Raises:
        UnsupportedError: experiments have to share files, and nothing keeps them.
    """
    if plan.rounds:
        raise UnsupportedError(
            f"a standalone document cannot contain a search in rounds ({plan.search.method})",
            "Write `method: grid` or `method: random`, or train through RiseML.",
        )
    if plan.early_stop and not keeping.is_shared:
        raise UnsupportedError(
            "experiments of a search that stops early compare results in a volume that they share",
            "Write `--keep new-claim`, or `--keep claim:NAME` for a claim that exists.",
        )
    # TensorBoard reads the output of other pods, and runs in their image.
    tensorboard = plan.tensorboard and keeping.is_shared and not plan.install
    return replace(plan, install=(), build_files=(), tensorboard=tensorboard)


def documents(
    workflow: Object, options: Standalone, install: Sequence[str], *, is_wide: bool
) -> list[Object]:
    """Return a compiled Workflow in its standalone form, after the Service that it needs.

    `install` are the install steps. `is_wide` says whether several pods of the Workflow
    may use its output volume at the same time, on several nodes.
    """
    document = copy.deepcopy(workflow)
    spec = document["spec"]
    for field in pod.ACCOUNT_FIELDS:
        spec.pop(field, None)
    _set_volumes(spec, options.keeping, is_wide=is_wide)
    if options.keeping.kind == ARTIFACTS:
        spec["archiveLogs"] = True
    if options.keeping.kind == NOTHING:
        # The pods are all that is left of the output and the logs.
        spec.pop("podGC", None)
    is_gang = labels.GANG in document["metadata"]["labels"]
    finds_peers = is_gang and not options.keeping.is_shared
    preparation = _preparation(options, install, finds_peers=finds_peers)
    for template in filter(_is_job, spec["templates"]):
        _adapt_job(template, options, preparation)
    is_set = document["metadata"]["labels"][labels.KIND] == "set"
    _hand_up_results(spec, is_set=is_set)
    return [_service(), document] if is_gang else [document]


def _is_job(template: Object) -> bool:
    """Return whether a template runs lines of the user; that of a TensorBoard does not."""
    container = template.get("container", {})
    variables = {entry["name"] for entry in container.get("env", [])}
    return "RISEML_CONFIGURATION" in variables


def _service() -> Object:
    """Return the Service through which jobs find each other; any run of the namespace can use it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": labels.SUBDOMAIN},
        "spec": {
            "clusterIP": "None",
            # Jobs wait for each other before they are ready.
            "publishNotReadyAddresses": True,
            "selector": {labels.GANG: "true"},
        },
    }


def _preparation(
    options: Standalone, install: Sequence[str], *, finds_peers: bool
) -> str:
    """Return what jobs do before the run script; Argo and the kubelet keep the text as it is."""
    text = templating.read("unpack.sh")
    lines = []
    if finds_peers:
        text += templating.read("gang_hosts.sh")
        lines.append(_FIND_PEERS)
    if options.archive:
        lines += _unpacking(options.archive)
    for step in install:
        lines.append(f"riseml_install {shlex.quote(literal(step))}")
    if not lines:
        return ""
    return text + "\n".join(lines) + "\n"


def _unpacking(archive: str) -> list[str]:
    """Return the lines that make files of the variables, which no program of the user gets."""
    names = _chunks(archive)
    texts = "".join(f"${{{name}}}" for name in names)
    return [
        f'riseml_unpack "{texts}"',
        f"mkdir -p {posixpath.dirname(pod.LIBRARY)}",
        f'printf %s "$RISEML_LIBRARY" > {pod.LIBRARY}',
        f"unset RISEML_LIBRARY {' '.join(names)}",
    ]


def _set_volumes(spec: Object, keeping: Keeping, *, is_wide: bool) -> None:
    replacements: dict[str, list[Object]] = {
        "data": [{"name": "data", "emptyDir": {}}],
        "output": _output_volume(keeping),
        "store": [],
    }
    volumes: list[Object] = []
    for volume in spec["volumes"]:
        volumes += replacements.get(volume["name"], [volume])
    spec["volumes"] = volumes
    if keeping.kind == NEW_CLAIM:
        spec["volumeClaimTemplates"] = [_claim(keeping.detail, is_wide=is_wide)]


def _output_volume(keeping: Keeping) -> list[Object]:
    empty = {"name": "output", "emptyDir": {}}
    claim = {"claimName": keeping.detail}
    volumes: dict[str, list[Object]] = {
        NOTHING: [empty],
        ARTIFACTS: [empty],
        CLAIM: [{"name": "output", "persistentVolumeClaim": claim}],
        # Argo adds the volume of a claim that it makes.
        NEW_CLAIM: [],
    }
    return volumes[keeping.kind]


def _claim(size: str, *, is_wide: bool) -> Object:
    return {
        "metadata": {"name": "output"},
        "spec": {
            "accessModes": ["ReadWriteMany" if is_wide else "ReadWriteOnce"],
            "resources": {"requests": {"storage": size or DEFAULT_SIZE}},
        },
    }


def _adapt_job(template: Object, options: Standalone, preparation: str) -> None:
    _replace_checkout(template, options)
    container = template["container"]
    # The run script itself leaves little room: an argument has up to 128 KiB.
    container["args"][0] = preparation + container["args"][0]
    if options.keeping.is_shared:
        return
    for mount in container["volumeMounts"]:
        # The volume is the job's own, and any user can write to the top of it.
        if mount["name"] == "output":
            mount.pop("subPath", None)
    if options.keeping.kind == ARTIFACTS:
        artifact = {"name": "output", "path": pod.OUTPUT, "optional": True}
        template["outputs"].setdefault("artifacts", []).append(artifact)


def _replace_checkout(template: Object, options: Standalone) -> None:
    """Let a job get its code from the document, if a container would get it from the store."""
    by_name = {entry["name"]: entry for entry in template.pop("initContainers", [])}
    if by_name.pop(_CHECKOUT, None):
        template["container"]["env"] += [
            {"name": name, "value": text} for name, text in _code(options).items()
        ]
    if by_name:
        template["initContainers"] = list(by_name.values())


def _code(options: Standalone) -> dict[str, str]:
    """Return the variables that take the place of the container that checks out the code.

    A raw artifact would be in the status of every node, which has to fit into 1 MiB as well.
    """
    library = literal(templating.read("library/riseml.py"))
    return {"RISEML_LIBRARY": library, **_chunks(options.archive)}


def _chunks(archive: str) -> dict[str, str]:
    """Return the text of the code in variables that are short enough for the kernel."""
    starts = range(0, len(archive), _MAX_VARIABLE)
    return {
        f"RISEML_ARCHIVE_{number}": archive[start : start + _MAX_VARIABLE]
        for number, start in enumerate(starts)
    }


def _hand_up_results(spec: Object, *, is_set: bool) -> None:
    """Let each DAG have the result of the tasks below it, so that other Workflows can use it.

    That of a set is a JSON list of those of its experiments.
    """
    for template in spec["templates"]:
        tasks = template.get("dag", {}).get("tasks", [])
        if not tasks:
            continue
        name = _task_with_result(template["name"], tasks)
        reference = f"tasks.{name}.outputs.parameters.{_RESULT}"
        source = {"parameter": f"{{{{{reference}}}}}", "default": ""}
        if template["name"] == "set" and not is_set:
            source = {"expression": _ONLY_ONE.format(name=name), "default": ""}
        parameter = {"name": _RESULT, "valueFrom": source}
        template["outputs"] = {"parameters": [parameter]}


def _task_with_result(template: str, tasks: list[Object]) -> str:
    names = [task["name"] for task in tasks]
    # The entry point may also have a TensorBoard.
    return "set" if template == "main" else names[0]
