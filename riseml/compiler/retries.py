"""Which ends of an attempt deserve another one, told from what Argo knows of it.

cause      what Argo says of the attempt (`lastRetry`)
oom        exit code 137, or the container's reason OOMKilled
preempted  pod deleted, evicted, preempted, its node shutting down; exit code 143 (ended by SIGTERM)
node-lost  pod deleted, its node not answering
error      whatever is none of these
"""

from hera.workflows import RetryStrategy

from riseml import labels
from riseml.compiler.text import reference
from riseml.plan import Retries

_OVERDUE = "lastRetry.message matches 'specified deadline'"
_CAUSES = {
    "oom": f"lastRetry.exitCode == '137' && !({_OVERDUE}) || lastRetry.message matches 'OOMKilled'",
    "preempted": f"lastRetry.exitCode == '143' && !({_OVERDUE}) || lastRetry.message matches "
    "'pod deleted|[Pp]reempt|[Ee]vict|low on resource|node shutdown|shutting down|DisruptionTarget'",
    "node-lost": "lastRetry.message matches "
    "'pod deleted|NodeLost|[Nn]ode lost|was lost|unresponsive|unreachable|machine restarted'",
}
_KILLED = f"'{{{{workflow.annotations.{labels.KILLED}}}}}' matches '(^|,)({reference(labels.SUB_PARAMETER)}|[*])='"


def strategy(retries: Retries) -> RetryStrategy | None:
    """Return Argo's strategy, None where a failure is final. What was killed on purpose is never tried again."""
    if not retries.count:
        return None
    return RetryStrategy(
        limit=str(retries.count), retry_policy="Always", expression=_expression(retries)
    )


def _expression(retries: Retries) -> str:
    wanted = [f"({test})" for cause, test in _CAUSES.items() if cause in retries.on]
    if "error" in retries.on:
        others = [
            f"({test})" for cause, test in _CAUSES.items() if cause not in retries.on
        ]
        if not others:
            return f"!({_KILLED})"
        wanted.append(f"!({' || '.join(others)})")
    return f"!({_KILLED}) && ({' || '.join(wanted) or 'false'})"
