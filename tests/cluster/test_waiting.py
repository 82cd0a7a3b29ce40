"""Explanations of runs that wait because of the cluster's own rules, on the cluster of KUBECONFIG.

A webhook gives the pods of one namespace what other clusters' webhooks give them: gates,
other volumes, priorities. With RECORD=1 the cluster's answers are written to
tests/fixtures/why, which `tests/unit/diagnosis/test_diagnosis.py` reads.

What a kubelet does needs a node for these tests alone, which RISEML_TEST_NODE names: its kubelet measures the disk
(localStorageCapacityIsolation), and it has a taint. RISEML_TEST_PRESSURE is a program that lets it have DiskPressure
(`start`, `stop`), RISEML_TEST_DEVICE_PLUGIN one that offers a device riseml.test/gpu there while it runs. Without them
these tests are skipped.
"""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from riseml.cluster.api import path
from riseml.ids import Id, parse
from riseml.status import SetStatus
from riseml.status.select import pick
from tests.cluster import webhook
from tests.cluster.test_situations import (
    Situation,
    Surroundings,
    record,
    until_explained,
)
from tests.cluster.user_namespace import wait_until
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("waiting"),
]

NAMESPACE = "riseml-waiting"
_SLEEP = "run: [echo begun, sleep 1000]"
NODE = os.environ.get("RISEML_TEST_NODE", "")
_PRESSURE = os.environ.get("RISEML_TEST_PRESSURE", "")
_PLUGIN = os.environ.get("RISEML_TEST_DEVICE_PLUGIN", "")
_DEVICE = "riseml.test/gpu"
_FILL = "run: [echo begun, dd if=/dev/zero of={file} bs=1M count={size}, sleep 1000]"
_LIMIT_LABEL = "workflows.argoproj.io/parallelism-limit"


def changed(*operations: webhook.Operation) -> Surroundings:
    """Let a webhook change each pod."""
    return lambda bench: webhook.changing(
        cluster.administrator(), NAMESPACE, bench.folder.parent, operations
    )


def added(field: str, value: object) -> webhook.Operation:
    return {"op": "add", "path": field, "value": value}


def unanswered(_: Bench) -> AbstractContextManager[None]:
    return webhook.failing(cluster.administrator(), NAMESPACE)


@contextmanager
def one_workflow(bench: Bench) -> Iterator[None]:
    """Let Argo run one Workflow of the namespace at a time, which another run is."""
    api, at = cluster.administrator(), path("namespaces", None, NAMESPACE)
    api.patch(at, {"metadata": {"labels": {_LIMIT_LABEL: "1"}}})
    try:
        other = bench.train(_SLEEP).number
        bench.until_logged(other, "begun")
        yield
    finally:
        api.patch(at, {"metadata": {"labels": {_LIMIT_LABEL: None}}})
        clear()


def existing(kind: str, name: str, **spec: object) -> Surroundings:
    """Let the namespace have an object for a while."""

    @contextmanager
    def hold(_: Bench) -> Iterator[None]:
        api, at = cluster.administrator(), path(kind, NAMESPACE)
        body = {
            "apiVersion": "v1",
            "kind": KINDS[kind],
            "metadata": {"name": name},
            "spec": spec,
        }
        api.ensure(at, body)
        try:
            wait_until(lambda: _is_seen(f"{at}/{name}", kind), 30, f"{kind} {name}")
            yield
        finally:
            api.delete(f"{at}/{name}")

    return hold


KINDS = {
    "resourcequotas": "ResourceQuota",
    "limitranges": "LimitRange",
    "persistentvolumeclaims": "PersistentVolumeClaim",
}


def _is_seen(at: str, kind: str) -> bool:
    """Return whether the API server enforces an object already."""
    status = cluster.administrator().get(at).get("status", {})
    return kind != "resourcequotas" or "hard" in status


def quota(**hard: str) -> Surroundings:
    amounts = {}
    for name, amount in hard.items():
        amounts[name.replace("_", ".")] = amount
    return existing("resourcequotas", "riseml", hard=amounts)


def limit_range(**item: object) -> Surroundings:
    return existing("limitranges", "site", limits=[item])


def together(*parts: Surroundings) -> Surroundings:
    @contextmanager
    def hold(bench: Bench) -> Iterator[None]:
        with ExitStack() as stack:
            for part in parts:
                stack.enter_context(part(bench))
            yield

    return hold


def running_before(text: str = _SLEEP) -> Surroundings:
    """Let another run be running."""

    @contextmanager
    def hold(bench: Bench) -> Iterator[None]:
        other = bench.train(text).number
        bench.until_logged(other, "begun")
        yield

    return hold


@contextmanager
def cordoned(bench: Bench) -> Iterator[None]:
    """Close all nodes for the seconds that a pod takes to see that."""
    api = cluster.administrator()
    nodes = [node["metadata"]["name"] for node in api.items(path("nodes"))]
    for node in nodes:
        api.patch(path("nodes", None, node), {"spec": {"unschedulable": True}})
    try:
        yield
    finally:
        for node in nodes:
            api.patch(path("nodes", None, node), {"spec": {"unschedulable": None}})


@contextmanager
def refused(bench: Bench) -> Iterator[None]:
    api, folder = cluster.administrator(), bench.folder.parent
    with webhook.refusing(api, NAMESPACE, folder, "use images of registry.lab"):
        yield


@contextmanager
def broken(bench: Bench) -> Iterator[None]:
    """Let the webhook answer with an error of its own."""
    api, folder = cluster.administrator(), bench.folder.parent
    with webhook.crashing(api, NAMESPACE, folder):
        yield


@contextmanager
def semaphore(bench: Bench) -> Iterator[None]:
    """Let each Workflow need a semaphore of one, which another run has."""
    api, maps = cluster.administrator(), path("configmaps", NAMESPACE)
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "site-limits"},
    }
    api.ensure(maps, {**body, "data": {"gpus": "1"}})
    key = {"configMapKeyRef": {"name": "site-limits", "key": "gpus"}}
    needed = added("/spec/synchronization", {"semaphores": [key]})
    folder = bench.folder.parent
    try:
        with webhook.changing(api, NAMESPACE, folder, [needed], "workflows"):
            other = bench.train(_SLEEP).number
            bench.until_logged(other, "begun")
            yield
    finally:
        api.delete(f"{maps}/site-limits")


INSTANCE_LABEL = "/metadata/labels/workflows.argoproj.io~1controller-instanceid"
CLAIMED = {"name": "imagenet", "persistentVolumeClaim": {"claimName": "imagenet"}}


def changed_workflows(*operations: webhook.Operation) -> Surroundings:
    return lambda bench: webhook.changing(
        cluster.administrator(),
        NAMESPACE,
        bench.folder.parent,
        operations,
        "workflows",
    )


def two_members_run(bench: Bench, number: int) -> None:
    """Wait until Argo knows that all but one job of a gang run."""

    def started() -> int:
        (experiment,) = bench.engine.read(Id(number=number)).experiments
        return sum(job.state == "STARTING" for job in experiment.jobs)

    bench.until(lambda: started() == 2, "two members")


# A registry that refuses all pulls listens there.
REGISTRY_PORT = 5429


@contextmanager
def pull_limit(_: Bench) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", REGISTRY_PORT), LimitedRegistry)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class LimitedRegistry(BaseHTTPRequestHandler):
    """Registry that answers as Docker Hub does when too many images have been pulled."""

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def answer(self) -> None:
        error = {
            "code": "TOOMANYREQUESTS",
            "message": "You have reached your pull rate limit.",
        }
        body = json.dumps({"errors": [error]}).encode()
        self.send_response(200 if self.path == "/v2/" else 429)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


PRIORITIES = "/apis/scheduling.k8s.io/v1/priorityclasses"
SLOT = "riseml.test/slot"


def with_slot(priority: str) -> tuple[webhook.Operation, ...]:
    """Let a pod need the only slot, with a priority."""
    return (
        added("/spec/priorityClassName", priority),
        {"op": "remove", "path": "/spec/priority"},
        added("/spec/containers/0/resources/requests/riseml.test~1slot", "1"),
        added("/spec/containers/0/resources/limits", {SLOT: "1"}),
    )


@contextmanager
def one_slot(bench: Bench) -> Iterator[None]:
    """Let one node have one slot, and the cluster two priorities."""
    api = cluster.administrator()
    at = path("nodes", None, next(iter(api.items(path("nodes"))))["metadata"]["name"])
    for name, value in (("waiting-high", 1000), ("waiting-low", -10)):
        body = {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
        }
        api.ensure(PRIORITIES, body)
    amounts: dict[str, str | None] = {SLOT: "1"}
    api.patch(f"{at}/status", {"status": {"capacity": amounts, "allocatable": amounts}})
    try:
        with changed(*with_slot("waiting-low"))(bench):
            yield
    finally:
        amounts = {SLOT: None}
        api.patch(
            f"{at}/status", {"status": {"capacity": amounts, "allocatable": amounts}}
        )
        for name in ("waiting-high", "waiting-low"):
            api.delete(f"{PRIORITIES}/{name}")


def preempt(bench: Bench, number: int) -> None:
    """Start a run of a higher priority."""
    bench.until_logged(number, "begun")
    with changed(*with_slot("waiting-high"))(bench):
        other = bench.train(_SLEEP).number
        bench.until_logged(other, "begun")


def preempt_slowly(bench: Bench, number: int) -> None:
    """Start a run of a higher priority, while the job takes its time to end."""
    runs(bench, number)
    with changed(*with_slot("waiting-high"))(bench):
        bench.train(_SLEEP)
        bench.until(lambda: reason(bench, number) == "PREEMPTED", "the preemption")


def runs(bench: Bench, number: int) -> None:
    """Wait until Argo knows that a run is running."""
    bench.until_logged(number, "begun")
    bench.until(lambda: bench.engine.read(Id(number=number)).state == "RUNNING")


def first_runs(bench: Bench, number: int) -> None:
    bench.until_logged(Id(number=number, sub=1), "begun")


def reason(bench: Bench, number: int) -> str:
    return bench.engine.read(Id(number=number)).experiments[0].reason


def on_node(*operations: webhook.Operation) -> Surroundings:
    """Let pods run on the node of these tests only."""
    selector = added("/spec/nodeSelector", {"kubernetes.io/hostname": NODE})
    tolerations = added("/spec/tolerations", [{"operator": "Exists"}])
    return changed(selector, tolerations, *operations)


def bound(*operations: webhook.Operation) -> Surroundings:
    """Bind pods to the node of these tests, past the scheduler, which would know better."""
    return changed(added("/spec/nodeName", NODE), *operations)


def storage_limit(container: str, amount: str) -> webhook.Operation:
    limits = {"ephemeral-storage": amount}
    return added(f"/spec/{container}/resources/limits", limits)


SCRATCH = (
    added("/spec/volumes/-", {"name": "scratch", "emptyDir": {"sizeLimit": "5Mi"}}),
    added(
        "/spec/containers/1/volumeMounts/-",
        {"name": "scratch", "mountPath": "/scratch"},
    ),
)
DEVICE = (
    added("/spec/containers/1/resources/requests/riseml.test~1gpu", "1"),
    added("/spec/containers/1/resources/limits", {_DEVICE: "1"}),
)


def allocatable() -> str:
    node = cluster.administrator().get(path("nodes", None, NODE))
    return str(node["status"]["allocatable"].get(_DEVICE, ""))


@contextmanager
def plugin_away(bench: Bench) -> Iterator[None]:
    """Let the device plug-in of the node end, as when it is replaced by a newer one."""
    with subprocess.Popen([_PLUGIN]) as plugin:
        bench.until(lambda: allocatable() == "1", "the device")
        plugin.kill()
    bench.until(lambda: allocatable() == "0", "the device to go")
    with bound(*DEVICE)(bench):
        yield


@contextmanager
def pressure(bench: Bench) -> Iterator[None]:
    """Let the node have DiskPressure."""
    subprocess.run([_PRESSURE, "start"], check=True, timeout=60)
    try:
        bench.until(lambda: disk_pressure() == "True", "the pressure")
        with bound()(bench):
            yield
    finally:
        subprocess.run([_PRESSURE, "stop"], check=True, timeout=60)


def restart_under_pressure(bench: Bench, number: int) -> None:
    """Let the kubelet of a running job start again with DiskPressure: it refuses the job."""
    bench.until_logged(number, "begun")
    subprocess.run([_PRESSURE, "start"], check=True, timeout=60)
    bench.until(lambda: bench.engine.read(Id(number=number)).state.is_terminal)
    subprocess.run([_PRESSURE, "stop"], check=True, timeout=60)
    bench.until(lambda: disk_pressure() == "False", "the end of the pressure")


def disk_pressure() -> str:
    node = cluster.administrator().get(path("nodes", None, NODE))
    for condition in node["status"]["conditions"]:
        if condition["type"] == "DiskPressure":
            return str(condition["status"])
    return ""


def clear() -> None:
    """Delete all Workflows of the namespace, in any state."""
    api = cluster.administrator()
    for workflow in api.items(path("workflows", NAMESPACE)):
        at = path("workflows", NAMESPACE, workflow["metadata"]["name"])
        api.delete(at, propagationPolicy="Background")


def assert_status(bench: Bench, situation: Situation, number: int) -> None:
    if situation.status:
        id_ = parse(situation.id.format(number=number))
        part = pick(bench.engine.read(Id(number=number)), id_)
        if isinstance(part, SetStatus):
            part = part.experiments[0]
        assert f"{part.state} {part.reason}".strip() == situation.status


GATE = [{"name": "kueue.example.com/admission"}]
SITUATIONS = {
    "gated": Situation(
        "GATED",
        "it is held back until something removes kueue.example.com/admission",
        within=changed(added("/spec/schedulingGates", GATE)),
        status="PENDING GATED",
    ),
    "webhook-fails": Situation(
        "WEBHOOK",
        "checks pods does not answer",
        within=unanswered,
        status="PENDING WEBHOOK",
    ),
    "argo-parallelism": Situation(
        "PARALLELISM",
        "Argo is running as many Workflows",
        within=one_workflow,
        status="PENDING PARALLELISM",
    ),
}

_DISTRIBUTED = """
framework: tensorflow
tensorflow: {distributed: {worker: 2, ps: 1}, tensorboard: false}
run: sleep 1000
"""
CPUS = "resources: {cpus: 0.2, mem: 64}"
SITUATIONS |= {
    "quota-cpus": Situation(
        "QUOTA",
        "it needs 0.21 cpus (0.2 for the job, the rest for Argo's containers beside it),"
        " and the quota is used up: cpus (0.22 of 0.3 in use)",
        text=f"{CPUS}\n{_SLEEP}",
        within=together(quota(requests_cpu="0.3"), running_before(f"{CPUS}\n{_SLEEP}")),
        status="PENDING QUOTA",
    ),
    "quota-memory": Situation(
        "QUOTA",
        "the quota allows no more than 128 MB at all",
        text=f"resources: {{cpus: 0.02, mem: 200}}\n{_SLEEP}",
        within=quota(requests_memory="128M"),
        status="PENDING QUOTA",
    ),
    "pods-of-workflow": Situation(
        "CONCURRENCY",
        "Argo has not started it yet, although its set may run 2 experiments at a time",
        text=f"parameters: {{n: [1, 2]}}\nconcurrency: 2\n{_SLEEP}",
        within=changed_workflows(added("/spec/parallelism", 1)),
        then=first_runs,
        id="{number}.2",
        status="CREATED CONCURRENCY",
    ),
    "gang-waits": Situation(
        "QUOTA",
        "it needs 1 pod, and the quota is used up: pods (3 of 3 in use)",
        text=_DISTRIBUTED,
        within=quota(pods="3"),
        then=two_members_run,
        status="PENDING QUOTA",
    ),
    "gang-member-waits": Situation(
        "GANG",
        "it has started, and waits for the other jobs of its experiment",
        text=_DISTRIBUTED,
        within=quota(pods="3"),
        then=two_members_run,
        id="{number}.master",
        status="STARTING GANG",
    ),
    "cordoned": Situation(
        "UNSCHEDULABLE",
        "closed by an administrator",
        within=cordoned,
        status="PENDING UNSCHEDULABLE",
    ),
    "limit-range": Situation(
        "LIMITS",
        "a LimitRange of the namespace does not allow it: maximum memory usage per Pod is 100Mi;"
        " the job requests 0.1 cpus and 200 MB",
        text=f"resources: {{cpus: 0.1, mem: 200}}\n{_SLEEP}",
        within=limit_range(type="Pod", max={"memory": "100Mi"}),
        status="FAILED PLATFORM",
    ),
    "limit-range-default": Situation(
        "LIMITS",
        "more than the limit that a LimitRange of the namespace gives to containers: cpu 50m",
        text=f"resources: {{cpus: 0.5, mem: 64}}\n{_SLEEP}",
        within=limit_range(type="Container", default={"cpu": "50m"}),
        status="FAILED PLATFORM",
    ),
    "quota-without-limits": Situation(
        "LIMITS",
        "the quota riseml requires every container to have limits.cpu",
        within=quota(limits_cpu="4"),
        status="FAILED PLATFORM",
    ),
    "webhook-refuses": Situation(
        "POLICY", "the cluster's rules", within=refused, status="FAILED PLATFORM"
    ),
    "webhook-breaks": Situation(
        "WEBHOOK",
        "a webhook of the cluster that checks pods failed",
        within=broken,
        status="FAILED PLATFORM",
    ),
    "claim-pending": Situation(
        "CLAIM",
        "claim imagenet has no volume yet",
        within=together(
            existing(
                "persistentvolumeclaims",
                "imagenet",
                accessModes=["ReadWriteOnce"],
                resources={"requests": {"storage": "1Gi"}},
                storageClassName="not-there",
            ),
            changed(added("/spec/volumes/-", CLAIMED)),
        ),
        status="PENDING UNSCHEDULABLE",
    ),
    "pull-limit": Situation(
        "IMAGE",
        "limits how many images may be pulled",
        within=pull_limit,
        image=f"localhost:{REGISTRY_PORT}/library/pytorch:2.5",
        status="STARTING IMAGE",
    ),
    "semaphore": Situation(
        "LOCK",
        "it is waiting for a semaphore of Argo",
        within=semaphore,
        status="PENDING LOCK",
    ),
    "preempted": Situation(
        "PREEMPTED",
        "it was preempted by something more important",
        text=r"""run: [echo begun, 'trap "exit 3" TERM; sleep 1000 & wait']""",
        within=one_slot,
        then=preempt,
    ),
    "being-preempted": Situation(
        "PREEMPTED",
        "it is being preempted",
        text=r"""run: [echo begun, 'trap "sleep 20" TERM; sleep 1000 & wait']""",
        within=one_slot,
        then=preempt_slowly,
        status="RUNNING PREEMPTED",
    ),
    "other-instance": Situation(
        "CONTROLLER",
        "no Argo controller is processing this workflow, which has the instance id nobodys",
        within=changed_workflows(added(INSTANCE_LABEL, "nobodys")),
    ),
}

ON_NODE = {
    "storage-of-pod": Situation(
        "EVICTED",
        "because it wrote more than 5Mi to the node's disk",
        text=_FILL.format(file="/var/tmp/big", size=40),
        within=on_node(storage_limit("containers/1", "5Mi")),
        status="FAILED EVICTED",
    ),
    "storage-of-container": Situation(
        "EVICTED",
        "because it wrote more than 5Mi to the node's disk",
        text=_FILL.format(file="/var/tmp/big", size=40),
        within=on_node(
            storage_limit("containers/1", "5Mi"), storage_limit("containers/0", "1Gi")
        ),
        status="FAILED EVICTED",
    ),
    "storage-of-volume": Situation(
        "EVICTED",
        "because it wrote more than 5Mi to the node's disk",
        text=_FILL.format(file="/scratch/big", size=40),
        within=on_node(*SCRATCH),
        status="FAILED EVICTED",
    ),
    "node-full": Situation(
        "REJECTED",
        "its node refused to run it: it was full already (cpu)",
        within=bound(added("/spec/containers/1/resources/requests/cpu", "100")),
        status="FAILED REJECTED",
    ),
    "node-differs": Situation(
        "REJECTED",
        "its labels do not fit",
        within=bound(added("/spec/nodeSelector", {"disk": "ssd"})),
        status="FAILED REJECTED",
    ),
}
WITH_PRESSURE = {
    "node-pressure": Situation(
        "REJECTED",
        "it had become short of something (DiskPressure)",
        within=pressure,
        status="FAILED REJECTED",
    ),
    "node-pressure-later": Situation(
        "REJECTED",
        "it had become short of something (DiskPressure)",
        within=on_node(),
        then=restart_under_pressure,
        status="FAILED REJECTED",
    ),
}
WITH_PLUGIN = {
    "devices-away": Situation(
        "REJECTED",
        "its devices riseml.test/gpu were not ready",
        within=plugin_away,
        status="FAILED REJECTED",
    ),
}


def _available() -> dict[str, Situation]:
    situations = dict(SITUATIONS)
    if NODE:
        situations |= ON_NODE
    if NODE and _PRESSURE:
        situations |= WITH_PRESSURE
    if NODE and _PLUGIN:
        situations |= WITH_PLUGIN
    return situations


AVAILABLE = _available()


@pytest.mark.parametrize("name", AVAILABLE)
def test_why(name: str, tmp_path: Path) -> None:
    situation = AVAILABLE[name]
    folder = tmp_path / "project"
    folder.mkdir()
    engine = cluster.engine(tmp_path / "home", NAMESPACE)
    bench = Bench(engine, folder, situation.image, 120.0, project="why")
    with situation.within(bench):
        number = bench.train(situation.text).number
        try:
            situation.then(bench, number)
            causes = until_explained(bench, situation, number)
            assert_status(bench, situation, number)
            if os.environ.get("RECORD"):
                record(bench, name, situation, number, causes)
        finally:
            clear()
