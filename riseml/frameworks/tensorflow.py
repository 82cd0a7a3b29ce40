"""TensorFlow: one job, or a master, workers and parameter servers that TF_CONFIG tells of each other, or Horovod.

tensorflow: {version: 1.5.0, distributed: {worker: 3, ps: 1}}   ──▶   master, worker.1, worker.2, ps.1
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from riseml.frameworks import mpi
from riseml.plan import POSITION, Job, Resources, host
from riseml.schema.fields import (
    Boolean,
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
_FIRST_WITH_TENSORBOARD = (1, 4)
_RELEASE = r"tensorflow/tensorflow:(\d+)\.(\d+)"
# As in the guides of TensorFlow
_PORT = 2222
_MAJOR = re.compile(
    r"(?:tf|tensorflow[:_-]?v?)([12])(?![0-9])"
)  # in an image's name: `…/tensorflow:1.5.0`, `…-tf1-py3`


@dataclass(frozen=True)
class Role:
    """Jobs of one type; without resources of their own they have the experiment's."""

    count: int = 1
    resources: Resources | None = None


@dataclass(frozen=True)
class Distributed:
    """How many jobs of each type; `worker` counts the master. `chief` is its key in TF_CONFIG, None: by version."""

    ps: Role = Role()
    worker: Role = Role()
    master: Role = Role()
    chief: str | None = None


@dataclass(frozen=True)
class Horovod:
    """Workers that Horovod joins; `version` is a part of the image's tag."""

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
            "Remove one: parameter servers and Horovod are two ways to do the same.",
        )


_MASTER = Record(
    Role,
    {"resources": RESOURCES.says("Instead of train.resources.")},
    hints={"count": "There is one master; 'worker' counts it."},
)
_COUNTED = Record(
    Role, {"count": Integer(1).says("How many; 1 by default."), "resources": RESOURCES}
)
_ROLE = Shorthand(Integer(1), Role, _COUNTED)
_DISTRIBUTED = Record(
    Distributed,
    {
        "ps": _ROLE.says("Parameter servers."),
        "worker": _ROLE.says("Workers, the master being one of them."),
        "master": _MASTER,
        "chief": Nullable(Choice("master", "chief")).says(
            "Key of the first task in TF_CONFIG; by version by default."
        ),
    },
    hints={
        "type": "For Horovod write horovod: {workers: 2} in place of distributed.",
        "workers": "Did you mean 'worker'? With Horovod it is horovod: {workers: 2} in place of distributed.",
    },
)
_HOROVOD = Record(
    Horovod,
    {"workers": WORKERS, "version": Nullable(Text("a version", f"{_TAG}+"))},
    required={"workers": "Write for example workers: {count: 2}."},
)
SECTION = Record(
    Options,
    {
        "version": Nullable(
            Text(
                "a version such as 1.5.0, or latest",
                f"[0-9]+[.][0-9]+[.][0-9]+{_TAG}*|{_TAG}*latest",
                "Write all three numbers, such as 1.5.0; '-gpu' comes by itself when there are GPUs.",
            )
        ).says("Tag of the image tensorflow/tensorflow; latest by default."),
        "tensorboard": Boolean().says(
            "Whether TensorBoard shows the output; true by default."
        ),
        "distributed": Nullable(_DISTRIBUTED, empty=True).says(
            "Jobs that TF_CONFIG tells of each other."
        ),
        "horovod": Nullable(_HOROVOD, empty=True).says("Workers that Horovod joins."),
    },
    check=_exclusive,
)


def variables(_options: Options) -> frozenset[str]:
    """TF_CONFIG, always: TensorFlow reads it."""
    return frozenset({"TF_CONFIG"})


def image(options: Options, resources: Resources) -> str:
    """Return the public image of the version, with `-gpu` when any job asks for GPUs."""
    tag = options.version or "latest"
    name = f"tensorflow/tensorflow:{tag}"
    if options.horovod:
        name = f"riseml/tensorflow:{tag}-horovod-{options.horovod.version or 'latest'}"
    if not _any_gpus(options, resources) or "-gpu" in tag:
        return name
    return name.removesuffix("-py3") + ("-gpu-py3" if name.endswith("-py3") else "-gpu")


def warnings(options: Options, image: str) -> tuple[str, ...]:
    """TensorBoard needs TensorFlow 1.4; the images of Horovod are of 2018."""
    found = []
    release = re.match(_RELEASE, image)
    if (
        options.tensorboard
        and release
        and (int(release[1]), int(release[2])) < _FIRST_WITH_TENSORBOARD
    ):
        found.append(
            "TensorBoard does not work with TensorFlow before 1.4; set tensorboard: false"
        )
    if options.horovod and image.startswith("riseml/"):
        found.append(
            f"the image {image} is of 2018 and may be gone; set image, for example to horovod/horovod:latest"
        )
    return tuple(found)


def distribute(job: Job, options: Options, image: str) -> tuple[Job, ...]:
    """Return the job, or the master, workers and parameter servers."""
    if options.horovod:
        return mpi.ranks(job, options.horovod.workers)
    if not options.distributed:
        return (job,)
    roles = options.distributed
    jobs = (
        _with(job, "master", roles.master, 1),
        *(
            [_with(job, "worker", roles.worker, roles.worker.count - 1)]
            if roles.worker.count > 1
            else []
        ),
        replace(_with(job, "ps", roles.ps, roles.ps.count), daemon=True),
    )
    first = roles.chief or _first_task(options.version, image)
    return tuple(
        replace(each, framework_env={"TF_CONFIG": _config(each, jobs, first)})
        for each in jobs
    )


def _with(job: Job, type: str, role: Role, count: int) -> Job:  # noqa: A002
    return replace(
        job, type=type, count=count, resources=role.resources or job.resources
    )


def _first_task(version: str | None, image: str) -> str:
    """Return what the release calls the task that leads: `master` until TensorFlow 2."""
    major = re.match(r"(\d+)", version or "") or _MAJOR.search(image)
    return "master" if major and major[1] == "1" else "chief"


def _config(job: Job, jobs: tuple[Job, ...], first: str) -> str:
    """Return TF_CONFIG: all jobs by type, and which of them this one is."""
    types = {each.type: first if each.type == "master" else each.type for each in jobs}
    cluster = {
        types[each.type]: [
            f"{host(each.type, index)}:{_PORT}" for index in range(1, each.count + 1)
        ]
        for each in jobs
    }
    text = json.dumps(
        {"cluster": cluster, "task": {"type": types[job.type], "index": 0}}
    )
    return (
        text if job.count == 1 else text.replace('"index": 0', f'"index": {POSITION}')
    )


def _any_gpus(options: Options, resources: Resources) -> bool:
    roles = (
        (options.distributed.ps, options.distributed.worker, options.distributed.master)
        if options.distributed
        else ()
    )
    return any(
        each.gpus > 0
        for each in (resources, *(role.resources for role in roles if role.resources))
    )
