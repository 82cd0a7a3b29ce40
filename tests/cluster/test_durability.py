"""What a cluster does to runs that are none of its business, and what RiseML says of it: on the cluster of KUBECONFIG.

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
SHOWN = 30.0  # seconds after which state and reason must be shown
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
    whole = bench.engine.read(Id(number=number))
    return next(each for each in whole.experiments[0].jobs if each.type == "train")


def shown(
    bench: Bench, number: int, state: State, reason: str, seconds: float = SHOWN
) -> JobStatus:
    """Return the job once its state and reason are these, which must be in time."""
    said = job(bench, number)
    end = time.monotonic() + seconds
    while (said.state, said.reason) != (state, reason):
        assert time.monotonic() < end, f"{said.state} {said.reason}: {said.message}"
        time.sleep(0.5)
        said = job(bench, number)
    return said


@contextmanager
def there(kind: str, body: Object) -> Iterator[None]:
    """Have an object in the namespace for a while."""
    api, at = cluster.administrator(), path(kind, NAMESPACE)
    name = body["metadata"]["name"]
    api.ensure(at, body)
    try:
        yield
    finally:
        api.delete(path(kind, NAMESPACE, name))


def limits(**amounts: str) -> Object:
    """Return what containers may have that ask for nothing."""
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


# What happens to one pod


def test_out_of_memory(bench: Bench) -> None:
    bench.write(
        {"fill.py": "kept = [bytes(range(256)) * 40_000 for _ in range(100)]\n"}
    )
    with there("limitranges", limits(memory="100Mi")):
        number = bench.train("run: [echo begun, python3 fill.py]").number
        said = shown(bench, number, State.FAILED, "OOM", 60)
    assert said.exit_code == 137
    assert bench.log(number).startswith("begun\n")


def running(bench: Bench) -> tuple[int, str]:
    """Start a run that would go on for long; return its number, and its pod once Argo knows that it runs.

    A pod that is gone before that, Argo starts anew.
    """
    number = bench.train("run: [echo begun, sleep 1000]").number
    bench.until_logged(number, "begun")
    bench.until(lambda: job(bench, number).state is State.RUNNING, "it runs")
    (pod,) = cluster.administrator().items(
        path("pods", NAMESPACE), labelSelector=f"{labels.WORKFLOW}=durable-{number}"
    )
    return number, path("pods", NAMESPACE, pod["metadata"]["name"])


def test_evicted_for_want_of_memory_on_the_node(bench: Bench) -> None:
    """The pod has the status that a kubelet gives it then until Argo has seen it: no test can bring a node that far."""
    number, pod = running(bench)
    state = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on resource: memory.",
    }

    def seen() -> bool:
        cluster.administrator().patch(f"{pod}/status", {"status": state})
        return job(bench, number).state.is_terminal

    wait_until(seen, SHOWN, "the eviction")
    said = shown(bench, number, State.FAILED, "EVICTED")
    assert "low on resource: memory" in said.message
    assert bench.log(number) == "begun\n"


def test_evicted_by_an_administrator(bench: Bench) -> None:
    number, pod = running(bench)
    name = {"name": pod.rpartition("/")[2], "namespace": NAMESPACE}
    cluster.administrator().create(
        f"{pod}/eviction",
        {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": name},
    )
    shown(bench, number, State.FAILED, "DELETED")
    assert bench.log(number).startswith("begun\n")


def test_an_image_that_does_not_exist(bench: Bench) -> None:
    bench.image = "localhost/no-such-image:1"
    number = bench.train("run: echo never").number
    assert "no-such-image" in shown(bench, number, State.STARTING, "IMAGE").message
    bench.engine.stop(Id(number=number))
    bench.wait(number)
    assert bench.engine.read(Id(number=number)).state is State.KILLED


# What the namespace does not give


def test_the_quota_is_exceeded_for_a_while(bench: Bench) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}},
    }
    with there("resourcequotas", quota):
        at = path("resourcequotas", NAMESPACE, "none")
        wait_until(
            lambda: "hard" in cluster.administrator().get(at).get("status", {}),
            30,
            "the quota",
        )
        number = bench.train("run: echo done").number
        assert (
            "exceeded quota: none"
            in shown(bench, number, State.PENDING, "QUOTA").message
        )
    bench.wait(number)
    assert bench.log(number) == "done\n"


def test_a_volume_that_cannot_be_mounted_for_a_while(bench: Bench) -> None:
    """Its folder on the node is something else for a while."""
    argo(bench).store.script("true")  # it has mounted all before
    on_node(f"cd /node/{NAMESPACE} && mv riseml-data kept && : > riseml-data")
    try:
        number = bench.train("run: echo done").number
        said = shown(bench, number, State.STARTING, "CONFIG")
        assert "FailedMount" in said.message
    finally:
        on_node(f"cd /node/{NAMESPACE} && rm riseml-data && mv kept riseml-data")
    bench.wait(number)
    assert bench.log(number) == "done\n"


def on_node(script: str) -> None:
    """Run a script over the folder of all volumes on the node, in a pod of its own, where no rules for users hold."""
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
    made = api.create(
        pods,
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"generateName": "on-node-"},
            "spec": spec,
        },
    )
    at = path("pods", "default", made["metadata"]["name"])
    try:
        wait_until(
            lambda: api.get(at)["status"]["phase"] in {"Succeeded", "Failed"},
            60,
            "the end of the pod",
        )
        assert api.get(at)["status"]["phase"] == "Succeeded"
    finally:
        api.delete(at)


def test_missing_rights_of_the_executor(bench: Bench) -> None:
    api, at = cluster.administrator(), path("rolebindings", NAMESPACE, "riseml-job")
    binding = api.get(at)
    api.delete(at)
    try:
        number = bench.train("run: [echo begun, sleep 1]").number
        said = shown(bench, number, State.FAILED, "PLATFORM", 60)
    finally:
        kept = {
            key: binding[key] for key in ("apiVersion", "kind", "roleRef", "subjects")
        }
        api.ensure(
            path("rolebindings", NAMESPACE),
            {**kept, "metadata": {"name": "riseml-job"}},
        )
    assert "workflowtaskresults" in said.message
    assert bench.log(number) == "begun\n"
    assert bench.run("run: echo done").state is State.FINISHED


def test_no_controller(bench: Bench) -> None:
    """None watches Workflows of this instance id."""
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

    def said() -> SetStatus:
        return bench.engine.read(Id(number=number))

    wait_until(lambda: said().reason == "CONTROLLER", SHOWN, "the reason")
    assert "no Argo controller has picked up the run" in said().message
    for followed in bench.engine.changes(Id(number=number)):
        if (
            "no Argo controller" in followed.message
        ):  # who follows it hears of that, too
            break
    clear(bench, number)


def clear(bench: Bench, number: int) -> None:
    """Delete the Workflows of a run, whatever its state."""
    for each in argo(bench).workflows.documents(Id(number=number)):
        at = path("workflows", NAMESPACE, each["metadata"]["name"])
        argo(bench).api.delete(at, propagationPolicy="Background")


# What happens to parts of the cluster


def part(what: str, name: str) -> None:
    subprocess.run(
        [PART, what, name], check=True, timeout=300, stdout=subprocess.DEVNULL
    )


@contextmanager
def without(name: str) -> Iterator[None]:
    """Be without a part of the cluster for a while."""
    part("stop", name)
    try:
        yield
    finally:
        part("start", name)


def counting(bench: Bench, seconds: int) -> int:
    """Start a run that writes a line each second, and wait until it runs."""
    number = bench.train(
        f"run: for i in $(seq {seconds}); do echo $i; sleep 1; done"
    ).number
    bench.until_logged(number, "1\n")
    return number


def counted(seconds: int) -> str:
    return "".join(f"{i}\n" for i in range(1, seconds + 1))


def away(bench: Bench) -> bool:
    try:
        bench.engine.read(Id(number=1))
    except NotFoundError:
        return False
    except RiseMLError:
        return True
    return False


@disturbs
def test_the_controller_is_away_and_comes_back(bench: Bench) -> None:
    number = counting(bench, 30)
    bench.until(lambda: job(bench, number).state is State.RUNNING, "Argo to see it run")
    with without("controller"):
        bench.until(lambda: bench.log(number) == counted(30), "the end of its work")
        said = shown(
            bench, number, State.RUNNING, "CONTROLLER", SHOWN + 20
        )  # it counts from its pod's end
        assert "Argo's controller has not noticed" in said.message
        other = bench.train("run: echo later").number
    assert bench.wait(number).state is State.FINISHED
    assert bench.wait(other).state is State.FINISHED
    assert bench.log(number) == counted(30)


@disturbs
def test_the_api_server_is_away_and_comes_back(bench: Bench, tmp_path: Path) -> None:
    number = counting(bench, 40)
    followed = list[bytes]()

    def follow() -> None:
        told = bench.engine.logs(LogQuery(Id(number=number)))
        followed.extend(each.data for each in told if isinstance(each, Chunk))

    follower = threading.Thread(target=follow)
    follower.start()
    bench.until(lambda: followed, "the follower to begin")
    with without("apiserver"):
        said = riseml(tmp_path, "status", str(number))
        assert said.returncode == 3
        assert "riseml: error: the cluster at https://" in said.stderr
        assert "Try again later." in said.stderr
        assert "Traceback" not in said.stderr
        time.sleep(8)
    bench.until(lambda: not away(bench), "the API server")
    follower.join(240)
    assert b"".join(followed).decode() == counted(40)
    assert bench.wait(number).state is State.FINISHED
    assert bench.log(number) == counted(40)


def riseml(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as the administrator who looks at the namespace."""
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
def test_the_node_is_lost_and_comes_back(bench: Bench) -> None:
    number = counting(bench, 100)
    with without("kubelet"):
        said = shown(bench, number, State.RUNNING, "NODE_LOST", 60)
        assert "does not answer" in said.message
    assert bench.wait(number).state is State.FINISHED
    assert bench.log(number) == counted(100)


@disturbs
def test_the_nodes_containers_are_killed(bench: Bench) -> None:
    number = counting(bench, 300)
    part("stop", "containers")
    said = shown(bench, number, State.FAILED, "ERROR", 60)
    assert said.exit_code == 137
    kept = bench.log(number)
    assert kept
    assert counted(300).startswith(kept)
    bench.until(lambda: not store_is_away(bench), "the store")
    assert bench.run("run: echo done").state is State.FINISHED


def store_is_away(bench: Bench) -> bool:
    try:
        argo(bench).store.script("true")
    except RiseMLError:
        return True
    return False
