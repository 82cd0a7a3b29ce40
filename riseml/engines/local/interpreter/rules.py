"""Argo's decisions, as pure functions: what may start now, what a DAG has come to, whether to try again."""

import enum
from collections.abc import Callable, Mapping
from typing import NamedTuple

from riseml.engines.local.interpreter.node import (
    COMPLETED,
    ERROR,
    FAILED,
    OMITTED,
    SKIPPED,
    SUCCEEDED,
    UNSUCCESSFUL,
    Node,
)
from riseml.engines.local.interpreter.templates import Backoff, Dag, RetryRule, Task

OMITTED_BECAUSE = "omitted: depends condition not met"


class Outcome(NamedTuple):
    """What a task has come to, as `depends` may ask."""

    phase: str
    daemoned: bool = False
    any_succeeded: bool = False
    all_failed: bool = False

    def asked(self, task: str) -> dict[str, bool]:
        """Return the meaning of each `task.Result`."""
        return {
            f"{task}.Succeeded": self.phase == SUCCEEDED,
            f"{task}.Failed": self.phase == FAILED,
            f"{task}.Errored": self.phase == ERROR,
            f"{task}.Skipped": self.phase == SKIPPED,
            f"{task}.Omitted": self.phase == OMITTED,
            f"{task}.Daemoned": self.daemoned,
            f"{task}.AnySucceeded": self.any_succeeded,
            f"{task}.AllFailed": self.all_failed,
        }


class Verdict(enum.Enum):
    """What becomes of a task without a node."""

    WAIT = "something it needs has not ended"
    OMIT = "what it needs has ended, but not as its `depends` asks"
    SKIP = "its `when` is false"
    FULL = "the template's `parallelism` leaves no place"
    START = "its template runs now"


def may_start(
    task: Task,
    outcomes: Mapping[str, Outcome],
    proceeds: Callable[[], bool],
    active: int,
    parallelism: int | None,
) -> Verdict:
    """Tell what becomes now of a task, or of one of its items, that has no node yet.

    `outcomes` are those of the DAG's tasks that are done, `proceeds` evaluates its `when`, `active` counts the
    children of the DAG that are Pending or Running.
    """
    if any(need not in outcomes for need in task.needs):
        return Verdict.WAIT
    if task.depends and not task.depends(
        {k: v for need in task.needs for k, v in outcomes[need].asked(need).items()}
    ):
        return Verdict.OMIT
    if not proceeds():
        return Verdict.SKIP
    if parallelism is not None and active >= parallelism:
        return Verdict.FULL
    return Verdict.START


def dag_phase(dag: Dag, phases: Mapping[str, str]) -> str:
    """Return the phase of a DAG whose tasks are all done: what its targets, the tasks that nobody depends on, say.

    A task that did not complete (Omitted, Skipped, a daemon) hands on what the tasks before it have come to, failures
    first, so a chain that breaks in the middle has failed.
    """
    branch: dict[str, str] = {}
    for task in dag.order:
        phase = phases[task.name]
        if phase not in COMPLETED:
            before = [branch[need] for need in task.needs]
            phase = next((each for each in before if each in UNSUCCESSFUL), SUCCEEDED)
        branch[task.name] = phase
    failures = [
        branch[target] for target in dag.targets if branch[target] in UNSUCCESSFUL
    ]
    if not failures:
        return SUCCEEDED
    return failures[0] if dag.fail_fast else failures[-1]


class Again(NamedTuple):
    """Start another attempt."""


class Later(NamedTuple):
    """Look again at `due`."""

    due: float
    message: str


class Ended(NamedTuple):
    """The retry group has this phase; `message` None keeps the one it has."""

    phase: str
    message: str | None = None


def may_retry(
    rule: RetryRule,
    first: Node,
    last: Node,
    expression: Callable[[], bool],
    *,
    attempts: int,
    now: float,
) -> Again | Later | Ended:
    """Tell what follows the end of the attempt `last`; the order of the questions is Argo's.

    `first` is the first of the `attempts`; `expression` evaluates the rule's own with the values of this moment.
    """
    if last.phase not in UNSUCCESSFUL:
        return Ended(SUCCEEDED)
    if rule.backoff and (
        waiting := _backoff(rule, rule.backoff, first, last, attempts=attempts, now=now)
    ):
        return waiting
    if last.phase not in _RETRIED[rule.policy]:
        return Ended(last.phase, last.message)
    if rule.limit is not None and attempts > rule.limit:
        return Ended(last.phase, "No more retries left")
    if rule.expression and not expression():
        return Ended(last.phase, "retryStrategy.expression evaluated to false")
    return Again()


_RETRIED = {"Always": {FAILED, ERROR}, "OnFailure": {FAILED}, "OnError": {ERROR}}
POLICIES = frozenset(_RETRIED)


def _backoff(
    rule: RetryRule,
    backoff: Backoff,
    first: Node,
    last: Node,
    *,
    attempts: int,
    now: float,
) -> Later | Ended | None:
    limit = (
        None
        if backoff.max_duration is None
        else first.started_at + backoff.max_duration
    )
    if limit is not None and now > limit:
        return Ended(last.phase, "Max duration limit exceeded")
    wait = backoff.duration * (
        float(backoff.factor) ** min(attempts - 1, 64) if backoff.factor > 0 else 1
    )
    if backoff.cap is not None:
        wait = min(wait, backoff.cap)
    due = (last.started_at if last.finished_at is None else last.finished_at) + wait
    if limit is not None and due > limit:
        return Ended(last.phase, "Backoff would exceed max duration limit")
    # Without a limit Argo does not wait.
    if now < due and rule.limit is not None and attempts <= rule.limit:
        return Later(due, f"Backoff for {spoken(wait)}")
    return None


def spoken(seconds: float) -> str:
    """Return a duration in words, in at most two units."""
    whole = int(seconds)
    for name, unit, smaller, part in (
        ("day", 86400, "hours", 3600),
        ("hour", 3600, "minutes", 60),
        ("minute", 60, "seconds", 1),
    ):
        if whole >= unit:
            return f"{_counted(whole // unit, name)} {whole % unit // part} {smaller}"
    return _counted(whole, "second")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
