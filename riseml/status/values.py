"""Values that describe a run: states, and the status of sets, experiments and jobs."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from riseml.dataclass import dataclass, field, replace
from riseml.plan import NO_MARKS, GitState, Marks, Metric, Resources
from riseml.usage import Usage


class State(StrEnum):
    """State of a run, experiment or job."""

    CREATED = "CREATED"
    BUILDING = "BUILDING"
    PENDING = "PENDING"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"

    @property
    def is_terminal(self) -> bool:
        """Whether the state is final."""
        return self in TERMINAL


TERMINAL = frozenset({State.FINISHED, State.FAILED, State.KILLED})


@dataclass(frozen=True)
class JobStatus:
    """One job: its last attempt (`attempt` counts from 0), or its plan before it starts.

    `earlier` has the attempts before the last one, each as the status that the job had at
    its end. A job has at most `max_attempts`.
    `usage` is what it used, None before its end and where nobody measured it.
    `workdir` says in words which files of its working directory were kept. One that `holds`
    is kept for some time when it has failed. `held_until` is when that will end, None
    unless the job is held now; then its state is still RUNNING, its reason HELD, and
    `exit_code` that of the failure.
    """

    id: str
    type: str
    index: int | None = None
    state: State = State.CREATED
    created: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    attempt: int = 0
    earlier: tuple["JobStatus", ...] = ()
    max_attempts: int = 1
    resources: Resources | None = None
    node_id: str = ""
    workdir: str = ""
    usage: Usage | None = None
    holds: bool = False
    held_until: datetime | None = None

    @property
    def attempts(self) -> tuple["JobStatus", ...]:
        """All attempts, the last one as the job itself."""
        return (*self.earlier, replace(self, earlier=()))


@dataclass(frozen=True)
class ExperimentStatus:
    """One experiment.

    `sub` is its number in its set, None for a single experiment. `guilty` is the id of the
    job that failed it.
    `result` has the values that it reported and those of the metrics that riseml.yml
    names. `shard` is the index of the Workflow that runs it, or ran it last. `resume` is
    the folder in the output volume that it continues: None without one, empty if that is
    missing.
    `measured` says more about the latter: by name, the values `best` and `last`,
    their steps where they are known, and the `source`. `progressed` is when the progress
    was reported, None where that is not known. `notes` say what a user
    should know about it although it is not the reason of its state. `held_until` is when the
    hold of its failed job `guilty` will end, None unless there is one.
    """

    id: str
    sub: int | None = None
    state: State = State.CREATED
    parameters: Mapping[str, str] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    measured: Mapping[str, Mapping[str, Any]] | None = None
    created: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    progress: tuple[int, int] | None = None
    progressed: datetime | None = None
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    guilty: str | None = None
    notes: tuple[str, ...] = ()
    jobs: tuple[JobStatus, ...] = ()
    shard: int = 1
    resume: str | None = None
    held_until: datetime | None = None

    @property
    def number(self) -> int:
        """Its number in its set, 1 for a single experiment."""
        return self.sub or 1

    @property
    def folder(self) -> str:
        """Its folder below that of the run, empty for a single experiment."""
        return str(self.sub or "")

    @property
    def results(self) -> Mapping[str, Any]:
        """The values of its result, empty without one."""
        return self.result or {}

    @property
    def is_early(self) -> bool:
        """Whether its search has stopped it, since others were better."""
        return self.state is State.FINISHED and self.reason == "EARLY"

    @property
    def attempt(self) -> int:
        """The number of the last attempt, from 0; the jobs must have been read."""
        return max((job.attempt for job in self.jobs), default=0)

    @property
    def workdir(self) -> str:
        """What was kept of the working directories of its jobs, in words."""
        return "; ".join(filter(None, (job.workdir for job in self.jobs)))


@dataclass(frozen=True)
class ShardStatus:
    """One Workflow of a run, and what its experiments run; `index` counts from 1.

    `is_added` means that the set had Workflows before. `seed` is that of its search, and
    `runner` runs its jobs.
    """

    index: int
    name: str
    revision: str = ""
    config: str = ""
    base_image: str = ""
    is_added: bool = False
    seed: int | None = None
    runner: str = ""


@dataclass(frozen=True)
class SetStatus:
    """One run: a set, or a single experiment (`is_set` is False, `experiments` holds one).

    `number` is None for a document that no engine has numbered. `jobs` belong to the run
    itself: build, tensorboard. `concurrency` is None where nothing limits it. `base_image`
    is the image that install steps start from, with its digest, empty if it is not known.
    `runner` runs the jobs on one machine (process, podman, docker), empty on a cluster.
    `excluded` are the paths that each ignore file left out of the run's code. `git` is the
    user's own repository when the run was started, None if there was none. `image_key` is
    the key of the image that install steps made, empty without them.
    `metrics` are those that riseml.yml names under `results`, `marks` what the user calls
    it and says of it.
    `submitter` is the name by which the cluster knows who started it, empty if not known.
    `seed` is that of its search, None where nothing is random. `shards` are its Workflows,
    in their order; none where it is not known to have several.
    The engine adds two addresses that no document holds: `tensorboard_url`, where its
    TensorBoard can be opened now, and `page`, its page in Argo's UI.
    """

    id: str
    name: str = ""
    user: str = ""
    project: str = ""
    number: int | None = None
    is_set: bool = False
    state: State = State.CREATED
    created: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    reason: str = ""
    message: str = ""
    counts: Mapping[State, int] = field(default_factory=dict)
    concurrency: int | None = None
    image: str = ""
    base_image: str = ""
    runner: str = ""
    framework: str = ""
    run: tuple[str, ...] = ()
    install: tuple[str, ...] = ()
    revision: str = ""
    excluded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    git: GitState | None = None
    image_key: str = ""
    config: str = ""
    metrics: tuple[Metric, ...] = ()
    shards: tuple[ShardStatus, ...] = ()
    seed: int | None = None
    marks: Marks = NO_MARKS
    submitter: str = ""
    experiments: tuple[ExperimentStatus, ...] = ()
    jobs: tuple[JobStatus, ...] = ()
    tensorboard_url: str | None = None
    page: str | None = None

    @property
    def folder(self) -> str:
        """Its folder in the output volume."""
        return f"{self.user}/{self.project}/{self.number}"

    @property
    def workflows(self) -> tuple[ShardStatus, ...]:
        """The Workflows of the run, at least one."""
        first = ShardStatus(
            1,
            self.name,
            self.revision,
            self.config,
            self.base_image,
            seed=self.seed,
            runner=self.runner,
        )
        return self.shards or (first,)

    @property
    def has_tensorboard(self) -> bool:
        """Whether the run has a TensorBoard of its own."""
        return any(job.type == "tensorboard" for job in self.jobs)

    @property
    def result(self) -> Mapping[str, Any] | None:
        """The result of a single experiment, None for a set."""
        if self.is_set or not self.experiments:
            return None
        return self.experiments[0].result


_UNFINISHED = (
    State.RUNNING,
    State.STARTING,
    State.PENDING,
    State.BUILDING,
    State.CREATED,
)
"""States that are not final, the most advanced first."""

_ENDED = (State.FAILED, State.KILLED, State.FINISHED)
"""Final states, the one that decides first."""


def set_state(counts: Mapping[State, int]) -> State:
    """Return the state of a set from the number of its experiments in each state.

    While an experiment is unfinished, it is the most advanced unfinished state, or RUNNING
    if any experiment has ended. Afterwards it is FAILED if any failed, else KILLED if any
    was killed, else FINISHED.
    """
    unfinished = _first_present(_UNFINISHED, counts)
    ended = _first_present(_ENDED, counts)
    if unfinished is None:
        return ended or State.CREATED
    return State.RUNNING if ended else unfinished


def _first_present(
    states: Iterable[State], counts: Mapping[State, int]
) -> State | None:
    for state in states:
        if counts.get(state):
            return state
    return None


def count(statuses: Iterable[ExperimentStatus | JobStatus]) -> dict[State, int]:
    """Return the number of experiments or jobs in each state that occurs."""
    counts: dict[State, int] = {}
    for status in statuses:
        counts[status.state] = counts.get(status.state, 0) + 1
    return counts


def with_experiments(
    run: SetStatus, experiments: tuple[ExperimentStatus, ...]
) -> SetStatus:
    """Return a run with its experiments, whose states may have changed."""
    changed = replace(run, experiments=experiments)
    counts = count(experiments)
    # The documents of a run say more about its state than its experiments do.
    if counts == count(run.experiments):
        return changed
    return replace(changed, state=set_state(counts), counts=counts)
