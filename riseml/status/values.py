"""What a run is, in RiseML's words: states, and the status of sets, experiments and jobs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from riseml.plan import Resources


class State(StrEnum):
    """Where an experiment, a job or a set stands."""

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
        """Whether nothing will change any more."""
        return self in TERMINAL


TERMINAL = frozenset({State.FINISHED, State.FAILED, State.KILLED})


@dataclass(frozen=True)
class JobStatus:
    """One job: its last attempt (`attempt` counts from 0), or what is planned where it has not begun."""

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
    resources: Resources | None = None
    node_id: str = ""


@dataclass(frozen=True)
class ExperimentStatus:
    """One experiment; `sub` is None for a single one, `guilty` the id of the job that failed it."""

    id: str
    sub: int | None = None
    state: State = State.CREATED
    parameters: Mapping[str, str] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    created: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    progress: tuple[int, int] | None = None
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    guilty: str | None = None
    jobs: tuple[JobStatus, ...] = ()


@dataclass(frozen=True)
class SetStatus:
    """One run: a set, or a single experiment (`is_set` False, then `experiments` holds that one).

    `number` is None for a document that no engine has numbered; `jobs` are the run's own (build, tensorboard);
    `concurrency` is None where nothing limits it. `base_image` is what install steps start from, with its digest, empty
    where that is not known. Two addresses, which no document says, come from the engine: `tensorboard_url`,
    where its TensorBoard can be opened now, and `page`, its own in Argo's UI.
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
    framework: str = ""
    run: tuple[str, ...] = ()
    install: tuple[str, ...] = ()
    revision: str = ""
    config: str = ""
    experiments: tuple[ExperimentStatus, ...] = ()
    jobs: tuple[JobStatus, ...] = ()
    tensorboard_url: str | None = None
    page: str | None = None

    @property
    def has_tensorboard(self) -> bool:
        """Whether a TensorBoard belongs to it."""
        return any(job.type == "tensorboard" for job in self.jobs)

    @property
    def result(self) -> Mapping[str, Any] | None:
        """The result of a single experiment."""
        return (
            None if self.is_set or not self.experiments else self.experiments[0].result
        )


_ACTIVE = (State.RUNNING, State.STARTING, State.PENDING, State.BUILDING, State.CREATED)


def set_state(counts: Mapping[State, int]) -> State:
    """Return the state of a set from the number of its experiments in each state.

    While any has not ended: the state of the most advanced of these, and RUNNING once any has ended.
    Afterwards FAILED if any failed, else KILLED if any was killed, else FINISHED.
    """
    active = next((state for state in _ACTIVE if counts.get(state)), None)
    ended = [
        state
        for state in (State.FAILED, State.KILLED, State.FINISHED)
        if counts.get(state)
    ]
    if active is None:
        return ended[0] if ended else State.CREATED
    return State.RUNNING if ended else active


def count(experiments: Iterable[ExperimentStatus]) -> dict[State, int]:
    """Return how many experiments are in each state, states without any left out."""
    counts: dict[State, int] = {}
    for experiment in experiments:
        counts[experiment.state] = counts.get(experiment.state, 0) + 1
    return counts
