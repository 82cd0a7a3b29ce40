"""Runs on a cluster without a volume that its nodes share: Argo's artifact repository keeps their output.

code       the document contains it
install    steps run at the start of each job
/output    a folder of the pod, which Argo saves at the end of each attempt
/data      an empty folder; further volumes may be below it
"""

from typing import Any

from riseml.compiler import compile_workflow, pod, standalone
from riseml.errors import UnsupportedError
from riseml.plan import ExperimentSet, Origin, Target

_KEEPING = standalone.Keeping(standalone.ARTIFACTS)


def check(plan: ExperimentSet) -> None:
    """Check that a plan needs no volume for its output.

    Raises:
        UnsupportedError: it does.
    """
    resumes = plan.experiments[0].resume is not None
    needs = {
        "a search in rounds": plan.rounds is not None,
        "a search that stops experiments early": plan.early_stop is not None,
        "`hold_on_failure`": plan.hold is not None,
        "an experiment that continues from the output of another one": resumes,
    }
    for subject, is_needed in needs.items():
        if is_needed:
            raise UnsupportedError(
                f"{subject} needs an output volume, and this cluster keeps output in Argo's artifact repository",
                "An administrator can give the cluster one: `storage.outputs` in values.yml.",
            )


def compile_with_code(
    plan: ExperimentSet, origin: Origin, target: Target, archive: str
) -> dict[str, Any]:
    """Return the Workflow that runs `plan` on `target`, with its code."""
    prepared = standalone.prepared(plan, _KEEPING)
    workflow = compile_workflow(prepared, origin, target)
    options = standalone.Standalone(_KEEPING, archive)
    # The user's namespace has the Service of gangs already.
    *_, document = standalone.documents(workflow, options, plan.install, is_wide=False)
    # A standalone document has another account.
    for field in pod.ACCOUNT_FIELDS:
        document["spec"][field] = workflow["spec"][field]
    return document
