"""Status of a job, read from the nodes of its task."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from riseml import labels
from riseml.dataclass import dataclass, field, replace
from riseml.status import document as doc
from riseml.status import held, reason_words, reasons
from riseml.status.document import Node
from riseml.status.kills import Kills
from riseml.status.outline import PlannedJob
from riseml.status.values import JobStatus, State
from riseml.usage import Usage

SKIPPED = frozenset({"Skipped", "Omitted"})
# Seconds, and also the minutes of an hour
_MINUTE = 60
# The image, the code and the end of a pod have this time besides the `timeout` of the commands.
_POD_DEADLINE = "its pod did not end within an hour of its `timeout`"
_SUCCESSFUL = SKIPPED | {"Succeeded"}
FINAL = _SUCCESSFUL | {"Failed", "Error"}
_WAITING = frozenset({State.CREATED, State.PENDING, State.STARTING})
_SHUTDOWN = ("shutdown with strategy", "Stopped with strategy")


@dataclass
class TaskNodes:
    """The nodes of one task: its own, and one for each attempt if it may be retried."""

    node: Node = field(default_factory=dict)
    attempts: dict[int, Node] = field(default_factory=dict)

    @property
    def last(self) -> tuple[int, Node]:
        """The last attempt, counted from 0, and its node."""
        number = max(self.attempts, default=0)
        return number, self.attempts.get(number, self.node)

    @property
    def first(self) -> Node:
        """The node of the first attempt."""
        return self.attempts.get(min(self.attempts, default=0), self.node)

    @property
    def is_retried(self) -> bool:
        """Whether the task's own node is a group of attempts."""
        return self.node.get("type") == "Retry" or bool(self.attempts)


class Outcome(NamedTuple):
    """State of a job so far, and what explains it."""

    state: State
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    finished: datetime | None = None


def by_task(prefix: str, nodes: Sequence[Node]) -> dict[str, TaskNodes]:
    """Group nodes whose names begin with `prefix` by task.

    Hooks and deeper nodes are skipped.
    """
    tasks: dict[str, TaskNodes] = {}
    for node in nodes:
        name = doc.text(node.get("name"))
        if not name.startswith(prefix):
            continue
        task, bracket, number = name[len(prefix) :].partition("(")
        # A name with a dot belongs to a node inside a task.
        if "." in task or node.get("type") == "TaskGroup":
            continue
        # Hooks end the other jobs of a gang. They are not jobs themselves.
        if doc.mapping(node.get("nodeFlag")).get("hooked") is True:
            continue
        task_nodes = tasks.setdefault(task, TaskNodes())
        if not bracket:
            task_nodes.node = node
            continue
        attempt = doc.integer(number[:-1])
        if attempt is not None:
            task_nodes.attempts[attempt] = node
    return tasks


def read_job(
    planned: PlannedJob,
    experiment: str,
    nodes: TaskNodes | None,
    kills: Kills,
    sub: str,
) -> JobStatus:
    """Return the status of one job.

    The id of the job begins with `experiment`.
    """
    name = f"{experiment}.{planned.type}"
    if planned.index is not None:
        name = f"{name}.{planned.index}"
    if nodes is None or not (nodes.node or nodes.attempts):
        return JobStatus(
            name,
            planned.type,
            planned.index,
            max_attempts=planned.attempts,
            resources=planned.resources,
            holds=planned.holds,
        )
    attempt, node = nodes.last
    outcome = _outcome(nodes, planned, kills, sub)
    outputs = doc.parameters(node.get("outputs"))
    # A job that waits for its next attempt has started already, with an earlier one.
    has_started = outcome.state not in _WAITING or outcome.reason == "RETRY"
    job = JobStatus(
        id=name,
        type=planned.type,
        index=planned.index,
        state=outcome.state,
        created=doc.time((nodes.node or node).get("startedAt")),
        started=_started(node) if has_started else None,
        finished=outcome.finished,
        reason=outcome.reason,
        message=outcome.message,
        exit_code=outcome.exit_code,
        attempt=attempt,
        max_attempts=planned.attempts,
        resources=planned.resources,
        node_id=doc.text(node.get("id")),
        workdir=outputs.get(labels.WORKDIR, ""),
        usage=_usage(outputs),
        holds=planned.holds,
    )
    return replace(job, earlier=_earlier(job, planned, nodes)) if attempt else job


def _earlier(
    job: JobStatus, planned: PlannedJob, nodes: TaskNodes
) -> tuple[JobStatus, ...]:
    """Return the attempts before the last one, which all failed."""
    attempts = []
    for number, node in sorted(nodes.attempts.items()):
        if number == job.attempt:
            continue
        finished = doc.time(node.get("finishedAt"))
        outcome = _failed(node, planned, _exit_code(node), finished)
        attempt = replace(
            job,
            state=outcome.state,
            started=_started(node),
            finished=finished,
            reason=outcome.reason,
            message=outcome.message,
            exit_code=outcome.exit_code,
            attempt=number,
            node_id=doc.text(node.get("id")),
            usage=_usage(doc.parameters(node.get("outputs"))),
        )
        attempts.append(attempt)
    return tuple(attempts)


def _usage(outputs: Mapping[str, str]) -> Usage | None:
    """Return what a job used, as it or its engine has recorded it."""
    text = outputs.get(labels.USAGE, "")
    return Usage.from_text(text) if text else None


def started(nodes: TaskNodes) -> datetime | None:
    """Return when the first attempt of a job started."""
    return _started(nodes.first)


def result(nodes: TaskNodes) -> Mapping[str, Any] | None:
    """Return the last result that a job reported.

    A JSON value that is not a mapping is called `result`.
    """
    _, node = nodes.last
    text = doc.parameters(node.get("outputs")).get("result", "")
    if not text:
        return None
    # Lists of runs read many documents, and few of these hold a result.
    from riseml.metrics import result_file  # noqa: PLC0415

    try:
        return result_file.as_result(result_file.decode(text))
    except ValueError:
        return None


def progress(nodes: TaskNodes) -> tuple[int, int] | None:
    """Return the progress `n/m` that a job reported."""
    _, node = nodes.last
    done_text, _, total_text = doc.text(node.get("progress")).partition("/")
    done, total = doc.integer(done_text), doc.integer(total_text)
    if done is None or total is None:
        return None
    # Argo itself writes 0/1 and 1/1 for jobs that report nothing.
    return (done, total) if total > 1 else None


def _outcome(nodes: TaskNodes, planned: PlannedJob, kills: Kills, sub: str) -> Outcome:
    attempt, node = nodes.last
    phase = doc.text(node.get("phase"))
    message = doc.text(node.get("message"))
    if phase not in FINAL:
        return _unfinished(phase, message)
    exit_code = _exit_code(node)
    is_failed_attempt = nodes.is_retried and phase not in _SUCCESSFUL
    if is_failed_attempt and doc.text(nodes.node.get("phase")) not in FINAL:
        return _between_attempts(attempt, phase, message, exit_code)
    finished = doc.time(node.get("finishedAt"))
    # Argo skips a task because of a kill, or because a task before it failed.
    if phase in SKIPPED:
        return Outcome(State.KILLED, "KILLED", "", exit_code, finished)
    has_further = is_failed_attempt and attempt + 1 < planned.attempts
    # Another attempt could have followed. So the job ended only when Argo gave up.
    given_up = doc.time(nodes.node.get("finishedAt")) if has_further else None
    if _was_killed(node, given_up or finished, kills, sub):
        return _killed(node, finished, kills, sub)
    if phase == "Succeeded":
        return _succeeded(node, message, exit_code, finished)
    return _failed(node, planned, exit_code, finished)


def _succeeded(
    node: Node, message: str, exit_code: int | None, finished: datetime | None
) -> Outcome:
    early = doc.parameters(node.get("outputs")).get(labels.EARLY)
    if early:
        return Outcome(State.FINISHED, reason_words.EARLY, early, exit_code, finished)
    return Outcome(State.FINISHED, "COMPLETED", message, exit_code, finished)


def _unfinished(phase: str, message: str) -> Outcome:
    """Return the outcome of a node without a final phase.

    An unknown phase means waiting.
    """
    if phase == "Running":
        if message == reasons.POD_DELETED:
            message = reasons.STARTED_ANEW
        return Outcome(State.RUNNING, message=message)
    word, is_starting = reasons.waiting(message)
    return Outcome(State.STARTING if is_starting else State.PENDING, word, message)


def _between_attempts(
    attempt: int, phase: str, message: str, exit_code: int | None
) -> Outcome:
    """Return the outcome of a job that waits for its next attempt."""
    _, sentence = reasons.failure(phase, message, exit_code)
    text = f"attempt {attempt + 1} failed: {sentence}".removesuffix(": ")
    return Outcome(State.PENDING, "RETRY", text, exit_code)


def _was_killed(node: Node, finished: datetime | None, kills: Kills, sub: str) -> bool:
    """Return whether a node that ended at `finished` was killed before."""
    # A job that was held had failed before a kill could end the hold.
    if held.was_held(node):
        return False
    phase, message = doc.text(node.get("phase")), doc.text(node.get("message"))
    started = doc.time(node.get("startedAt"))
    killed = kills.time(sub, started)
    if killed is not None and finished is not None:
        # Argo cuts its times to seconds. A job that ended in the second of the kill
        # counts as killed, unless its time has a fraction.
        return finished >= (
            killed if finished.microsecond else killed.replace(microsecond=0)
        )
    if any(words in message for words in _SHUTDOWN):
        return True
    if phase == "Succeeded" or not kills.includes(sub, started):
        return False
    # Argo's own commands record no time of the kill, so the failure has to tell.
    exit_code = _exit_code(node)
    word, _ = reasons.failure(phase, message, exit_code)
    return reasons.from_outside(word, exit_code)


def _killed(node: Node, finished: datetime | None, kills: Kills, sub: str) -> Outcome:
    if finished is None and kills.includes(sub):
        return Outcome(State.RUNNING, reason_words.STOPPING)
    message = kills.by_argo
    if not message and doc.text(node.get("phase")) == "Error":
        message = doc.text(node.get("message"))
        # The kill has deleted it.
        if message == reasons.POD_DELETED:
            message = ""
    return Outcome(State.KILLED, "KILLED", message, _exit_code(node), finished)


def _failed(
    node: Node,
    planned: PlannedJob,
    exit_code: int | None,
    finished: datetime | None,
) -> Outcome:
    phase, message = doc.text(node.get("phase")), doc.text(node.get("message"))
    word, sentence = reasons.failure(phase, message, exit_code)
    # RiseML's scripts write these outputs where Argo's message would say too little.
    outputs = doc.parameters(node.get("outputs"))
    missing_jobs = outputs.get(labels.MISSING)
    if missing_jobs:
        return Outcome(State.FAILED, "GANG", missing_jobs, exit_code, finished)
    idle = doc.integer(outputs.get(labels.IDLE))
    if idle:
        text = f"its GPUs were idle for {_time(idle)} (`idle_timeout`)"
        return Outcome(State.FAILED, reason_words.IDLE, text, exit_code, finished)
    sentence = outputs.get(labels.FAILED_STEP, "") or sentence
    # Older documents say it only of jobs that were held.
    if outputs.get(labels.TIMED_OUT) or held.is_timeout(node):
        sentence = _timed_out(planned, sentence)
        return Outcome(State.FAILED, "TIMEOUT", sentence, exit_code, finished)
    if word == "TIMEOUT":
        is_exact = planned.has_pod_deadline
        sentence = _timed_out(planned, sentence) if is_exact else _POD_DEADLINE
    return Outcome(State.FAILED, word, sentence, exit_code, finished)


def _timed_out(planned: PlannedJob, sentence: str) -> str:
    if not planned.timeout:
        return sentence
    return f"timed out after {_time(planned.timeout)} (`timeout`)"


def _time(seconds: int) -> str:
    """Return a time as `1 h 30 min` or `90 s`, without units that are 0."""
    if seconds % _MINUTE:
        return f"{seconds} s"
    hours, minutes = divmod(seconds // _MINUTE, _MINUTE)
    amounts = {"h": hours, "min": minutes}
    return " ".join(f"{amount} {unit}" for unit, amount in amounts.items() if amount)


def _exit_code(node: Node) -> int | None:
    code = doc.integer(doc.inner(node, "outputs").get("exitCode"))
    if code is None:
        return reasons.exit_code(doc.text(node.get("message")))
    return code


def _started(node: Node) -> datetime | None:
    """Return when a container started; Argo itself says only when it made the node."""
    return doc.time(node.get("runningAt")) or doc.time(node.get("startedAt"))
