"""Retry rules: which failures deserve another attempt, judged by what Argo knows of them.

cause      what Argo says about the attempt (`lastRetry`)
idle       exit code 79, with which idle.sh ends an idle job that has an `idle_timeout`
oom        exit code 137, or the container's reason OOMKilled
preempted  pod deleted, evicted or preempted, refused by its node, node shutting down; exit
           code 143 (SIGTERM)
node-lost  pod deleted, refused by its node, node shutting down or not answering, container
           gone (then the exit code is 137 as well)
error      anything else

Argo keeps the kubelet's message and drops its reason, so the patterns are those of
messages; docs/cluster/failures.md lists them.

Jobs of a gang are not retried for these. Where the scheduler may start only some of them,
those that have waited in vain exit with RELEASED_CODE, and wait for room again.
"""

from hera.workflows.models import Backoff, IntOrString
from hera.workflows.retry_strategy import RetryStrategy

from riseml import labels
from riseml.compiler.text import KILLED, reference
from riseml.plan import Retries

_TIMED_OUT = "lastRetry.message matches 'specified deadline'"
_CONTAINER_LOST = "ContainerStatusUnknown|container could not be located"
_NOT_OOM = f"lastRetry.message matches 'specified deadline|{_CONTAINER_LOST}'"
# The node is at fault, and another one may run the job.
_NODE = "pod deleted|^Pod was rejected: |node shutdown|shutting down"
_EVICTED = (
    "low on resource|ephemeral local storage usage exceeds"
    "|exceeded its local ephemeral storage limit|Usage of EmptyDir volume"
)
_CAUSES = {
    "idle": "lastRetry.exitCode == '79'",
    "oom": f"lastRetry.exitCode == '137' && !({_NOT_OOM}) || lastRetry.message matches 'OOMKilled'",
    "preempted": f"lastRetry.exitCode == '143' && !({_TIMED_OUT}) || lastRetry.message matches "
    f"'{_NODE}|[Pp]reempt|[Ee]vict|{_EVICTED}|DisruptionTarget'",
    "node-lost": "lastRetry.message matches "
    f"'{_NODE}|NodeLost|[Nn]ode lost|was lost|unresponsive|unreachable|machine restarted|{_CONTAINER_LOST}"
    "|neither main nor wait container completed'",
}
_KILLED = f"'{KILLED}' matches '(^|,)({reference(labels.SUB_PARAMETER)}|[*])='"

# Argo obeys a backoff only below a limit. The backoff also delays the end of a job that has
# failed for another reason, so it stays short.
_RELEASES = "100000"
_BACKOFF = Backoff(duration="1s", factor=IntOrString("2"), cap="16s")


def after_release() -> RetryStrategy:
    """Return the strategy of a job whose gang may give its resources back and start again."""
    return RetryStrategy(
        limit=_RELEASES,
        retry_policy="Always",
        expression=f"!({_KILLED}) && lastRetry.exitCode == '{labels.RELEASED_CODE}'",
        backoff=_BACKOFF,
    )


def strategy(retries: Retries, idle_timeout: int | None = None) -> RetryStrategy | None:
    """Return Argo's strategy, None without retries. A killed job is never retried.

    An idle one is retried only if the causes name that: it would hold its GPUs again.
    """
    if not retries.count:
        return None
    return RetryStrategy(
        limit=str(retries.count),
        retry_policy="Always",
        expression=_expression(retries, idle_timeout),
    )


def _expression(retries: Retries, idle_timeout: int | None) -> str:
    tests, other_tests = [], []
    for cause, test in _CAUSES.items():
        # Otherwise the status is a program's own.
        if cause == "idle" and idle_timeout is None:
            continue
        if cause in retries.on:
            tests.append(f"({test})")
        else:
            other_tests.append(f"({test})")
    if "error" in retries.on:
        if not other_tests:
            return f"!({_KILLED})"
        # An error is what no other cause explains.
        tests.append(f"!({' || '.join(other_tests)})")
    return f"!({_KILLED}) && ({' || '.join(tests) or 'false'})"
