"""Compile a planned experiment set into the Argo Workflow that runs it.

    Workflow <project>-<number>
    └─ main           DAG: build (with install steps) ─▶ set; the tensorboard of a set is a daemon beside it
       └─ set         DAG, `concurrency` at a time: one item per experiment
          └─ experiment   DAG: one task per job
             └─ <job>     container: one template per job type, shared by all experiments

Hyperparameters travel as Argo parameters: `{{lr}}` in riseml.yml becomes `{{inputs.parameters.lr}}`, and
`riseml status` reads the values back. Compiling is pure: the same plan, origin and target give the same document.
"""

from typing import Any

from hera.workflows import DAG, Parameter, Task, Workflow, WorkflowsService
from hera.workflows.models import PodGC, TTLStrategy

from riseml import labels
from riseml.compiler import jobs
from riseml.compiler.names import Names
from riseml.compiler.text import reference
from riseml.spec import ExperimentSet, Origin, Target

_DAY = 86_400
_UNSTARTED = rf"'{{{{workflow.annotations.{labels.KILLED}}}}}' !~ '(^|,)({{{{item.{labels.SUB_PARAMETER}}}}}|[*])='"


def compile_workflow(plan: ExperimentSet, origin: Origin, target: Target) -> dict[str, Any]:
    """Return the Workflow that runs `plan` on `target`, as plain JSON data."""
    names = Names(plan, origin, target)
    workflow = Workflow(
        api_version="argoproj.io/v1alpha1",
        name=names.workflow,
        generate_name=None if names.workflow else f"{names.stem}-",
        namespace=target.namespace,
        labels=_labels(names),
        annotations=_annotations(names),
        service_account_name=target.service_account,
        entrypoint="main",
        templates=[_main(), _set(names), _experiment(names), *(jobs.job_template(job, names) for job in plan.jobs)],
        volumes=jobs.volumes(names),
        pod_gc=PodGC(strategy="OnPodSuccess", delete_delay_duration="1h"),
        ttl_strategy=TTLStrategy(seconds_after_success=14 * _DAY, seconds_after_failure=30 * _DAY),
        workflows_service=WorkflowsService(host="", token=""),
    )
    document: dict[str, Any] = workflow.to_dict()
    return document


def _main() -> DAG:
    return DAG(name="main", fail_fast=False, tasks=[Task(name="set", template="set")])


def _set(names: Names) -> DAG:
    arguments = [Parameter(name=name, value=f"{{{{item.{name}}}}}") for name in names.inputs]
    items = [{labels.SUB_PARAMETER: str(e.sub), **e.parameters} for e in names.plan.experiments]
    cells = Task(name="experiment", template="experiment", arguments=arguments, with_items=items, when=_UNSTARTED)
    return DAG(name="set", parallelism=names.plan.concurrency, fail_fast=False, tasks=[cells])


def _experiment(names: Names) -> DAG:
    arguments = [Parameter(name=name, value=reference(name)) for name in names.inputs]
    return DAG(
        name="experiment",
        inputs=[Parameter(name=name) for name in names.inputs],
        tasks=[Task(name=job.type, template=job.type, arguments=arguments) for job in names.plan.jobs],
    )


def _labels(names: Names) -> dict[str, str]:
    return {
        labels.USER: names.origin.user,
        labels.PROJECT: names.plan.project,
        **({} if names.origin.number is None else {labels.NUMBER: str(names.origin.number)}),
        labels.KIND: "set" if names.plan.is_set else "experiment",
    }


def _annotations(names: Names) -> dict[str, str]:
    return {
        labels.TITLE: f"{names.plan.project} {names.number}",
        labels.CONFIG: names.plan.config,
        labels.REVISION: names.origin.revision,
        labels.KILLED: "",
    }
