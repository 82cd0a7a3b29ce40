"""An experiment of several jobs: how they find each other, begin together and end together.

    experiment    DAG: master, worker-1, worker-2, ps-1, all started at once
       └─ hook    of each task: once it has failed, `end-peers` deletes the pods of the experiment

A job is reached as `<workflow>-<sub>-<type>-<n>.riseml`: its pod has that host name, and one headless Service of the
namespace serves all of them. The run script waits until all jobs have met (templates/gang.sh), so a gang that gets
only a part of its places gives them back after `gang_timeout`.
"""

import json
import re
from collections.abc import Iterable

from hera.workflows import Parameter, Resource, Task
from hera.workflows.models import LifecycleHook

from riseml import labels, plan
from riseml.compiler import pod
from riseml.compiler.names import Names
from riseml.compiler.text import reference
from riseml.plan import Job

# At which the launch agent of MPI listens
PORT = 2222
END = "end-peers"
# Seconds that a peer has after SIGTERM, so that all are gone within half a minute of the first failure
GRACE = 10
# Seconds over `gang_timeout` after which Argo itself gives up a job that has found no place
PATIENCE = 60
_HOST = re.compile(r"\{\{host\.([a-z]+)\.(\d+)\}\}")


def told(job: Job, names: Names) -> dict[str, str]:
    """Return what a job of a framework is told: its framework's variables, and who its peers are."""
    ours = {
        "RISEML_GANG": members(names),
        "RISEML_GANG_TIMEOUT": str(names.plan.gang_timeout),
        "RISEML_MEETING": f"{pod.OUTPUT}/.riseml/gang/{{{{workflow.uid}}}}.{names.attempt}",
    }
    return {
        **{name: _bound(text, job, names) for name, text in job.framework_env.items()},
        **(ours if names.is_gang else {}),
    }


def members(names: Names) -> str:
    """Return all jobs of an experiment as `job=host:port` words."""
    return " ".join(
        f"{name}={names.address(name)}:{PORT}"
        for job in names.plan.jobs
        for name in job.names
    )


def name(job: Job) -> str:
    """Return what a job of this type is called, with its number where there are several."""
    return (
        f"{job.type}.{reference(labels.INDEX_PARAMETER)}" if job.count > 1 else job.type
    )


def patch(job: Job, names: Names) -> str | None:
    """Return the `podSpecPatch` that gives a pod the host name of its job; None where nobody looks for it."""
    if not names.meets:
        return None
    return json.dumps(
        {"hostname": names.host(name(job)), "subdomain": labels.SUBDOMAIN}
    )


def shared(names: Names) -> list[Parameter]:
    """Return what an experiment hands to each of its jobs: all that it was given, and which attempt it is."""
    attempt = (
        [Parameter(name=labels.ATTEMPT_PARAMETER, value="{{retries}}")]
        if names.retried_whole
        else []
    )
    return [
        *(Parameter(name=name, value=reference(name)) for name in names.inputs),
        *attempt,
    ]


def own(job: Job, index: int) -> list[Parameter]:
    """Return what tells a job from the others of its type; `index` counts from 1."""
    values = {labels.INDEX_PARAMETER: index, labels.PLACE_PARAMETER: index - 1}
    return (
        [Parameter(name=name, value=value) for name, value in values.items()]
        if job.count > 1
        else []
    )


def tasks(job: Job, names: Names) -> Iterable[Task]:
    """Yield the tasks of all jobs of one type."""
    arguments = shared(names)
    for index, called in enumerate(job.names, 1):
        task = called.replace(".", "-")
        yield Task(
            name=task,
            template=job.type,
            arguments=[*arguments, *own(job, index)],
            hooks={"failed": _hook(task, arguments)} if names.is_gang else None,
        )


def ending(names: Names) -> Resource:
    """Return the template that ends the jobs of an experiment: those that are left when one has failed."""
    peers = {
        labels.WORKFLOW: "{{workflow.name}}",
        labels.EXPERIMENT: reference(labels.SUB_PARAMETER),
    }
    # A hook may come when the next attempt has begun
    if names.retried_whole:
        peers[labels.ATTEMPT] = names.attempt
    selector = ",".join(f"{key}={value}" for key, value in peers.items())
    return Resource(
        name=END,
        inputs=[Parameter(name=each.name) for each in shared(names)],
        action="delete",
        flags=[
            "pods",
            "--selector",
            selector,
            f"--grace-period={GRACE}",
            "--wait=false",
        ],
    )


def _hook(task: str, arguments: list[Parameter]) -> LifecycleHook:
    status = f'tasks["{task}"].status'
    return LifecycleHook.model_validate(
        {
            "template": END,
            "expression": f'{status} == "Failed" || {status} == "Error"',
            "arguments": {
                "parameters": [
                    {"name": each.name, "value": each.value} for each in arguments
                ]
            },
        }
    )


def _bound(text: str, job: Job, names: Names) -> str:
    called = {
        f"{each.type}.{index}": name
        for each in names.plan.jobs
        for index, name in enumerate(each.names, 1)
    }
    several = job.count > 1
    text = text.replace(
        plan.POSITION, reference(labels.PLACE_PARAMETER) if several else "0"
    )
    text = text.replace(
        plan.INDEX, reference(labels.INDEX_PARAMETER) if several else "1"
    )
    return _HOST.sub(lambda tag: names.address(called[f"{tag[1]}.{tag[2]}"]), text)
