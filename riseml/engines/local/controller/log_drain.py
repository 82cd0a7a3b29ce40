"""Wait until the log of an ended job is complete: the filter that masks secrets may still write."""

from collections.abc import Callable

from riseml.engines.local.controller.log import logger
from riseml.engines.local.controller.loop import EventLoop
from riseml.engines.local.jobs import log_filter
from riseml.engines.local.jobs.pod import Pod

_CHECK_SECONDS = 0.005
# A process that nothing can kill may hold the pipe to the filter.
_LIMIT_SECONDS = 10.0


def complete(
    pod: Pod,
    loop: EventLoop,
    done: Callable[[], None],
    seconds: float = _LIMIT_SECONDS,
) -> None:
    """Call `done` once nothing more is written to the log; at once if it has no filter."""
    if not log_filter.is_running(str(pod.directory)):
        done()
        return
    if seconds <= 0:
        logger.warning("pod %s: its log may be incomplete", pod.node)
        done()
        return
    remaining = seconds - _CHECK_SECONDS
    loop.after(_CHECK_SECONDS, lambda: complete(pod, loop, done, remaining))
