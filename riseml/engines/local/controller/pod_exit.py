"""Ends of pods in the interpreter's terms: from what a job's folder records to a `PodEnded`."""

from collections.abc import Mapping
from operator import itemgetter

from riseml.engines.local.controller import job_limits
from riseml.engines.local.interpreter.events import DEADLINE, PodEnded
from riseml.engines.local.interpreter.node import ERROR, FAILED
from riseml.engines.local.jobs import launcher
from riseml.engines.local.jobs.pod import Pod, read_outputs

SUPERVISOR_KILLED = "the job's supervisor was killed"
MACHINE_RESTARTED = "machine restarted"
# The clock of files may lag by this much. Without it, a pod that ended after a kill
# could seem to have ended before it.
_CLOCK_LAG_SECONDS = 0.005


def exited(pod: Pod, exit_: launcher.Exit) -> PodEnded:
    """Return the end of a pod whose supervisor has recorded it."""
    _, main = pod.containers
    sidecars = pod.action.template.get("sidecars", ())
    names = [main, *map(itemgetter("name"), sidecars)]
    if exit_.step <= launcher.MAIN:
        container = names[launcher.MAIN - exit_.step]
    else:
        container = _init_container(pod, exit_.step)
    is_out_of_memory = job_limits.is_out_of_memory(pod, exit_)
    return PodEnded(
        pod.node,
        exit_.status,
        container=container,
        reason="OOMKilled" if is_out_of_memory else "Error",
        message=DEADLINE if exit_.deadline else _unfound(pod, container),
        phase=FAILED if exit_.deadline else None,
        outputs=dict(read_outputs(pod.outputs)),
        # A pod that was stopped ends when the controller notices, after the kill.
        at=None if pod.stopping else exit_.time + _CLOCK_LAG_SECONDS,
    )


def _unfound(pod: Pod, container: str) -> str:
    """Return Argo's message for a command that cannot be run, empty if it can."""
    try:
        reason = (pod.directory / "unfound").read_text("utf-8", "replace")
    except OSError:
        return ""
    return f"{container}: Error (exit code 64): failed to find name in PATH: {reason}"


def noted(end: PodEnded, notes: Mapping[str, str]) -> PodEnded:
    """Return the end of a pod with the notes as outputs that are not empty."""
    texts = {name: text for name, text in notes.items() if text}
    return end._replace(outputs={**end.outputs, **texts})


def lost_port(pod: Pod, exit_: launcher.Exit, reason: str) -> PodEnded:
    """Return the end of a pod whose port another program took."""
    return PodEnded(pod.node, exit_.status, message=reason, phase=FAILED)


def lost(pod: Pod, reason: str) -> PodEnded:
    """Return the end of a pod that nothing has recorded."""
    return PodEnded(pod.node, None, message=reason, phase=FAILED)


def vanished(pod: Pod) -> PodEnded:
    """Return the end of a pod that had started and whose folder is gone."""
    return PodEnded(pod.node, None, message="its folder is gone", phase=ERROR)


def not_started(pod: Pod, error: Exception) -> PodEnded:
    """Return the end of a pod that could not be started, which is the platform's fault."""
    return PodEnded(pod.node, None, message=f"could not start: {error}", phase=ERROR)


def deleted(pod: Pod) -> PodEnded:
    """Return the end of a pod that was stopped while it waited."""
    return PodEnded(pod.node, None, message="pod deleted", phase=ERROR)


def _init_container(pod: Pod, step: int) -> str:
    names, _ = pod.containers
    # The engine's own steps come first; they belong to checking out the code.
    return ("code", *names)[step - pod.engine_steps + 1]
