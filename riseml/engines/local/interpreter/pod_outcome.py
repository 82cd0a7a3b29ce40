"""What the end of a pod makes of its node."""

from typing import Final

from riseml.engines.local.interpreter.events import PodEnded
from riseml.engines.local.interpreter.node import ERROR, FAILED, SUCCEEDED, Node
from riseml.engines.local.interpreter.templates import Template

_ENDED_BY_SIGNAL: Final = frozenset(
    {137, 143}
)  # KILL, TERM: what Argo takes for its own doing


def record(node: Node, event: PodEnded, template: Template) -> None:
    """Note what the main container left: its exit code, unless the pod was deleted, and its outputs."""
    code = (
        0 if _is_sidecar(event, template) else event.exit_code
    )  # a sidecar counts where the main one succeeded
    if code is None or not (_is_main(event, template) or _is_sidecar(event, template)):
        return
    if not node.stopped_by:
        node.exit_code = code
    found = {
        output.name: event.outputs.get(output.name, output.default)
        for output in template.outputs
    }
    node.outputs = tuple(
        (name, value) for name, value in found.items() if value is not None
    )


def verdict(node: Node, event: PodEnded, template: Template) -> tuple[str, str]:
    """Return the phase and message of a node whose pod has ended."""
    if node.stopped_by:
        return ERROR, "pod deleted"
    if event.phase is not None or event.message:
        return event.phase or FAILED, event.message or _said(event)
    if event.exit_code is None:
        return (
            FAILED,
            "pod failed: neither main nor wait container completed successfully",
        )
    if event.exit_code:
        if _is_main(event, template) or event.exit_code not in _ENDED_BY_SIGNAL:
            return FAILED, _said(event)
        return ERROR, "Pod failed before main container starts due to PodInitializing: "
    return _succeeded(event, template)


def _succeeded(event: PodEnded, template: Template) -> tuple[str, str]:
    if template.daemon:
        # A daemon is to run until it is ended
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
    return any(
        event.container == sidecar["name"]
        for sidecar in template.body.get("sidecars", ())
    )


def _said(event: PodEnded) -> str:
    return (
        f"{event.container}: {event.reason} (exit code {event.exit_code})"
        if event.exit_code is not None
        else ""
    )
