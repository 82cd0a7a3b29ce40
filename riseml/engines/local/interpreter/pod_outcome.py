"""Outcome of a pod: the phase, message, exit code and outputs of its node."""

from typing import Final

from riseml.engines.local.interpreter.events import PodEnded
from riseml.engines.local.interpreter.node import (
    DELETION,
    ERROR,
    FAILED,
    SUCCEEDED,
    Node,
)
from riseml.engines.local.interpreter.tags import Lookup
from riseml.engines.local.interpreter.templates import Template
from riseml.engines.local.interpreter.variables import resolve

# SIGKILL and SIGTERM: Argo assumes that it has sent these itself.
_SIGNAL_EXIT_CODES: Final = frozenset({137, 143})


def record(node: Node, event: PodEnded, template: Template, lookup: Lookup) -> None:
    """Record the outputs of the main container, and its exit code unless deleted.

    `lookup` returns the values of the tags in the defaults of outputs.
    """
    if _is_sidecar(event, template):
        # Only the sidecar has failed: the main container succeeded.
        exit_code: int | None = 0
    elif _is_main(event, template):
        exit_code = event.exit_code
    else:
        return
    if exit_code is None:
        return
    if node.stopped_by != DELETION:
        node.exit_code = exit_code
    # A file that is missing has its default, or no value at all.
    outputs = []
    for output in template.outputs:
        if output.name in event.outputs:
            outputs.append((output.name, event.outputs[output.name]))
        elif output.default is not None:
            outputs.append((output.name, resolve(output.default, lookup)))
    node.outputs = tuple(outputs)


def verdict(node: Node, event: PodEnded, template: Template) -> tuple[str, str]:
    """Return the phase and message of a node whose pod has ended."""
    if node.stopped_by == DELETION:
        return ERROR, "pod deleted"
    # The shell knows better: a deadline, or a fault of the machine.
    if event.phase is not None or event.message:
        phase = event.phase or FAILED
        message = event.message or _container_message(event)
        return phase, message
    if event.exit_code is None:
        return (
            FAILED,
            "pod failed: neither main nor wait container completed successfully",
        )
    if event.exit_code == 0:
        return _success_verdict(event, template)
    if not _is_main(event, template) and event.exit_code in _SIGNAL_EXIT_CODES:
        return ERROR, "Pod failed before main container starts due to PodInitializing: "
    return FAILED, _container_message(event)


def _success_verdict(event: PodEnded, template: Template) -> tuple[str, str]:
    if template.daemon:
        # A daemon runs until it is stopped, so its own end is a failure.
        return FAILED, ""
    for output in template.outputs:
        if output.default is None and output.name not in event.outputs:
            return (
                ERROR,
                f"wait: Error (exit code 64): open {output.path}: no such file or directory",
            )
    return SUCCEEDED, ""


def _is_main(event: PodEnded, template: Template) -> bool:
    return event.container in ("main", template.body["container"].get("name"))


def _is_sidecar(event: PodEnded, template: Template) -> bool:
    sidecars = template.body.get("sidecars", ())
    return any(event.container == sidecar["name"] for sidecar in sidecars)


def _container_message(event: PodEnded) -> str:
    if event.exit_code is None:
        return ""
    return f"{event.container}: {event.reason} (exit code {event.exit_code})"
