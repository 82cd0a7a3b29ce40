"""TensorFlow: one job, or a master, workers and parameter servers that TF_CONFIG tells of each other, or Horovod.

tensorflow: {version: 1.5.0, distributed: {worker: 3, ps: 1}}   ──▶   master, worker.1, worker.2, ps.1
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from riseml.amounts import RESOURCES, WORKERS, Workers
from riseml.document import Document, Entries
from riseml.frameworks import alone
from riseml.schema import Boolean, Choice, Integer, Nullable, Record, Shorthand, Text
from riseml.spec import Job, Resources

_TAG = "[0-9A-Za-z_.-]"
_FIRST_WITH_TENSORBOARD = (1, 4)
_RELEASE = r"tensorflow/tensorflow:(\d+)\.(\d+)"


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


def _exclusive(values: Mapping[str, object], entries: Entries, _node: object, name: str, doc: Document) -> None:
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
_COUNTED = Record(Role, {"count": Integer(1).says("How many; 1 by default."), "resources": RESOURCES})
_ROLE = Shorthand(Integer(1), Role, _COUNTED)
_DISTRIBUTED = Record(
    Distributed,
    {
        "ps": _ROLE.says("Parameter servers."),
        "worker": _ROLE.says("Workers, the master being one of them."),
        "master": _MASTER,
        "chief": Nullable(Choice("master", "chief")).says("Key of the first task in TF_CONFIG; by version by default."),
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
        "tensorboard": Boolean().says("Whether TensorBoard shows the output; true by default."),
        "distributed": Nullable(_DISTRIBUTED, empty=True).says("Jobs that TF_CONFIG tells of each other."),
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


def doubts(options: Options, image: str) -> tuple[str, ...]:
    """TensorBoard needs TensorFlow 1.4; the images of Horovod are of 2018."""
    found = []
    release = re.match(_RELEASE, image)
    if options.tensorboard and release and (int(release[1]), int(release[2])) < _FIRST_WITH_TENSORBOARD:
        found.append("TensorBoard does not work with TensorFlow before 1.4; set tensorboard: false")
    if options.horovod and image.startswith("riseml/"):
        found.append(f"the image {image} is of 2018 and may be gone; set image, for example to horovod/horovod:latest")
    return tuple(found)


def distribute(job: Job, options: Options) -> tuple[Job, ...]:
    """Return the job, or the master, workers and parameter servers."""
    return alone(job, several=bool(options.distributed or options.horovod), name="TensorFlow")


def _any_gpus(options: Options, resources: Resources) -> bool:
    roles = (
        (options.distributed.ps, options.distributed.worker, options.distributed.master) if options.distributed else ()
    )
    return any(each.gpus > 0 for each in (resources, *(role.resources for role in roles if role.resources)))
