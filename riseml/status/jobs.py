"""From the nodes of one task to the status of a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from riseml import labels
from riseml.status import document as doc
from riseml.status import reasons
from riseml.status.document import Node
from riseml.status.outline import Kills, PlannedJob
from riseml.status.values import JobStatus, State

_SKIPPED = frozenset({"Skipped", "Omitted"})
_SUCCESSFUL = _SKIPPED | {"Succeeded"}
_FINAL = _SUCCESSFUL | {"Failed", "Error"}
_WAITING = frozenset({State.CREATED, State.PENDING, State.STARTING})
_SHUTDOWN = ("shutdown with strategy", "Stopped with strategy")


@dataclass
class Attempts:
    """The nodes of one task: its own, and one for each attempt where it may be retried."""

    node: Node = field(default_factory=dict)
    attempts: dict[int, Node] = field(default_factory=dict)

    @property
    def last(self) -> tuple[int, Node]:
        """The last attempt, counted from 0, and its node."""
        number = max(self.attempts, default=0)
        return number, self.attempts.get(number, self.node)

    @property
    def retries(self) -> bool:
        """Whether the task's own node is a group of attempts."""
        return self.node.get("type") == "Retry" or bool(self.attempts)


def by_task(prefix: str, nodes: Sequence[Node]) -> dict[str, Attempts]:
    """Sort nodes whose names begin with `prefix` by the task they belong to; hooks and deeper nodes are left out."""
    tasks: dict[str, Attempts] = {}
    for node in nodes:
        name = doc.text(node.get("name"))
        if (
            not name.startswith(prefix)
            or doc.mapping(node.get("nodeFlag")).get("hooked") is True
        ):
            continue
        task, bracket, number = name[len(prefix) :].partition("(")
        if "." in task or node.get("type") == "TaskGroup":
            continue
        found = tasks.setdefault(task, Attempts())
        if not bracket:
            found.node = node
        elif (attempt := doc.whole(number[:-1])) is not None:
            found.attempts[attempt] = node
    return tasks


def ended_by_kill(
    node: Node, finished: datetime | None, kills: Kills, sub: str
) -> bool:
    """Tell whether what ended at `finished` had been killed before.

    Argo's times are whole seconds, cut: what ended in the second of the kill ended by it, unless the time says more.
    Where nobody wrote down a time (Argo's own commands), the way it ended must tell.
    """
    phase, message = doc.text(node.get("phase")), doc.text(node.get("message"))
    time = kills.time(sub)
    if time is not None and finished is not None:
        return finished >= (
            time if finished.microsecond else time.replace(microsecond=0)
        )
    if any(words in message for words in _SHUTDOWN):
        return True
    if phase == "Succeeded" or not kills.asked(sub):
        return False
    code = _exit_code(node)
    return reasons.from_outside(reasons.failure(phase, message, code)[0], code)


class Outcome(NamedTuple):
    """What became of a job so far."""

    state: State
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    finished: datetime | None = None


def read_job(
    planned: PlannedJob, experiment: str, found: Attempts | None, kills: Kills, sub: str
) -> JobStatus:
    """Return the status of one job from the nodes of its task."""
    name = f"{experiment}.{planned.type}" + (
        "" if planned.index is None else f".{planned.index}"
    )
    if found is None or not (found.node or found.attempts):
        return JobStatus(name, planned.type, planned.index, resources=planned.resources)
    attempt, node = found.last
    outcome = _outcome(found, planned.attempts, kills, sub)
    return JobStatus(
        id=name,
        type=planned.type,
        index=planned.index,
        state=outcome.state,
        created=doc.moment((found.node or node).get("startedAt")),
        started=None
        if outcome.state in _WAITING and outcome.reason != "RETRY"
        else _started(node),
        finished=outcome.finished,
        reason=outcome.reason,
        message=outcome.message,
        exit_code=outcome.exit_code,
        attempt=attempt,
        resources=planned.resources,
        node_id=doc.text(node.get("id")),
    )


def _outcome(found: Attempts, attempts: int, kills: Kills, sub: str) -> Outcome:
    attempt, node = found.last
    phase, message = doc.text(node.get("phase")), doc.text(node.get("message"))
    if phase not in _FINAL:
        return _unfinished(phase, message)
    code = _exit_code(node)
    open_end = found.retries and phase not in _SUCCESSFUL
    if open_end and doc.text(found.node.get("phase")) not in _FINAL:
        return _between(attempt, phase, message, code)
    # A failed attempt that might have been followed by another one ended the job only when Argo gave up on it.
    open_end = open_end and attempt + 1 < attempts
    finished = doc.moment(node.get("finishedAt"))
    end = (
        (doc.moment(found.node.get("finishedAt")) or finished) if open_end else finished
    )
    if phase in _SKIPPED or ended_by_kill(node, end, kills, sub):
        if finished is None and phase not in _SKIPPED and kills.asked(sub):
            return Outcome(State.RUNNING, reasons.STOPPING)
        return Outcome(
            State.KILLED, "KILLED", message if phase == "Error" else "", code, finished
        )
    if phase == "Succeeded":
        return Outcome(State.FINISHED, "COMPLETED", message, code, finished)
    word, said = reasons.failure(phase, message, code)
    told = doc.parameters(node.get("outputs"))
    if missing := told.get(labels.MISSING):
        word, said = "GANG", missing
    elif step := told.get(labels.FAILED_STEP):
        said = step
    return Outcome(State.FAILED, word, said, code, finished)


def _unfinished(phase: str, message: str) -> Outcome:
    """Return what a node without a final phase says; phases that nobody knows yet count as waiting."""
    if phase == "Running":
        return Outcome(State.RUNNING, message=message)
    word, starting = reasons.waiting(message)
    return Outcome(State.STARTING if starting else State.PENDING, word, message)


def _between(attempt: int, phase: str, message: str, code: int | None) -> Outcome:
    """Return what is said of a job that waits for its next attempt."""
    said = reasons.failure(phase, message, code)[1]
    return Outcome(
        State.PENDING,
        "RETRY",
        f"attempt {attempt + 1} failed: {said}".removesuffix(": "),
        code,
    )


def _exit_code(node: Node) -> int | None:
    code = doc.whole(doc.mapping(node.get("outputs")).get("exitCode"))
    return reasons.exit_code(doc.text(node.get("message"))) if code is None else code


def _started(node: Node) -> datetime | None:
    """Return when a container began; Argo does not say more than when its node was made."""
    return doc.moment(node.get("runningAt")) or doc.moment(node.get("startedAt"))


def began(found: Attempts) -> datetime | None:
    """Return when the first attempt of a job began."""
    return _started(
        found.attempts[min(found.attempts)] if found.attempts else found.node
    )


def result(found: Attempts) -> Mapping[str, Any] | None:
    """Return the last reported result of a job: a mapping; another JSON value is called `result`."""
    said = doc.parameters(found.last[1].get("outputs")).get("result", "")
    value = doc.json_value(said)
    if value is None:
        return None
    return value if isinstance(value, Mapping) else {"result": value}


def progress(found: Attempts) -> tuple[int, int] | None:
    """Return the `n/m` that a job has reported; Argo's own `0/1` and `1/1` say nothing."""
    done, total = map(
        doc.whole, doc.text(found.last[1].get("progress")).partition("/")[::2]
    )
    return None if done is None or total is None or total <= 1 else (done, total)
