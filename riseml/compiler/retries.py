"""Retry rules: which failures deserve another attempt, judged by what Argo knows of them.

cause      what Argo says about the attempt (`lastRetry`)
oom        exit code 137, or the container's reason OOMKilled
preempted  pod deleted, evicted or preempted, node shutting down; exit code 143 (SIGTERM)
node-lost  pod deleted, node not answering
error      anything else
"""

from hera.workflows import RetryStrategy

from riseml import labels
from riseml.compiler.text import reference
from riseml.plan import Retries

_TIMED_OUT = "lastRetry.message matches 'specified deadline'"
_CAUSES = {
    "oom": f"lastRetry.exitCode == '137' && !({_TIMED_OUT}) || lastRetry.message matches 'OOMKilled'",
    "preempted": f"lastRetry.exitCode == '143' && !({_TIMED_OUT}) || lastRetry.message matches "
    "'pod deleted|[Pp]reempt|[Ee]vict|low on resource|node shutdown|shutting down|DisruptionTarget'",
    "node-lost": "lastRetry.message matches "
    "'pod deleted|NodeLost|[Nn]ode lost|was lost|unresponsive|unreachable|machine restarted'",
}
_KILLED = f"'{{{{workflow.annotations.{labels.KILLED}}}}}' matches '(^|,)({reference(labels.SUB_PARAMETER)}|[*])='"


def strategy(retries: Retries) -> RetryStrategy | None:
    """Return Argo's strategy, None without retries. A killed job is never retried."""
    if not retries.count:
        return None
    return RetryStrategy(
        limit=str(retries.count), retry_policy="Always", expression=_expression(retries)
    )


def _expression(retries: Retries) -> str:
    tests, other_tests = [], []
    for cause, test in _CAUSES.items():
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
