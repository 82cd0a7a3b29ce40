"""Compiler from a planned experiment set to the Argo Workflow that runs it.

`workflow.py` composes the document, and loads Hera for that. Modules that only read plans and
documents do without it, and so does a document that `cache.py` has kept.
"""

from typing import Any

from riseml.plan import ExperimentSet, Origin, Target


def compile_workflow(
    plan: ExperimentSet, origin: Origin, target: Target
) -> dict[str, Any]:
    """Return the Workflow that runs `plan` on `target`, as plain JSON data.

    Raises:
        InvalidInputError: a command is longer than any machine can run, or Argo would
            interpret a text that only values complete. `limits.check`
            checks what Argo can keep.
    """
    # Loading Hera takes longer than everything else that a command does.
    from riseml.compiler import workflow  # noqa: PLC0415
    from riseml.compiler.names import Names  # noqa: PLC0415

    return workflow.compose(Names(plan, origin, target))
