"""Rules of Argo as pure functions: omission of tasks, phase of a DAG, retries."""

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Final, NamedTuple

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

OMITTED_MESSAGE: Final = "omitted: depends condition not met"


class Outcome(NamedTuple):
    """How a task has ended, as far as `depends` can refer to it."""

    phase: str
    daemoned: bool = False
    any_succeeded: bool = False
    all_failed: bool = False

    def results(self, task: str) -> dict[str, bool]:
        """Return the value of every `task.Result`."""
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


def is_depends_met(task: Task, outcomes: Mapping[str, Outcome]) -> bool:
    """Tell whether a task may run after its needs, all of which are done.

    `outcomes` holds the outcomes of the tasks that are done. Argo omits the task
    otherwise.
    """
    if task.depends is None:
        return True
    results: dict[str, bool] = {}
    for need in task.needs:
        results.update(outcomes[need].results(need))
    return task.depends(results)


def dag_phase(dag: Dag, phases: Mapping[str, str]) -> str:
    """Return the phase of a DAG whose tasks are all done.

    The targets decide, which are the tasks that no other task needs. A task that did
    not complete (Omitted, Skipped, a daemon) passes on the phase of the tasks before
    it, failures first: a chain that breaks in the middle has failed.
    """
    branch_phases: dict[str, str] = {}
    for task in dag.order:
        phase = phases[task.name]
        if phase not in COMPLETED:
            # The first failure among the needs is passed on.
            failures = _failures(branch_phases, task.needs)
            phase = next(iter(failures), SUCCEEDED)
        branch_phases[task.name] = phase
    failures = _failures(branch_phases, dag.targets)
    if not failures:
        return SUCCEEDED
    # With failFast, Argo stops at the first failed target.
    if dag.fail_fast:
        return failures[0]
    return failures[-1]


def _failures(phases: Mapping[str, str], tasks: Iterable[str]) -> list[str]:
    """Return the phases of the tasks that failed."""
    return [phases[task] for task in tasks if phases[task] in UNSUCCESSFUL]


class RetryNow(NamedTuple):
    """Start another attempt."""


class RetryLater(NamedTuple):
    """Decide again at `due`, in Unix seconds."""

    due: float
    message: str


class GroupEnded(NamedTuple):
    """The retry group ends in this phase; it keeps its message if `message` is None."""

    phase: str
    message: str | None = None


RetryDecision = RetryNow | RetryLater | GroupEnded


def decide_retry(
    rule: RetryRule,
    first: Node,
    last: Node,
    evaluate_expression: Callable[[], bool],
    *,
    attempts: int,
    now: float,
) -> RetryDecision:
    """Decide what follows the end of the attempt `last`, in the order of Argo's checks.

    `first` is the first of the `attempts`; `evaluate_expression` evaluates the
    expression of the rule with the current values.
    """
    if last.phase not in UNSUCCESSFUL:
        return GroupEnded(SUCCEEDED)
    if rule.backoff is not None:
        decision = _apply_backoff(
            rule, rule.backoff, first, last, attempts=attempts, now=now
        )
        if decision is not None:
            return decision
    if last.phase not in _RETRIED_PHASES[rule.policy]:
        return GroupEnded(last.phase, last.message)
    if attempts > rule.limit:
        return GroupEnded(last.phase, "No more retries left")
    if rule.expression and not evaluate_expression():
        return GroupEnded(last.phase, "retryStrategy.expression evaluated to false")
    return RetryNow()


_RETRIED_PHASES: Final = {
    "Always": {FAILED, ERROR},
    "OnFailure": {FAILED},
    "OnError": {ERROR},
}
POLICIES: Final = frozenset(_RETRIED_PHASES)


def _apply_backoff(
    rule: RetryRule,
    backoff: Backoff,
    first: Node,
    last: Node,
    *,
    attempts: int,
    now: float,
) -> RetryLater | GroupEnded | None:
    """Return what the backoff decides; None if it permits another attempt now."""
    latest = first.started_at + backoff.max_duration
    if now > latest:
        return GroupEnded(last.phase, "Max duration limit exceeded")
    wait = _backoff_seconds(backoff, attempts)
    ended_at = last.finished_at
    if ended_at is None:
        ended_at = last.started_at
    due = ended_at + wait
    if due > latest:
        return GroupEnded(last.phase, "Backoff would exceed max duration limit")
    # Argo waits only if the rule has a limit.
    may_wait = attempts <= rule.limit < inf
    if may_wait and now < due:
        return RetryLater(due, f"Backoff for {format_duration(wait)}")
    return None


def _backoff_seconds(backoff: Backoff, attempts: int) -> float:
    seconds = backoff.duration
    if backoff.factor > 0:
        # Higher powers exceed every cap, and in the end what a float can hold.
        exponent = min(attempts - 1, 64)
        seconds *= float(backoff.factor) ** exponent
    return min(seconds, backoff.cap)


_UNITS: Final = (
    ("day", 86400, "hours", 3600),
    ("hour", 3600, "minutes", 60),
    ("minute", 60, "seconds", 1),
)


def format_duration(duration: float) -> str:
    """Return a duration in seconds as text with at most two units."""
    seconds = int(duration)
    for unit, unit_seconds, smaller_unit, smaller_seconds in _UNITS:
        if seconds >= unit_seconds:
            remainder = seconds % unit_seconds // smaller_seconds
            count = _count(seconds // unit_seconds, unit)
            return f"{count} {remainder} {smaller_unit}"
    return _count(seconds, "second")


def _count(number: int, unit: str) -> str:
    if number == 1:
        return f"{number} {unit}"
    return f"{number} {unit}s"
