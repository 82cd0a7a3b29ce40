"""Failures of a cluster and how RiseML reports them, on the cluster of KUBECONFIG.

Tests that stop parts of the cluster need a program that does it, in RISEML_TEST_PART: it is called with `stop` or
`start`, and `controller` (Argo's), `apiserver`, `kubelet` or `containers` (kill all processes in the node's containers,
but leave what starts them; there is no `start` of that). Without it these tests are skipped.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from riseml import labels
from riseml.cluster.api import Object, path
from riseml.engines import Chunk, LogQuery
from riseml.engines.argo.engine import ArgoEngine
from riseml.errors import NotFoundError, RiseMLError
from riseml.ids import Id
from riseml.status import JobStatus, SetStatus, State
from tests.cluster.user_namespace import IMAGE, wait_until
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(500),
    pytest.mark.xdist_group("durability"),
]

NAMESPACE = "riseml-durable"
# State and reason must be visible after this time.
STATE_SECONDS = 30.0
PART = os.environ.get("RISEML_TEST_PART", "")
disturbs = pytest.mark.skipif(
    not PART, reason="RISEML_TEST_PART names nothing that stops parts of the cluster"
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "project"
    folder.mkdir()
    return Bench(
        cluster.engine(tmp_path / "home", NAMESPACE),
        folder,
        IMAGE,
        240.0,
        project="durable",
    )


def argo(bench: Bench) -> ArgoEngine:
    assert isinstance(bench.engine, ArgoEngine)
    return bench.engine


def job(bench: Bench, number: int) -> JobStatus:
    run = bench.engine.read(Id(number=number))
    return next(status for status in run.experiments[0].jobs if status.type == "train")


def wait_for_state(
    bench: Bench, number: int, state: State, reason: str, seconds: float = STATE_SECONDS
) -> JobStatus:
    """Return the job as soon as it has this state and reason, which must be in time."""
    status = job(bench, number)
    end = time.monotonic() + seconds
    while (status.state, status.reason) != (state, reason):
        assert time.monotonic() < end, (
            f"{status.state} {status.reason}: {status.message}"
        )
        time.sleep(0.5)
        status = job(bench, number)
    return status


@contextmanager
def existing_object(kind: str, body: Object) -> Iterator[None]:
    """Let the namespace have an object for a while."""
    api, at = cluster.administrator(), path(kind, NAMESPACE)
    name = body["metadata"]["name"]
    api.ensure(at, body)
    try:
        yield
    finally:
        api.delete(path(kind, NAMESPACE, name))


def limits(**amounts: str) -> Object:
    """Return the limits of containers that request nothing."""
    spec = {
        "limits": [
            {
                "type": "Container",
                "default": amounts,
                "defaultRequest": dict.fromkeys(amounts, "0"),
            }
        ]
    }
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "small"},
        "spec": spec,
    }


# Failures of one pod


def test_a_job_runs_out_of_memory(bench: Bench) -> None:
    bench.write(
        {"fill.py": "kept = [bytes(range(256)) * 40_000 for _ in range(100)]\n"}
    )
    with existing_object("limitranges", limits(memory="100Mi")):
        number = bench.train("run: [echo begun, python3 fill.py]").number
        status = wait_for_state(bench, number, State.FAILED, "OOM", 60)
    assert status.exit_code == 137
    assert bench.log(number).startswith("begun\n")


def running(bench: Bench) -> tuple[int, str]:
    """Start a long run; return its number, and the path of its pod once Argo knows that it runs.

    If a pod is gone before that, Argo starts another one.
    """
    number = bench.train("run: [echo begun, sleep 1000]").number
    bench.until_logged(number, "begun")
    bench.until(lambda: job(bench, number).state is State.RUNNING, "it runs")
    (pod,) = cluster.administrator().items(
        path("pods", NAMESPACE), labelSelector=f"{labels.WORKFLOW}=durable-{number}"
    )
    return number, path("pods", NAMESPACE, pod["metadata"]["name"])


def test_a_pod_is_evicted_for_lack_of_memory(bench: Bench) -> None:
    """The test sets the status that a kubelet sets in that case, because it cannot use up a node's memory."""
    number, pod = running(bench)
    state = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on resource: memory.",
    }

    def seen() -> bool:
        cluster.administrator().patch(f"{pod}/status", {"status": state})
        return job(bench, number).state.is_terminal

    wait_until(seen, STATE_SECONDS, "the eviction")
    status = wait_for_state(bench, number, State.FAILED, "EVICTED")
    assert "low on resource: memory" in status.message
    assert bench.log(number) == "begun\n"


def test_a_pod_is_evicted_by_an_administrator(bench: Bench) -> None:
    number, pod = running(bench)
    name = {"name": pod.rpartition("/")[2], "namespace": NAMESPACE}
    cluster.administrator().create(
        f"{pod}/eviction",
        {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": name},
    )
    wait_for_state(bench, number, State.FAILED, "DELETED")
    assert bench.log(number).startswith("begun\n")


def test_an_image_does_not_exist(bench: Bench) -> None:
    bench.image = "localhost/no-such-image:1"
    number = bench.train("run: echo never").number
    assert (
        "no-such-image"
        in wait_for_state(bench, number, State.STARTING, "IMAGE").message
    )
    bench.engine.stop(Id(number=number))
    bench.wait(number)
    assert bench.engine.read(Id(number=number)).state is State.KILLED


# Failures of a namespace


def test_the_quota_is_exceeded_for_a_while(bench: Bench) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}},
    }
    with existing_object("resourcequotas", quota):
        at = path("resourcequotas", NAMESPACE, "none")
        wait_until(
            lambda: "hard" in cluster.administrator().get(at).get("status", {}),
            30,
            "the quota",
        )
        number = bench.train("run: echo done").number
        assert (
            "exceeded quota: none"
            in wait_for_state(bench, number, State.PENDING, "QUOTA").message
        )
    bench.wait(number)
    assert bench.log(number) == "done\n"


def test_a_volume_that_cannot_be_mounted_for_a_while(bench: Bench) -> None:
    """The volume's folder on the node is a file for a while."""
    # The store has to mount its volumes before.
    argo(bench).store.script("true")
    on_node(f"cd /node/{NAMESPACE} && mv riseml-data kept && : > riseml-data")
    try:
        number = bench.train("run: echo done").number
        status = wait_for_state(bench, number, State.STARTING, "CONFIG")
        assert "FailedMount" in status.message
    finally:
        on_node(f"cd /node/{NAMESPACE} && rm riseml-data && mv kept riseml-data")
    bench.wait(number)
    assert bench.log(number) == "done\n"


def on_node(script: str) -> None:
    """Run a script in the node's folder of all volumes, in a pod outside users' namespaces."""
    api, pods = cluster.administrator(), path("pods", "default")
    mounts = [{"name": "node", "mountPath": "/node"}]
    container = {
        "name": "main",
        "image": IMAGE,
        "command": ["sh", "-ec", script],
        "volumeMounts": mounts,
    }
    volume = {"name": "node", "hostPath": {"path": "/var/lib/riseml-recordings"}}
    spec = {"containers": [container], "volumes": [volume], "restartPolicy": "Never"}
    pod = api.create(
        pods,
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"generateName": "on-node-"},
            "spec": spec,
        },
    )
    at = path("pods", "default", pod["metadata"]["name"])
    try:
        wait_until(
            lambda: api.get(at)["status"]["phase"] in {"Succeeded", "Failed"},
            60,
            "the end of the pod",
        )
        assert api.get(at)["status"]["phase"] == "Succeeded"
    finally:
        api.delete(at)


def test_the_executor_lacks_rights(bench: Bench) -> None:
    api, at = cluster.administrator(), path("rolebindings", NAMESPACE, "riseml-job")
    binding = api.get(at)
    api.delete(at)
    try:
        number = bench.train("run: [echo begun, sleep 1]").number
        status = wait_for_state(bench, number, State.FAILED, "PLATFORM", 60)
    finally:
        fields = {
            key: binding[key] for key in ("apiVersion", "kind", "roleRef", "subjects")
        }
        api.ensure(
            path("rolebindings", NAMESPACE),
            {**fields, "metadata": {"name": "riseml-job"}},
        )
    assert "workflowtaskresults" in status.message
    assert bench.log(number) == "begun\n"
    assert bench.run("run: echo done").state is State.FINISHED


def test_no_controller_picks_up_a_run(bench: Bench) -> None:
    """No controller watches Workflows of this instance id."""
    api, at = cluster.administrator(), path("configmaps", NAMESPACE, "riseml")
    usual = api.get(at)["data"]["target"]
    api.patch(
        at,
        {"data": {"target": json.dumps({**json.loads(usual), "instance": "nobodys"})}},
    )
    try:
        bench = Bench(
            cluster.engine(bench.folder, NAMESPACE),
            bench.folder,
            IMAGE,
            240.0,
            project="durable",
        )
        number = bench.train("run: echo never").number
    finally:
        api.patch(at, {"data": {"target": usual}})

    def read() -> SetStatus:
        return bench.engine.read(Id(number=number))

    wait_until(lambda: read().reason == "CONTROLLER", STATE_SECONDS, "the reason")
    assert "no Argo controller has picked up the run" in read().message
    for followed in bench.engine.changes(Id(number=number)):
        # A follower gets the explanation, too.
        if "no Argo controller" in followed.message:
            break
    clear(bench, number)


def clear(bench: Bench, number: int) -> None:
    """Delete the Workflows of a run in any state."""
    for document in argo(bench).workflows.documents(Id(number=number)):
        at = path("workflows", NAMESPACE, document["metadata"]["name"])
        argo(bench).api.delete(at, propagationPolicy="Background")


# Failures of the cluster


def change_part(action: str, name: str) -> None:
    subprocess.run(
        [PART, action, name], check=True, timeout=300, stdout=subprocess.DEVNULL
    )


@contextmanager
def without(name: str) -> Iterator[None]:
    """Stop a part of the cluster for a while."""
    change_part("stop", name)
    try:
        yield
    finally:
        change_part("start", name)


def counting(bench: Bench, seconds: int) -> int:
    """Start a run that writes a line each second, and wait until it runs."""
    number = bench.train(
        f"run: for i in $(seq {seconds}); do echo $i; sleep 1; done"
    ).number
    bench.until_logged(number, "1\n")
    return number


def counted(seconds: int) -> str:
    return "".join(f"{i}\n" for i in range(1, seconds + 1))


def is_unreachable(bench: Bench) -> bool:
    try:
        bench.engine.read(Id(number=1))
    except NotFoundError:
        return False
    except RiseMLError:
        return True
    return False


@disturbs
def test_a_run_survives_a_stop_of_the_controller(bench: Bench) -> None:
    number = counting(bench, 30)
    bench.until(lambda: job(bench, number).state is State.RUNNING, "Argo to see it run")
    with without("controller"):
        bench.until(lambda: bench.log(number) == counted(30), "the end of its work")
        # The time counts from the end of the pod.
        status = wait_for_state(
            bench, number, State.RUNNING, "CONTROLLER", STATE_SECONDS + 20
        )
        assert "Argo's controller has not noticed" in status.message
        other = bench.train("run: echo later").number
    assert bench.wait(number).state is State.FINISHED
    assert bench.wait(other).state is State.FINISHED
    assert bench.log(number) == counted(30)


@disturbs
def test_a_run_survives_a_stop_of_the_api_server(bench: Bench, tmp_path: Path) -> None:
    number = counting(bench, 40)
    followed = list[bytes]()

    def follow() -> None:
        events = bench.engine.logs(LogQuery(Id(number=number)))
        followed.extend(event.data for event in events if isinstance(event, Chunk))

    follower = threading.Thread(target=follow)
    follower.start()
    bench.until(lambda: followed, "the follower to begin")
    with without("apiserver"):
        result = riseml(tmp_path, "status", str(number))
        assert result.returncode == 3
        assert "riseml: error: the cluster at https://" in result.stderr
        assert "Try again later." in result.stderr
        assert "Traceback" not in result.stderr
        time.sleep(8)
    bench.until(lambda: not is_unreachable(bench), "the API server")
    follower.join(240)
    assert b"".join(followed).decode() == counted(40)
    assert bench.wait(number).state is State.FINISHED
    assert bench.log(number) == counted(40)


def riseml(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as an administrator in the namespace."""
    settings = folder / "settings.yml"
    user = {"kubeconfig": os.environ["KUBECONFIG"], "namespace": NAMESPACE}
    content = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {}}],
        "users": [{"name": "it", "user": user}],
    }
    settings.write_text(json.dumps(content), "utf-8")
    command = [str(Path(sys.executable).with_name("riseml")), *arguments]
    env = {
        **os.environ,
        "RISEML_CONFIG": str(settings),
        "RISEML_HOME": str(folder / "home"),
    }
    return subprocess.run(
        command, capture_output=True, text=True, env=env, timeout=60, check=False
    )


@disturbs
def test_a_run_survives_the_loss_of_its_node(bench: Bench) -> None:
    number = counting(bench, 100)
    with without("kubelet"):
        status = wait_for_state(bench, number, State.RUNNING, "NODE_LOST", 60)
        assert "does not answer" in status.message
    assert bench.wait(number).state is State.FINISHED
    assert bench.log(number) == counted(100)


@disturbs
def test_all_containers_of_the_node_are_killed(bench: Bench) -> None:
    number = counting(bench, 300)
    change_part("stop", "containers")
    status = wait_for_state(bench, number, State.FAILED, "ERROR", 60)
    assert status.exit_code == 137
    log = bench.log(number)
    assert log
    assert counted(300).startswith(log)
    bench.until(lambda: not store_is_away(bench), "the store")
    assert bench.run("run: echo done").state is State.FINISHED


def store_is_away(bench: Bench) -> bool:
    try:
        argo(bench).store.script("true")
    except RiseMLError:
        return True
    return False
