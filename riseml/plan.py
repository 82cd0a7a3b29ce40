"""The plan in the middle: what will run, in RiseML's words, engine-free.

Everybody imports these values; they import nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class Resources:
    """What one job asks for: cores, bytes, whole GPUs."""

    cpus: Decimal = Decimal(1)
    mem: int = 512_000_000
    gpus: int = 0


@dataclass(frozen=True)
class Retries:
    """How often a failed experiment is tried again, and after which causes."""

    count: int = 0
    on: tuple[str, ...] = ("error", "oom", "preempted", "node-lost")


INDEX = "{{index}}"
"""In what a framework tells a job: its number among those of its type, from 1."""

POSITION = "{{position}}"
"""In what a framework tells a job: its number among those of its type, from 0."""


def host(type: str, index: int = 1) -> str:  # noqa: A002
    """Return what stands, in what a framework tells a job, for the host name of a job of the same experiment."""
    return f"{{{{host.{type}.{index}}}}}"


def variable_of(parameter: str) -> str:
    """Return the variable that holds a parameter's value: `lr-decay` is in LR_DECAY."""
    return parameter.upper().replace("-", "_")


@dataclass(frozen=True)
class Job:
    """All jobs of one type: `count` containers that differ in their index only.

    `run` and the values of `env` may hold `{{parameter}}` placeholders. `framework_env` are the framework's environment
    variables; their values may hold INDEX, POSITION and `host(…)`. `runner` names the script `templates/<runner>.sh`
    that runs the lines. A `daemon` serves the other jobs and ends with them.
    """

    type: str
    run: tuple[str, ...]
    resources: Resources
    count: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    framework_env: Mapping[str, str] = field(default_factory=dict)
    runner: str = "session"
    daemon: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What its jobs are called in an experiment: `master`, or `worker.1`, `worker.2` where there are several."""
        if self.count == 1:
            return (self.type,)
        return tuple(f"{self.type}.{index}" for index in range(1, self.count + 1))


@dataclass(frozen=True)
class Experiment:
    """One assignment of parameters; `sub` counts from 1 in the order of the grid. Values are the user's own text."""

    sub: int
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class ExperimentSet:
    """Experiments that share their jobs and differ in parameters; a plain experiment is a set of one without a grid.

    Durations are seconds. `config` is the text of the riseml.yml.
    """

    project: str
    config: str
    image: str
    jobs: tuple[Job, ...]
    experiments: tuple[Experiment, ...]
    is_set: bool
    install: tuple[str, ...] = ()
    build_files: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    framework: str | None = None
    tensorboard: bool = False
    concurrency: int = 1
    timeout: int | None = None
    retries: Retries = Retries()
    gang_timeout: int = 600

    @property
    def is_gang(self) -> bool:
        """Whether an experiment has several jobs, which need each other."""
        return sum(job.count for job in self.jobs) > 1


@dataclass(frozen=True)
class Build:
    """How install steps become an image: under which key, from which files, or which `image` has them already.

    `base` is the image that they start from, with its digest; empty where that is the one that riseml.yml names.
    """

    key: str
    files: tuple[str, ...] = ()
    image: str | None = None
    base: str = ""


@dataclass(frozen=True)
class Shard:
    """Which of `count` Workflows, from 1, holds a part of a set that is too large for one."""

    index: int
    count: int


@dataclass(frozen=True)
class Origin:
    """Whose run it is and where its code comes from: what a compiled document knows beyond the plan.

    `number` is None where no engine has given one (`riseml compile`). The code is `revision` of the store's
    repository `<project>.git`, or of the Git remote `git_url`.
    """

    user: str
    number: int | None = None
    revision: str = ""
    git_url: str | None = None
    build: Build | None = None
    shard: Shard | None = None


@dataclass(frozen=True)
class Target:
    """What compiling must know of the place where the Workflow will run."""

    namespace: str | None = None
    service_account: str = "riseml-job"
    data_claim: str = "riseml-data"
    output_claim: str = "riseml-output"
    store_claim: str = "riseml-store"
    # The name of the Secret, not what it holds
    secret: str = "riseml-secrets"  # noqa: S105
    git_image: str = "alpine/git:latest"
    build_image: str = "moby/buildkit:rootless"
    buildkit: str = "tcp://buildkitd.riseml:1234"
    # Holds ca.pem, cert.pem and key.pem
    buildkit_secret: str = "riseml-buildkit"  # noqa: S105
    registry: str = "registry.riseml:5000"
    # By which name nodes know it, where that is another one
    pull_registry: str = ""
    # Plain HTTP
    insecure_registry: bool = False
    gpu_resource: str = "nvidia.com/gpu"
    node_selector: Mapping[str, str] = field(default_factory=dict)
    build_node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, str], ...] = ()
    pull_secrets: tuple[str, ...] = ()
    # The instance id of the Argo controller that is to run it
    instance: str = ""
