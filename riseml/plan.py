"""Plan: the experiments and jobs that will run, independent of the engine.

These values are imported by all layers and import none but their own parts.
"""

from collections.abc import Iterable, Mapping, Sequence

from riseml.dataclass import dataclass, field, replace
from riseml.distributions import Distribution
from riseml.metric import Metric as Metric  # noqa: PLC0414 - part of a plan
from riseml.resources import Resources as Resources  # noqa: PLC0414 - part of a plan
from riseml.volumes import Volume as Volume  # noqa: PLC0414 - part of a target

Setting = str | int | float | None
"""The value of an option of a search strategy."""


@dataclass(frozen=True)
class Retries:
    """Number of attempts after a failed first one, and the causes after which to retry."""

    count: int = 0
    on: tuple[str, ...] = ("error", "oom", "preempted", "node-lost")


@dataclass(frozen=True)
class EarlyStop:
    """Rule by which a search stops experiments early.

    `rungs` are the steps at which the values of `metric` are compared: of those that have
    reached one, the best in `1 / reduction` continue. One that reaches the step
    `max_resource` is complete. With several `brackets`, the experiments of each compete
    only with each other, and the first rung of bracket `n` is `rungs[n]`.
    """

    rungs: tuple[int, ...]
    max_resource: int
    reduction: int = 3
    brackets: int = 1
    metric: Metric = field(default_factory=lambda: Metric(""))


INDEX = "{{index}}"
"""Placeholder in a framework's variables: the job's index among jobs of its type, from 1."""

POSITION = "{{position}}"
"""The same, from 0."""


def host(type: str, index: int = 1) -> str:  # noqa: A002
    """Return the placeholder in a framework's variables for the host name of a job of the experiment."""
    return f"{{{{host.{type}.{index}}}}}"


def variable_of(parameter: str) -> str:
    """Return the variable that holds a parameter's value: `model.lr-decay` is in MODEL_LR_DECAY."""
    return parameter.upper().replace("-", "_").replace(".", "_")


# PyTorch, Lightning, accelerate, transformers and mpi4py take a process in which one of
# these is set for one of several. With RANK=8, Lightning logs nothing.
_PROCESS_POSITION = frozenset({
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "GROUP_RANK",
    "GROUP_WORLD_SIZE", "ROLE_RANK", "ROLE_WORLD_SIZE", "ROLE_NAME", "MASTER_ADDR",
    "MASTER_PORT", "MPI_LOCALRANKID", "MPI_LOCALNRANKS",
})  # fmt: skip
_PROCESS_POSITION_PREFIXES = (
    "TORCHELASTIC_", "SLURM_", "JSM_NAMESPACE_", "OMPI_", "PMI_", "PMIX_", "MV2_COMM_WORLD_",
    "KERAS_DISTRIBUTION_",
)  # fmt: skip


def is_exported(variable: str) -> bool:
    """Return whether a parameter is set as this variable in its jobs.

    It is not if libraries would take it for the position of a process among others.
    """
    is_position = variable in _PROCESS_POSITION
    return not is_position and not variable.startswith(_PROCESS_POSITION_PREFIXES)


def exported(parameters: Iterable[str]) -> dict[str, str]:
    """Return the parameters that are set as variables in jobs, by variable."""
    by_variable = {variable_of(name): name for name in parameters}
    return {
        variable: name
        for variable, name in by_variable.items()
        if is_exported(variable)
    }


@dataclass(frozen=True)
class Job:
    """All jobs of one type: `count` containers that differ only in their index.

    `run` and the values of `env` may contain `{{parameter}}` placeholders. `framework_env` are
    the framework's environment variables, whose values may contain INDEX, POSITION and
    `host(…)`. `script` names the `templates/<script>.sh` that runs the lines. A
    `daemon` serves the other jobs and is stopped when they have ended.
    """

    type: str
    run: tuple[str, ...]
    resources: Resources
    count: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    framework_env: Mapping[str, str] = field(default_factory=dict)
    script: str = "session"
    daemon: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the jobs in an experiment: `master`, or `worker.1`, `worker.2` if there are several."""
        if self.count == 1:
            return (self.type,)
        return tuple(f"{self.type}.{index}" for index in range(1, self.count + 1))


@dataclass(frozen=True)
class Experiment:
    """One assignment of parameters; values are text as the user wrote it.

    `sub` counts from 1 in the order of the search strategy. `bracket` is the group of
    experiments with which it competes if the search stops experiments early, from 0.
    `attempts` is the number of its earlier attempts, if a set runs it again. `resume` is
    the folder in the output volume of the experiment that it continues: None without one,
    empty if that is missing.
    """

    sub: int
    parameters: Mapping[str, str]
    bracket: int = 0
    attempts: int = 0
    resume: str | None = None


@dataclass(frozen=True)
class Search:
    """How the experiments of a set were chosen; `seed` is None where nothing is random.

    `metric` and `mode` say which experiment is the best, and are empty if the file names none.
    A search in rounds chooses the parameters of `batch` experiments at a time; 0 means that
    all were chosen at the start.
    """

    method: str = "grid"
    seed: int | None = None
    metric: str = ""
    mode: str = ""
    batch: int = 0


@dataclass(frozen=True)
class Rounds:
    """A search that chooses the parameters of `batch` experiments at a time.

    A job does so between the rounds. It runs `program`, the source text of the strategy's
    function `suggest`, in `image` with the install steps `install`. `settings` are the
    options of the strategy, and `space` has the distribution of each parameter.
    """

    batch: int
    space: Mapping[str, Distribution]
    program: str
    image: str
    install: tuple[str, ...] = ()
    settings: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True)
class ExperimentSet:
    """Experiments with the same jobs and different parameters.

    A single experiment is a set of one with `is_set` False. `config` is the text of the
    riseml.yml; `timeout` and `gang_timeout` are seconds, and so is `hold`, for which a job that
    has failed is kept, and `idle_timeout`, after which one is stopped that does not use its GPUs.
    Each job keeps at most `workdir_limit`
    bytes of the files that it leaves in its working directory. `isolate_network` gives each
    experiment a network of its own where experiments would share that of a machine. `isolated`
    hides the Python packages that a machine has besides those of `install`.
    `enforces_resources` makes what a job requests a limit on the user's own machine.
    `names_image` says whether `image` stands in the riseml.yml; otherwise it follows from
    the framework. `queue` and `priority` name those of a cluster.
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
    idle_timeout: int | None = None
    hold: int | None = None
    retries: Retries = Retries()
    gang_timeout: int = 600
    workdir_limit: int = 10_000_000_000
    metrics: tuple[Metric, ...] = ()
    isolate_network: bool = False
    isolated: bool = False
    enforces_resources: bool = False
    early_stop: EarlyStop | None = None
    names_image: bool = False
    queue: str = ""
    priority: str = ""
    search: Search = Search()
    rounds: Rounds | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters, in their order."""
        if self.rounds:
            return tuple(self.rounds.space)
        return tuple(self.experiments[0].parameters)

    @property
    def for_search(self) -> "ExperimentSet":
        """The same plan with the image and install steps of the job that chooses parameters.

        It has none if nothing is chosen in rounds.
        """
        if self.rounds is None:
            return replace(self, install=(), build_files=(), isolated=False)
        return replace(
            self,
            image=self.rounds.image,
            install=self.rounds.install,
            build_files=(),
            isolated=False,
        )

    @property
    def is_gang(self) -> bool:
        """Whether an experiment has several jobs, which start and end together."""
        return sum(job.count for job in self.jobs) > 1


@dataclass(frozen=True)
class BuildStep:
    """One install step of a build: its command, the files that it needs, the key of its result.

    `files` are files and folders of the project, `.` is all of it. Paths in `without` are
    not copied again with these folders, since earlier steps may have changed them. `key` is
    empty if the content of the files is not known. It does not depend on all files if the
    step `is_editable`: then images must not keep them.
    """

    command: str
    files: tuple[str, ...] = ()
    key: str = ""
    without: tuple[str, ...] = ()
    is_editable: bool = False


@dataclass(frozen=True)
class Build:
    """How install steps become an image: its key, the steps, or the existing `image`.

    `base` is the image that the steps start from, with its digest; empty if riseml.yml's
    image is used as it is named there.
    """

    key: str
    steps: tuple[BuildStep, ...] = ()
    image: str | None = None
    base: str = ""


@dataclass(frozen=True)
class Shard:
    """One of the Workflows of a set; `index` counts from 1.

    A set that is too large for one Workflow has `count` of them from the start. A shard
    that was added later has the experiments that a set repeats or gets.
    """

    index: int
    count: int

    @property
    def is_added(self) -> bool:
        """Whether the set had Workflows before."""
        return self.count == 0


@dataclass(frozen=True)
class GitState:
    """The user's own Git repository when a run was started.

    `branch` is empty if HEAD is detached. `dirty` says whether tracked files of the project
    differed from the commit, None if that is not known.
    """

    commit: str
    branch: str = ""
    dirty: bool | None = None


@dataclass(frozen=True)
class Marks:
    """What a user calls and says of a run; it can change at any time.

    `tags` are sorted and distinct. An empty `name` or `note` means none.
    """

    name: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""


NO_MARKS = Marks()


@dataclass(frozen=True)
class Origin:
    """Origin of a run: its user, number and code, which a compiled document contains beside the plan.

    `number` is None if no engine has assigned one (`riseml compile`). The code is `revision`
    of the store's repository `<project>.git`, or of the Git remote `git_url`. `excluded` are
    the paths that each ignore file left out of it. `git` is the user's own repository.
    `search_build` is the build of `ExperimentSet.for_search`. `runner` is what runs the jobs
    on one machine, empty on a cluster. A document that `takes_arguments` gets other values of
    its parameters than those of the plan.
    """

    user: str
    number: int | None = None
    revision: str = ""
    git_url: str | None = None
    build: Build | None = None
    search_build: Build | None = None
    shard: Shard | None = None
    excluded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    git: GitState | None = None
    marks: Marks = NO_MARKS
    runner: str = ""
    takes_arguments: bool = False


@dataclass(frozen=True)
class Target:
    """Names and addresses of the cluster on which the compiled Workflow will run."""

    namespace: str | None = None
    service_account: str = "riseml-job"
    data_claim: str = "riseml-data"
    output_claim: str = "riseml-output"
    store_claim: str = "riseml-store"
    # The name of the Secret, not its content.
    secret: str = "riseml-secrets"  # noqa: S105
    git_image: str = "alpine/git:latest"
    build_image: str = "moby/buildkit:rootless"
    buildkit: str = "tcp://buildkitd.riseml:1234"
    # Contains ca.pem, cert.pem and key.pem.
    buildkit_secret: str = "riseml-buildkit"  # noqa: S105
    registry: str = "registry.riseml:5000"
    # The registry's address from nodes, if it is a different one.
    pull_registry: str = ""
    # Whether the registry speaks plain HTTP.
    insecure_registry: bool = False
    # Whether install steps can become images.
    builds: bool = True
    # The variables HTTP_PROXY, http_proxy, … of jobs and install steps.
    proxies: Mapping[str, str] = field(default_factory=dict)
    # The ConfigMap with the certificate authorities that jobs and install steps trust.
    authorities: str = ""
    gpu_resource: str = "nvidia.com/gpu"
    # The limits that stand for 1/n of a GPU, by n or "any".
    gpu_fractions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # The products that a type of GPU stands for, and the products that nodes have.
    gpu_types: Mapping[str, Sequence[str]] = field(default_factory=dict)
    gpu_products: tuple[str, ...] = ()
    # Whether a job may use no more memory, or processor time, than it requests.
    limit_mem: bool = True
    limit_cpus: bool = False
    node_selector: Mapping[str, str] = field(default_factory=dict)
    build_node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, str], ...] = ()
    pull_secrets: tuple[str, ...] = ()
    # Kubernetes' security contexts of pods, and of RiseML's containers in them.
    pod_security: Mapping[str, object] = field(default_factory=dict)
    container_security: Mapping[str, object] = field(default_factory=dict)
    # Whether a volume can be mounted on one node at a time, which is that of the store.
    single_node: bool = False
    # Whether Argo's artifact repository keeps output, because no volume is shared.
    saves_artifacts: bool = False
    # Further volumes of jobs.
    volumes: tuple[Volume, ...] = ()
    # The queue of the cluster by its kind (riseml/queues), with its settings; at most one.
    queue: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # The instance id of the Argo controller that processes the Workflow.
    instance: str = ""
