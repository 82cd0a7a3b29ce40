"""Compile a planned experiment set into the Argo Workflow that runs it.

    Workflow <project>-<number>
    └─ main           DAG: build (with install steps) ─▶ set; the tensorboard of a set is a daemon beside it
       └─ set         DAG, `concurrency` at a time: one item per experiment
          └─ experiment   DAG: one task per job, all at once (gang.py has what several need)
             └─ <job>     container: one template per job type, shared by all experiments

Hyperparameters travel as Argo parameters: `{{lr}}` in riseml.yml becomes `{{inputs.parameters.lr}}`, and
`riseml status` reads the values back. Compiling is pure: the same plan, origin and target give the same document.
"""

from collections.abc import Iterable
from typing import Any

from hera.workflows import (
    DAG,
    Container,
    Parameter,
    Resource,
    Task,
    Workflow,
    WorkflowsService,
)
from hera.workflows.models import (
    ConfigMapKeySelector,
    ExecutorConfig,
    LocalObjectReference,
    Metadata,
    PodGC,
    SemaphoreRef,
    Synchronization,
    Toleration,
    TTLStrategy,
)

from riseml import labels, manifest
from riseml.compiler import build, gang, jobs, pod, quotes, retries, tensorboard
from riseml.compiler.description import describe
from riseml.compiler.names import Names, label
from riseml.compiler.text import item, reference
from riseml.plan import Experiment, ExperimentSet, Origin, Target

_DAY = 86_400
_NO_MESH = {
    "sidecar.istio.io/inject": "false"
}  # a mesh's sidecar never ends, and so would no job
_ALIVE = f"'{{{{workflow.annotations.{labels.KILLED}}}}}' !~ '(^|,)({{{{item.{labels.SUB_PARAMETER}}}}}|[*])='"

_NOWHERE = WorkflowsService(
    host="", token="", namespace=""
)  # else Hera looks into its global configuration for one


def compile_workflow(
    plan: ExperimentSet, origin: Origin, target: Target
) -> dict[str, Any]:
    """Return the Workflow that runs `plan` on `target`, as plain JSON data.

    Raises:
        InvalidInputError: a command is longer than any machine can run. What Argo cannot hold: `limits.check`.
    """
    names = Names(plan, origin, target)
    workflow = Workflow(
        api_version="argoproj.io/v1alpha1",
        name=names.workflow,
        generate_name=None if names.workflow else f"{names.stem}-",
        namespace=target.namespace
        # None would mean the one of Hera's global configuration
        or "",
        labels=_labels(names),
        annotations=_annotations(names),
        service_account_name=target.service_account,
        automount_service_account_token=False,
        executor=ExecutorConfig(service_account_name=target.service_account),
        entrypoint="main",
        templates=list(_templates(names)),
        volumes=pod.volumes(names),
        affinity=pod.prefer(labels.SYSTEM_NODE, "NotIn"),
        node_selector=dict(target.node_selector) or None,
        tolerations=[Toleration.model_validate(each) for each in target.tolerations]
        or None,
        image_pull_secrets=[
            LocalObjectReference(name=name) for name in target.pull_secrets
        ]
        or None,
        pod_metadata=Metadata(annotations=_NO_MESH, labels=_NO_MESH),
        pod_gc=PodGC(strategy="OnPodSuccess", delete_delay_duration="1h"),
        ttl_strategy=TTLStrategy(
            seconds_after_success=14 * _DAY, seconds_after_failure=30 * _DAY
        ),
        workflows_service=_NOWHERE,
    )
    document: dict[str, Any] = workflow.to_dict()
    return _completed(document, names)


def _templates(names: Names) -> Iterable[DAG | Container | Resource]:
    yield _main(names)
    yield _set(names)
    yield _experiment(names)
    yield from (jobs.template(job, names) for job in names.plan.jobs)
    if names.is_gang:
        yield gang.ending(names)
    if names.builds:
        yield build.template(names)
    if names.plan.tensorboard:
        yield tensorboard.daemon(names)


def _main(names: Names) -> DAG:
    image = "{{tasks.build.outputs.parameters.image}}"
    arguments = [Parameter(name=name, value=image) for name in names.handed_down]
    first = "build" if names.builds else None
    tasks: list[Any] = [
        Task(name="set", template="set", arguments=arguments, depends=first)
    ]
    if names.builds:
        tasks.insert(0, Task(name="build", template="build"))
    if names.plan.tensorboard:
        tasks.append(
            Task(
                name="tensorboard",
                template="tensorboard",
                arguments=arguments,
                depends=first,
            )
        )
    return DAG(name="main", fail_fast=False, tasks=tasks)


def _set(names: Names) -> DAG:
    values = {name: reference(name) for name in names.handed_down}
    items = [_item(experiment, names.hard) for experiment in names.plan.experiments]
    own = [name for name in names.inputs if name not in values]
    values |= {name: item(name, (entry[name] for entry in items)) for name in own}
    arguments = [Parameter(name=name, value=values[name]) for name in names.inputs]
    return DAG(
        name="set",
        inputs=[Parameter(name=name) for name in names.handed_down],
        parallelism=names.plan.concurrency,
        # One failed experiment says nothing about the others
        fail_fast=False,
        tasks=[
            Task(
                name="experiment",
                template="experiment",
                arguments=arguments,
                with_items=items,
                when=_ALIVE,
            )
        ],
    )


def _item(experiment: Experiment, hard: Iterable[str]) -> dict[str, str]:
    quoted = {
        quotes.companion(name): manifest.quoted(experiment.parameters[name])
        for name in hard
    }
    return {
        labels.SUB_PARAMETER: str(experiment.sub),
        **experiment.parameters,
        **quoted,
    }


def _experiment(names: Names) -> DAG:
    """Return the template of an experiment. Several jobs are tried again together: one alone would wait in vain."""
    tasks: list[Any] = [
        task for job in names.plan.jobs for task in gang.tasks(job, names)
    ]
    return DAG(
        name="experiment",
        inputs=[Parameter(name=name) for name in names.inputs],
        fail_fast=False
        if names.is_gang
        # Who is left is ended by a hook, not waited for
        else None,
        retry_strategy=retries.strategy(names.plan.retries) if names.is_gang else None,
        synchronization=_shared_slots(names),
        tasks=tasks,
    )


def _shared_slots(names: Names) -> Synchronization | None:
    """Return what lets the shards of a set share its `concurrency`: a semaphore in the user's settings."""
    if names.origin.shard is None:
        return None
    key = labels.SLOTS.format(number=names.origin.number)
    return Synchronization(
        semaphores=[
            SemaphoreRef(
                config_map_key_ref=ConfigMapKeySelector(name="riseml", key=key)
            )
        ]
    )


def _labels(names: Names) -> dict[str, str]:
    number, framework = names.origin.number, names.plan.framework
    return {
        **({labels.USER: label(names.origin.user)} if names.origin.user else {}),
        labels.PROJECT: label(names.plan.project),
        **({} if number is None else {labels.NUMBER: str(number)}),
        labels.KIND: "set" if names.plan.is_set else "experiment",
        **({labels.FRAMEWORK: framework} if framework else {}),
        **({labels.GANG: "true"} if names.is_gang else {}),
        **({labels.SHARD: str(names.origin.shard.index)} if names.origin.shard else {}),
        **(
            {labels.IMAGE_KEY: names.origin.build.key}
            if names.builds and names.origin.build
            else {}
        ),
        **({labels.INSTANCE: names.target.instance} if names.target.instance else {}),
    }


def _annotations(names: Names) -> dict[str, str]:
    plan, number = names.plan, names.origin.number
    told = {
        labels.TITLE: plan.project if number is None else f"{plan.project} {number}",
        labels.CONFIG: plan.config,
        labels.REVISION: names.origin.revision,
        labels.KILLED: "",
    }
    if names.base != plan.image:
        told[labels.BASE_IMAGE] = names.base
    if description := describe(plan):
        told[labels.DESCRIPTION] = description
    return told


def _completed(document: dict[str, Any], names: Names) -> dict[str, Any]:
    """Add what Argo 4.1 knows and Hera 7.1 does not, and drop the empty namespace that Hera asks for."""
    if not document["metadata"]["namespace"]:
        del document["metadata"]["namespace"]
    waits = {"tensorboard": tensorboard.PATIENCE} if names.plan.tensorboard else {}
    if names.is_gang:
        waits |= dict.fromkeys(
            (job.type for job in names.plan.jobs),
            f"{names.plan.gang_timeout + gang.PATIENCE}s",
        )
    for template in document["spec"]["templates"]:
        if template["name"] in waits:
            template["pendingTimeout"] = waits[template["name"]]
    return document
