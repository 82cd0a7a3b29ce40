"""TensorFlow: one job; or a master, workers and parameter servers that know each other by TF_CONFIG; or Horovod.

tensorflow: {version: 1.5.0, distributed: {worker: 3, ps: 1}}   ──▶   master, worker.1, worker.2, ps.1
tensorflow: {distributed: {worker: 3}}                          ──▶   master, worker.1, worker.2
"""

import json
import re
from collections.abc import Mapping, Sequence

from riseml.dataclass import dataclass, replace
from riseml.frameworks import mpi, tensorboard
from riseml.plan import POSITION, Job, Resources, host
from riseml.schema.fields import (
    Choice,
    Integer,
    Nullable,
    Record,
    Shorthand,
    Text,
)
from riseml.schema.resources import RESOURCES, WORKERS, Workers
from riseml.schema.yaml_document import Document, Entries

_TAG = "[0-9A-Za-z_.-]"
_LATEST = "latest"
_FIRST_WITH_TENSORBOARD = (1, 4)
_RELEASE = r"tensorflow/tensorflow:(\d+)\.(\d+)"
# The port in TensorFlow's guides.
_PORT = 2222
# Names of strategies in a program's text.
_WITH_SERVERS = re.compile(r"\bParameterServerStrategy")
_WITHOUT_SERVERS = re.compile(r"\b(?:MultiWorkerMirrored|CollectiveAllReduce)Strategy")
# By whether the strategy needs parameter servers.
_MISFITS = {
    True: "ParameterServerStrategy needs a parameter server; write distributed: {ps: 1}",
    False: "MultiWorkerMirroredStrategy waits forever for a parameter server; write distributed: {ps: 0}",
}
# The major version in the name of an image: `…/tensorflow:1.5.0`, `…-tf1-py3`.
_MAJOR = re.compile(r"(?:tf|tensorflow[:_-]?v?)([12])(?![0-9])")


@dataclass(frozen=True)
class Role:
    """Jobs of one type; None as resources means those of the experiment."""

    count: int = 1
    resources: Resources | None = None


@dataclass(frozen=True)
class Distributed:
    """The roles of a distributed experiment; `worker` counts the master.

    `chief` is the master's key in TF_CONFIG; None means the one of the version. `ps` None
    means as many as the version needs: one in TensorFlow 1, none since 2.
    """

    ps: Role | None = None
    worker: Role = Role()
    master: Role = Role()
    chief: str | None = None


@dataclass(frozen=True)
class Horovod:
    """Workers that Horovod connects; `version` becomes part of the image's tag."""

    workers: Workers
    version: str | None = None


@dataclass(frozen=True)
class Options:
    """The section `tensorflow`."""

    version: str | None = None
    tensorboard: bool = True
    distributed: Distributed | None = None
    horovod: Horovod | None = None


def _exclusive(
    values: Mapping[str, object],
    entries: Entries,
    _node: object,
    name: str,
    doc: Document,
) -> None:
    if values.get("distributed") and values.get("horovod"):
        doc.error(
            entries["horovod"][0],
            f"{name} cannot have both 'distributed' and 'horovod'",
            "Remove one: they are two ways to distribute the same training.",
        )


# 4 workers of 2 processes: both numbers are there, since one alone is easily lost.
_HOROVOD_ADVICE = (
    "For Horovod write tensorflow: {horovod: {workers: {count: 4, processes: 2}}}, "
    "without distributed."
)
_RESOURCES = RESOURCES.says(
    "What each of these jobs is guaranteed, with the keys of train.resources.",
    otherwise="it is that of train.resources",
    example={"cpus": 2, "mem": "2Gi"},
)
_MASTER = Record(
    Role,
    {"resources": _RESOURCES},
    hints={"count": "There is one master, and 'worker' counts it."},
)
_COUNTED = Record(
    Role,
    {
        "count": Integer(1).says(
            "Number of workers; the master is one of them.", default=1, example=3
        ),
        "resources": _RESOURCES,
    },
)
_SERVERS = Record(
    Role,
    {
        "count": Integer(0).says("Number of parameter servers.", default=1, example=2),
        "resources": _RESOURCES,
    },
)
_ROLE = Shorthand(Integer(1), Role, _COUNTED)
_DISTRIBUTED = Record(
    Distributed,
    {
        "ps": Shorthand(Integer(0), Role, _SERVERS).says(
            "Parameter servers: a number, or a mapping.",
            otherwise="there is none, and 1 in TensorFlow 1",
            example=1,
        ),
        "worker": _ROLE.says(
            "Workers, including the master: a number, or a mapping.",
            default=1,
            example=3,
        ),
        "master": _MASTER.says(
            "The job that evaluates and saves.",
            otherwise="it has train.resources",
            example={"resources": {"cpus": 4}},
        ),
        "chief": Nullable(Choice("master", "chief")).says(
            "Key of the first task in TF_CONFIG.",
            otherwise="it is master in TensorFlow 1, chief since TensorFlow 2",
            example="chief",
        ),
    },
    hints={
        "horovod": _HOROVOD_ADVICE,
        "type": _HOROVOD_ADVICE,
        "workers": f"Did you mean 'worker'? {_HOROVOD_ADVICE}",
    },
)
_HOROVOD = Record(
    Horovod,
    {
        "workers": WORKERS.says(
            "Workers, each on one node, and the processes of each: a number, or a mapping.",
            example={"count": 2, "processes": 4},
        ),
        "version": Nullable(Text("a version", f"{_TAG}+")).says(
            "Version of Horovod in the tag of the image riseml/tensorflow of 2018.",
            default="latest",
            example="0.13.2",
            local="used in containers only",
        ),
    },
    required={"workers": "Write for example workers: {count: 2}."},
)
SECTION = Record(
    Options,
    {
        "version": Nullable(
            Text(
                "a version such as 1.5.0, or latest",
                f"[0-9]+[.][0-9]+[.][0-9]+{_TAG}*|{_TAG}*latest",
                "Write all three numbers, such as 1.5.0; '-gpu' is added when there are GPUs.",
            )
        ).says(
            "Tag of the image tensorflow/tensorflow; with `image`, only its major version has a meaning.",
            default="latest",
            example="2.17.0",
            local="used in containers only",
        ),
        "tensorboard": tensorboard(default=True),
        "distributed": Nullable(_DISTRIBUTED, empty=True).says(
            "Master, workers and parameter servers, connected by TF_CONFIG.",
            otherwise="one job runs the commands",
            example={"worker": 3, "ps": 1},
        ),
        "horovod": Nullable(_HOROVOD, empty=True).says(
            "Workers, connected by Horovod; framework: horovod is the newer form.",
            otherwise="one job runs the commands",
            example={"workers": 2},
        ),
    },
    check=_exclusive,
)


def variables(_options: Options) -> frozenset[str]:
    """Return TF_CONFIG, which TensorFlow reads in every job."""
    return frozenset({"TF_CONFIG"})


def image(options: Options, resources: Resources) -> str:
    """Return the public image of the version, with `-gpu` if any job requests GPUs."""
    tag = options.version or _LATEST
    name = f"tensorflow/tensorflow:{tag}"
    if options.horovod:
        horovod_version = options.horovod.version or _LATEST
        name = f"riseml/tensorflow:{tag}-horovod-{horovod_version}"
    if not _uses_gpus(options, resources) or "-gpu" in tag:
        return name
    # The Python version is the last suffix of TensorFlow's tags.
    python = "-py3" if name.endswith("-py3") else ""
    return f"{name.removesuffix(python)}-gpu{python}"


def warnings(options: Options, image: str) -> tuple[str, ...]:
    """Return warnings about a TensorFlow without TensorBoard, and about the images of 2018."""
    messages = []
    match = re.match(_RELEASE, image)
    if options.tensorboard and match:
        release = (int(match[1]), int(match[2]))
        if release < _FIRST_WITH_TENSORBOARD:
            messages.append(
                "TensorBoard does not work with TensorFlow before 1.4; set tensorboard: false"
            )
    if options.horovod and image.startswith("riseml/"):
        messages.append(
            f"the image {image} dates from 2018 and may no longer exist; set image, for example horovod/horovod:latest"
        )
    return tuple(messages)


def code_warnings(options: Options, image: str, code: str) -> tuple[str, ...]:
    """Return a warning about a strategy that does not fit the parameter servers."""
    if options.distributed is None:
        return ()
    is_version_1 = _is_version_1(options.version, image)
    servers = _servers(options.distributed, is_version_1=is_version_1)
    needs_servers = bool(_WITH_SERVERS.search(code))
    needs_none = bool(_WITHOUT_SERVERS.search(code))
    # A program may have a choice of both kinds.
    if is_version_1 or needs_servers in (needs_none, servers.count > 0):
        return ()
    return (_MISFITS[needs_servers],)


def distribute(job: Job, options: Options, image: str) -> tuple[Job, ...]:
    """Return the job, or the master, workers and parameter servers."""
    if options.horovod:
        return mpi.ranks(job, options.horovod.workers)
    if not options.distributed:
        return (job,)
    roles = options.distributed
    jobs = [_with_role(job, "master", roles.master, 1)]
    # The master is one of the workers.
    if roles.worker.count > 1:
        jobs.append(_with_role(job, "worker", roles.worker, roles.worker.count - 1))
    is_version_1 = _is_version_1(options.version, image)
    servers = _servers(roles, is_version_1=is_version_1)
    if servers.count > 0:
        server = _with_role(job, "ps", servers, servers.count)
        # Parameter servers never end by themselves.
        jobs.append(replace(server, daemon=True))
    # `chief` is the name since TensorFlow 2.
    master_key = roles.chief or ("master" if is_version_1 else "chief")
    connected = []
    for role_job in jobs:
        config = _tf_config(role_job, jobs, master_key)
        connected.append(replace(role_job, framework_env={"TF_CONFIG": config}))
    return tuple(connected)


def _with_role(job: Job, job_type: str, role: Role, count: int) -> Job:
    resources = role.resources or job.resources
    return replace(job, type=job_type, count=count, resources=resources)


def _servers(roles: Distributed, *, is_version_1: bool) -> Role:
    """Return the role of the parameter servers, whose count may be 0."""
    if roles.ps is not None:
        return roles.ps
    # Workers of TensorFlow 2 need a ps only for ParameterServerStrategy. With the others,
    # they wait for it forever.
    return Role(count=1 if is_version_1 else 0)


def _is_version_1(version: str | None, image: str) -> bool:
    """Return whether this is TensorFlow 1; images whose name has no version are mostly new."""
    major = re.match(r"(\d+)", version or "") or _MAJOR.search(image)
    return major is not None and major[1] == "1"


def _tf_config(job: Job, jobs: Sequence[Job], master_key: str) -> str:
    """Return TF_CONFIG for a job: the addresses of all jobs by type, and its own type and index."""
    keys = {peer.type: peer.type for peer in jobs}
    keys["master"] = master_key
    cluster = {keys[peer.type]: _addresses(peer) for peer in jobs}
    text = json.dumps(
        {"cluster": cluster, "task": {"type": keys[job.type], "index": 0}}
    )
    if job.count == 1:
        return text
    # The index is a number in JSON, so its placeholder has no quotes.
    return text.replace('"index": 0', f'"index": {POSITION}')


def _addresses(job: Job) -> list[str]:
    indices = range(1, job.count + 1)
    return [f"{host(job.type, index)}:{_PORT}" for index in indices]


def _uses_gpus(options: Options, resources: Resources) -> bool:
    if resources.gpus:
        return True
    if options.distributed is None:
        return False
    roles = options.distributed
    requests = [
        role.resources or resources
        for role in (roles.ps or Role(), roles.worker, roles.master)
    ]
    return any(request.gpus for request in requests)
