"""Gangs: how the jobs of an experiment find each other, start together and end together.

    experiment    DAG: master, worker-1, worker-2, ps-1, all started at once
       └─ hook    of each task: once it has failed, `end-peers` deletes the pods of the experiment

A job is reached as `<workflow>-<sub>-<type>-<n>.riseml`: its pod has that host name, and
one headless Service of the namespace serves all pods. The run script waits until all jobs
have met (templates/gang.sh). A gang that gets only some of its nodes gives them back after
`gang_timeout`, and waits for room again.
"""

import json
import re
from collections.abc import Iterable

from hera.workflows.models import LifecycleHook
from hera.workflows.parameter import Parameter
from hera.workflows.resource import Resource
from hera.workflows.task import Task

from riseml import labels, plan
from riseml.compiler import pod
from riseml.compiler.names import Names
from riseml.compiler.text import parameter, reference
from riseml.plan import Job

# The launch agent of MPI listens here.
PORT = 2222
END = "end-peers"
# Peers have so many seconds after SIGTERM, so that all end within half a minute of the first failure.
GRACE = 10
_HOST = re.compile(r"\{\{host\.([a-z]+)\.(\d+)\}\}")


def environment(job: Job, names: Names) -> dict[str, str]:
    """Return the framework's variables of a job, and those that name its peers."""
    variables = {
        name: _bind(text, job, names) for name, text in job.framework_env.items()
    }
    if names.is_gang:
        meeting = f"{pod.OUTPUT}/.riseml/gang/{{{{workflow.uid}}}}.{names.attempt}"
        variables["RISEML_GANG"] = members(names)
        variables["RISEML_GANG_TIMEOUT"] = _timeout(names)
        variables["RISEML_MEETING"] = meeting
        if job.daemon and names.may_release:
            variables["RISEML_STAYS"] = "1"
    return variables


def _timeout(names: Names) -> str:
    """Return for how many seconds jobs wait for each other, "" for no limit."""
    return "" if names.starts_together else str(names.plan.gang_timeout)


def members(names: Names) -> str:
    """Return all jobs of an experiment as `job=host:port` words."""
    words = []
    for job in names.plan.jobs:
        words += [f"{name}={names.address(name)}:{PORT}" for name in job.names]
    return " ".join(words)


def name(job: Job) -> str:
    """Return the name of a job of this type, with its index if there are several."""
    if job.count == 1:
        return job.type
    return f"{job.type}.{reference(labels.INDEX_PARAMETER)}"


def patch(job: Job, names: Names) -> str | None:
    """Return the `podSpecPatch` for a pod's host name, None if the pod needs none."""
    if not names.needs_host_names:
        return None
    return json.dumps(
        {"hostname": names.host(name(job)), "subdomain": labels.SUBDOMAIN}
    )


def shared(names: Names) -> list[Parameter]:
    """Return what an experiment passes to all its jobs: its inputs and the attempt."""
    parameters = [
        Parameter(name=parameter(name), value=reference(name)) for name in names.inputs
    ]
    if names.retries_gang:
        attempt = Parameter(name=labels.ATTEMPT_PARAMETER, value="{{retries}}")
        parameters.append(attempt)
    return parameters


def indices(job: Job, index: int) -> list[Parameter]:
    """Return the parameters that identify one of several jobs; `index` counts from 1."""
    if job.count == 1:
        return []
    return [
        Parameter(name=labels.INDEX_PARAMETER, value=index),
        Parameter(name=labels.POSITION_PARAMETER, value=index - 1),
    ]


def tasks(job: Job, names: Names) -> Iterable[Task]:
    """Yield the tasks of all jobs of one type."""
    arguments = shared(names)
    for index, job_name in enumerate(job.names, 1):
        task = job_name.replace(".", "-")
        yield Task(
            name=task,
            template=job.type,
            arguments=[*arguments, *indices(job, index)],
            hooks={"failed": _hook(task, arguments)} if names.is_gang else None,
        )


def ending(names: Names) -> Resource:
    """Return the template that ends the remaining jobs of an experiment after a failure."""
    peers = {
        labels.WORKFLOW: "{{workflow.name}}",
        labels.EXPERIMENT: reference(labels.SUB_PARAMETER),
    }
    if names.retries_gang:
        # A hook may run when the next attempt has already started.
        peers[labels.ATTEMPT] = names.attempt
    selector = ",".join(f"{label}={value}" for label, value in peers.items())
    return Resource(
        name=END,
        inputs=[Parameter(name=parameter.name) for parameter in shared(names)],
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
    parameters = [
        {"name": parameter.name, "value": parameter.value} for parameter in arguments
    ]
    return LifecycleHook.model_validate(
        {
            "template": END,
            "expression": f'{status} == "Failed" || {status} == "Error"',
            "arguments": {"parameters": parameters},
        }
    )


def _bind(text: str, job: Job, names: Names) -> str:
    """Replace a framework's placeholders by tags and host names."""
    addresses = {}
    for peer in names.plan.jobs:
        for number, peer_name in enumerate(peer.names, 1):
            addresses[f"{peer.type}.{number}"] = names.address(peer_name)
    position, index = "0", "1"
    if job.count > 1:
        position = reference(labels.POSITION_PARAMETER)
        index = reference(labels.INDEX_PARAMETER)
    text = text.replace(plan.POSITION, position).replace(plan.INDEX, index)
    return _HOST.sub(lambda match: addresses[f"{match[1]}.{match[2]}"], text)
