"""Workflow of an experiment set, composed of Hera's models.

    Workflow <project>-<number>
    └─ main           DAG: build (with install steps) ─▶ set; TensorBoard is a daemon beside it
       └─ set         DAG, `concurrency` at a time: one item per experiment
          └─ experiment   DAG: one task per job, all at once (gang.py: several jobs)
             └─ <job>     container: one template per job type, shared by all experiments

Hyperparameters travel as Argo parameters: `{{lr}}` in riseml.yml becomes `{{inputs.parameters.lr}}`, and
`riseml status` reads the values back. Compiling is pure: the same plan, origin and target give the same document.
"""

import json
from collections.abc import Iterable
from typing import Any

from riseml.compiler import lazy_hera  # noqa: F401 - it loads Hera, for all imports below

# isort: split
from hera.workflows.container import Container
from hera.workflows.dag import DAG
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
from hera.workflows.parameter import Parameter
from hera.workflows.resource import Resource
from hera.workflows.task import Task
from hera.workflows.workflow import Workflow

from riseml import labels, manifest, marks
from riseml.compiler import (
    braces,
    build,
    gang,
    jobs,
    node,
    pod,
    quotes,
    retries,
    rounds,
    security,
    tensorboard,
    volumes,
)
from riseml.compiler.description import describe
from riseml.compiler.names import Names, label
from riseml.compiler.text import KILLED, item, parameter, reference
from riseml.plan import Experiment, ExperimentSet, Search, Shard, Target

# All combinations: nothing about that has to be recorded.
_GRID = Search().method
_DAY_SECONDS = 86_400
# The sidecar of a service mesh never ends, so no job would.
_NO_MESH = {"sidecar.istio.io/inject": "false"}
# An experiment that was killed before its turn is skipped.
_ALIVE = f"'{KILLED}' !~ '(^|,)({{{{item.{labels.SUB_PARAMETER}}}}}|[*])='"

# Without a service, Hera would make one from its global configuration, and import its
# HTTP client for that.
_NO_SERVICE: Any = object()


def compose(names: Names) -> dict[str, Any]:
    """Return the document that `compile_workflow` describes.

    Raises:
        InvalidInputError: as for `compile_workflow`.
    """
    target = names.target
    build.check(names)
    braces.check(names)
    workflow = Workflow(
        api_version="argoproj.io/v1alpha1",
        name=names.workflow,
        generate_name=None if names.workflow else f"{names.stem}-",
        # None would stand for the namespace of Hera's global configuration.
        namespace=target.namespace or "",
        labels=_labels(names),
        annotations=_annotations(names),
        service_account_name=target.service_account,
        automount_service_account_token=False,
        executor=ExecutorConfig(service_account_name=target.service_account),
        entrypoint="main",
        templates=list(_templates(names)),
        volumes=volumes.pod_volumes(names),
        affinity=pod.prefer(labels.SYSTEM_NODE, "NotIn"),
        pod_spec_patch=node.patch(target),
        node_selector=dict(target.node_selector) or None,
        tolerations=_tolerations(target) or None,
        image_pull_secrets=_pull_secrets(target) or None,
        pod_metadata=Metadata(annotations=_NO_MESH, labels=_NO_MESH),
        # Pods of failed jobs stay, so that Kubernetes can still be asked about them.
        pod_gc=PodGC(strategy="OnPodSuccess", delete_delay_duration="1h"),
        ttl_strategy=TTLStrategy(
            seconds_after_success=14 * _DAY_SECONDS,
            seconds_after_failure=30 * _DAY_SECONDS,
        ),
        workflows_service=_NO_SERVICE,
    )
    document: dict[str, Any] = workflow.to_dict()
    return _completed(document, names)


def _tolerations(target: Target) -> list[Toleration]:
    return list(map(Toleration.model_validate, target.tolerations))


def _pull_secrets(target: Target) -> list[LocalObjectReference]:
    return [LocalObjectReference(name=name) for name in target.pull_secrets]


def _templates(names: Names) -> Iterable[DAG | Container | Resource]:
    yield _main(names)
    yield _set(names)
    yield _experiment(names)
    yield from (jobs.template(job, names) for job in names.plan.jobs)
    if names.is_gang:
        yield gang.ending(names)
    if names.builds:
        yield build.template(names)
    if names.plan.rounds:
        yield rounds.template(names)
        if names.search_inputs:
            yield rounds.build_template(names)
    if names.plan.tensorboard:
        yield tensorboard.daemon(names)


def _main(names: Names) -> DAG:
    image = "{{tasks.build.outputs.parameters.image}}"
    arguments = [Parameter(name=name, value=image) for name in names.handed_down]
    # The other tasks need the image.
    build_task = "build" if names.builds else None
    tasks: list[Any] = [_set_task(names, arguments, build_task)]
    if names.search_inputs:
        tasks.insert(0, Task(name=rounds.BUILD, template=rounds.BUILD))
    if names.builds:
        tasks.insert(0, Task(name="build", template="build"))
    if names.plan.tensorboard:
        tasks.append(
            Task(
                name="tensorboard",
                template="tensorboard",
                arguments=arguments,
                depends=build_task,
            )
        )
    return DAG(name="main", fail_fast=False, tasks=tasks)


def _set_task(names: Names, arguments: list[Parameter], build_task: str | None) -> Task:
    needs = [build_task]
    for name in names.search_inputs:
        image = f"{{{{tasks.{rounds.BUILD}.outputs.parameters.image}}}}"
        arguments = [*arguments, Parameter(name=name, value=image)]
        needs.append(rounds.BUILD)
    depends = " && ".join(filter(None, needs)) or None
    return Task(name="set", template="set", arguments=arguments, depends=depends)


def _set(names: Names) -> DAG:
    experiments = names.plan.experiments
    if names.plan.rounds:
        experiments = tuple(rounds.samples(names))
    items = [_item(experiment, names) for experiment in experiments]
    arguments = []
    for name in names.inputs:
        if name in names.handed_down:
            value = reference(name)
        else:
            value = item(name, (values[name] for values in items))
        arguments.append(Parameter(name=parameter(name), value=value))
    return DAG(
        name="set",
        inputs=[
            Parameter(name=name) for name in (*names.handed_down, *names.search_inputs)
        ],
        parallelism=names.plan.concurrency,
        # A failed experiment says nothing about the others.
        fail_fast=False,
        tasks=list(_experiment_tasks(names, arguments, items)),
    )


def _experiment_tasks(
    names: Names, arguments: list[Parameter], items: list[dict[str, str]]
) -> Iterable[Task]:
    if names.plan.rounds:
        return rounds.tasks(names, arguments, _ALIVE)
    task = Task(
        name="experiment",
        template="experiment",
        arguments=arguments,
        with_items=items,
        when=_ALIVE,
    )
    return (task,)


def _item(experiment: Experiment, names: Names) -> dict[str, str]:
    quoted = {
        quotes.companion(name): manifest.quoted(experiment.parameters[name])
        for name in names.individually_quoted
    }
    continued = {}
    if names.continued:
        continued = _continued(experiment, names)
    bracket = {}
    if names.has_brackets:
        bracket[labels.BRACKET_PARAMETER] = str(experiment.bracket)
    return {
        labels.SUB_PARAMETER: str(experiment.sub),
        **bracket,
        **continued,
        **experiment.parameters,
        **quoted,
    }


def _continued(experiment: Experiment, names: Names) -> dict[str, str]:
    """Return the parameters of an item by which an experiment goes on."""
    values = {
        labels.EARLIER_PARAMETER: str(experiment.attempts),
        labels.RESUME_PARAMETER: names.resume_path(experiment),
    }
    return {name: values[name] for name in names.continued}


def _experiment(names: Names) -> DAG:
    """Return the template of an experiment.

    The jobs of a gang are retried together: a single one would wait in vain.
    """
    tasks: list[Any] = []
    for job in names.plan.jobs:
        tasks += gang.tasks(job, names)
    return DAG(
        name="experiment",
        inputs=[Parameter(name=parameter(name)) for name in names.inputs],
        # A hook ends the other jobs of a gang, so Argo need not wait for them.
        fail_fast=False if names.is_gang else None,
        retry_strategy=retries.strategy(names.plan.retries) if names.is_gang else None,
        synchronization=_shared_slots(names),
        tasks=tasks,
    )


def _shared_slots(names: Names) -> Synchronization | None:
    """Return the semaphore through which the shards of a set share its `concurrency`."""
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
    origin, plan = names.origin, names.plan
    # The order of labels is part of the compiled document.
    values = {
        labels.USER: label(origin.user),
        labels.PROJECT: label(plan.project),
        labels.NUMBER: "" if origin.number is None else str(origin.number),
        labels.KIND: "set" if plan.is_set else "experiment",
        labels.FRAMEWORK: plan.framework or "",
        labels.GANG: _flag(names.is_gang),
        **_shard_labels(origin.shard),
        labels.IMAGE_KEY: names.key_to_build,
        labels.SEARCH_IMAGE_KEY: names.for_search.key_to_build,
        **marks.labels_of(origin.marks),
        labels.INSTANCE: names.target.instance,
    }
    return {name: value for name, value in values.items() if value}


def _flag(is_set: bool) -> str:
    return "true" if is_set else ""


def _shard_labels(shard: Shard | None) -> dict[str, str]:
    if shard is None:
        return {}
    return {labels.SHARD: str(shard.index), labels.ADDED: _flag(shard.is_added)}


def _annotations(names: Names) -> dict[str, str]:
    plan, number = names.plan, names.origin.number
    values = {
        labels.TITLE: plan.project if number is None else f"{plan.project} {number}",
        labels.CONFIG: plan.config,
        labels.REVISION: names.origin.revision,
        # Expressions of the document refer to it, so it exists from the start.
        labels.KILLED: "",
    }
    if names.origin.excluded:
        values[labels.EXCLUDED] = json.dumps(names.origin.excluded)
    if names.origin.git:
        values[labels.GIT] = json.dumps(vars(names.origin.git))
    if names.base != plan.image:
        values[labels.BASE_IMAGE] = names.base
    if names.origin.runner:
        values[labels.RUNNER] = names.origin.runner
    if plan.metrics:
        values[labels.METRICS] = json.dumps(list(map(vars, plan.metrics)))
    if plan.search.method != _GRID and plan.is_set:
        values[labels.SEARCH] = json.dumps(_search(plan))
    values.update(marks.annotations_of(names.origin.marks))
    if description := describe(plan):
        values[labels.DESCRIPTION] = description
    return values


def _search(plan: ExperimentSet) -> dict[str, Any]:
    """Return what the document says about its search."""
    data = dict(vars(plan.search))
    if plan.rounds:
        data["first"] = plan.experiments[0].sub
        data["last"] = plan.experiments[-1].sub
    return data


def _completed(document: dict[str, Any], names: Names) -> dict[str, Any]:
    """Add what Argo 4.1 has and Hera 7.1 lacks, and remove an empty namespace."""
    if not document["metadata"]["namespace"]:
        del document["metadata"]["namespace"]
    for template in document["spec"]["templates"]:
        if names.plan.tensorboard and template["name"] == "tensorboard":
            template["pendingTimeout"] = tensorboard.PATIENCE
    security.apply(document, names.target)
    return document
