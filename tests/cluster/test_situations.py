"""Explanations of `riseml why` in all situations that tests can cause, on the cluster of KUBECONFIG.

With RECORD=1 the cluster's answers are written to tests/fixtures/why, which
`tests/unit/diagnosis/test_diagnosis.py` reads.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from riseml import labels
from riseml.client.client import Client
from riseml.client.explain import last_lines
from riseml.cluster.api import path
from riseml.diagnosis import Cause
from riseml.ids import Id
from tests.cluster.installed import REGISTRY
from tests.cluster.test_durability import (
    NAMESPACE,
    argo,
    clear,
    existing_object,
    limits,
    on_node,
)
from tests.cluster.user_namespace import IMAGE
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("durability"),
]

RECORDS = Path(__file__).parent.parent / "fixtures" / "why"
_SLEEP = "run: [echo begun, sleep 1000]"
Surroundings = Callable[[Bench], AbstractContextManager[None]]


@dataclass(frozen=True)
class Situation:
    """Run, its surroundings, a later action, and the expected cause: its kind and words of its text.

    `status` has state and reason that `riseml status` must show, where a recording checks them.
    """

    kind: str
    words: str
    text: str = _SLEEP
    within: Surroundings = lambda _: nullcontext()
    then: Callable[[Bench, int], object] = lambda *_: None
    id: str = "{number}"
    image: str = IMAGE
    status: str = ""


def quota(**hard: str) -> Surroundings:
    spec = {
        "hard": {
            name.replace("__", "/").replace("_", "."): amount
            for name, amount in hard.items()
        }
    }
    body = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "riseml"},
        "spec": spec,
    }

    @contextmanager
    def hold(bench: Bench) -> Iterator[None]:
        at = path("resourcequotas", NAMESPACE, "riseml")
        with existing_object("resourcequotas", body):
            bench.until(
                lambda: "hard" in cluster.administrator().get(at).get("status", {}),
                "the quota",
            )
            yield

    return hold


@contextmanager
def used_up(bench: Bench) -> Iterator[None]:
    """Let another run use up the quota."""
    alive = [
        pod["status"].get("phase")
        for pod in cluster.administrator().items(path("pods", NAMESPACE))
    ]
    with quota(pods=str(sum(phase in {"Running", "Pending"} for phase in alive) + 1))(
        bench
    ):
        other = bench.train(_SLEEP).number
        bench.until_logged(other, "begun")
        yield
        clear(bench, other)


def target(**fields: object) -> Surroundings:
    """Change settings of the namespace while a run is submitted."""

    @contextmanager
    def hold(bench: Bench) -> Iterator[None]:
        api, at = cluster.administrator(), path("configmaps", NAMESPACE, "riseml")
        usual = api.get(at)["data"]["target"]
        api.patch(at, {"data": {"target": json.dumps({**json.loads(usual), **fields})}})
        bench.engine = cluster.engine(bench.folder, NAMESPACE)
        try:
            yield
        finally:
            api.patch(at, {"data": {"target": usual}})

    return hold


def limited(**amounts: str) -> Surroundings:
    return lambda bench: existing_object("limitranges", limits(**amounts))


@contextmanager
def no_rights(bench: Bench) -> Iterator[None]:
    api, at = cluster.administrator(), path("rolebindings", NAMESPACE, "riseml-job")
    binding = api.get(at)
    api.delete(at)
    try:
        yield
    finally:
        fields = {
            key: binding[key] for key in ("apiVersion", "kind", "roleRef", "subjects")
        }
        api.ensure(
            path("rolebindings", NAMESPACE),
            {**fields, "metadata": {"name": "riseml-job"}},
        )


@contextmanager
def unmountable(bench: Bench) -> Iterator[None]:
    argo(bench).store.script("true")
    on_node(f"cd /node/{NAMESPACE} && mv riseml-data kept && : > riseml-data")
    try:
        yield
    finally:
        on_node(f"cd /node/{NAMESPACE} && rm riseml-data && mv kept riseml-data")


@contextmanager
def secret_that_goes(bench: Bench) -> Iterator[None]:
    """Set a secret until a run is submitted; a quota delays its pod until the secret is removed."""
    bench.engine.set_secret("TOKEN", "hush-hush")
    with quota(pods="0")(bench):
        yield
    bench.engine.set_secret("TOKEN", None)


def deletes_secret(bench: Bench, number: int) -> None:
    bench.engine.set_secret("TOKEN", None)
    cluster.administrator().delete(path("resourcequotas", NAMESPACE, "riseml"))


def logged(text: str) -> Callable[[Bench, int], None]:
    return lambda bench, number: bench.until_logged(number, text)


def runs(bench: Bench, number: int) -> str:
    """Wait until Argo knows that the only job runs; return the path of its pod."""
    bench.until(
        lambda: bench.engine.read(Id(number=number)).state == "RUNNING", "it runs"
    )
    (pod,) = cluster.administrator().items(
        path("pods", NAMESPACE), labelSelector=f"{labels.WORKFLOW}=why-{number}"
    )
    return path("pods", NAMESPACE, pod["metadata"]["name"])


def evict(bench: Bench, number: int) -> None:
    pod = runs(bench, number)
    state = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on resource: memory.",
    }

    def seen() -> bool:
        cluster.administrator().patch(f"{pod}/status", {"status": state})
        return bench.engine.read(Id(number=number)).state.is_terminal

    bench.until(seen, "the eviction")


def delete_pod(bench: Bench, number: int) -> None:
    cluster.administrator().delete(runs(bench, number))


def kill(bench: Bench, number: int) -> None:
    runs(bench, number)
    bench.engine.stop(Id(number=number))


DISTRIBUTED = """
framework: tensorflow
tensorflow: {distributed: {worker: 2, ps: 1}, tensorboard: false}
run: 'test $RISEML_JOB = worker && { echo "no such column"; exit 4; } || sleep 1000'
"""
FILL = 'python3 -c "kept = [bytes(range(256)) * 40000 for _ in range(100)]"'
SITUATIONS = {
    "quota": Situation(
        "QUOTA", "it needs 1 pod, and the quota is used up", within=used_up
    ),
    "quota-of-none": Situation(
        "QUOTA", "allows no more than 0 at all", within=quota(pods="0")
    ),
    "quota-too-small": Situation(
        "QUOTA",
        "the quota allows no more than 1 at all",
        text=f"resources: {{cpus: 2, mem: 64}}\n{_SLEEP}",
        within=quota(requests_cpu="1", requests_memory="1Gi"),
    ),
    "no-cpus": Situation(
        "UNSCHEDULABLE",
        "1 node without enough free cpus",
        text=f"resources: {{cpus: 1000, mem: 64}}\n{_SLEEP}",
    ),
    "no-memory": Situation(
        "UNSCHEDULABLE",
        "1 node without enough free mem",
        text=f"resources: {{cpus: 0.1, mem: 9Ti}}\n{_SLEEP}",
    ),
    "no-gpus": Situation(
        "UNSCHEDULABLE",
        "without enough free gpus",
        text=f"resources: {{cpus: 0.1, mem: 64, gpus: 1}}\n{_SLEEP}",
    ),
    "no-such-node": Situation(
        "UNSCHEDULABLE",
        "not among those that the cluster's settings choose",
        within=target(node_selector={"disk": "ssd"}),
    ),
    "no-image": Situation("IMAGE", "registry", image="localhost/no-such-image:1"),
    "no-such-tag": Situation(
        "IMAGE", "there is no image", image=f"{REGISTRY}/base:no-such-tag"
    ),
    "no-registry": Situation(
        "IMAGE",
        "cannot reach the registry",
        image=f"{REGISTRY.partition(':')[0]}:1/base:1",
    ),
    "no-secret": Situation(
        "SECRET",
        "the secret TOKEN is not set",
        text=f"secrets: [TOKEN]\n{_SLEEP}",
        within=secret_that_goes,
        then=deletes_secret,
    ),
    "no-mount": Situation("CLAIM", "a volume cannot be mounted", within=unmountable),
    "no-controller": Situation(
        "CONTROLLER", "no Argo controller", within=target(instance="nobodys")
    ),
    "no-rights": Situation(
        "RIGHTS",
        "executor lacks rights",
        text="run: [echo begun, sleep 1]",
        within=no_rights,
    ),
    "concurrency": Situation(
        "CONCURRENCY",
        "its set runs 1 experiment at a time, now {number}.1",
        text=f"parameters: {{n: [1, 2]}}\n{_SLEEP}",
        then=logged("begun"),
        id="{number}.2",
    ),
    "runs": Situation("RUNNING", "it runs", then=runs),
    "fails": Situation(
        "ERROR",
        "a line of `run` ended with exit code 3",
        text="run: [echo no such column, exit 3]",
    ),
    "no-command": Situation(
        "COMMAND", "a command of `run` is not there", text="run: nosuch --x"
    ),
    "out-of-memory": Situation(
        "OOM",
        "more than the 100Mi that its container may use",
        text=f"run: [echo begun, '{FILL}']",
        within=limited(memory="100Mi"),
    ),
    "timeout": Situation(
        "TIMEOUT", "it ran longer than its `timeout`", text=f"timeout: 5s\n{_SLEEP}"
    ),
    "evicted": Situation("EVICTED", "taken off its node", then=evict),
    "deleted": Situation("DELETED", "somebody deleted its pod", then=delete_pod),
    "killed": Situation("KILLED", "killed it", then=kill),
    "worker-fails": Situation("ERROR", "ended with exit code 4", text=DISTRIBUTED),
    "peer": Situation(
        "PEER",
        "because {number}.worker had failed",
        text=DISTRIBUTED,
        id="{number}.master",
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_why(name: str, tmp_path: Path) -> None:
    situation = SITUATIONS[name]
    folder = tmp_path / "project"
    folder.mkdir()
    bench = Bench(
        cluster.engine(tmp_path / "home", NAMESPACE),
        folder,
        situation.image,
        120.0,
        project="why",
    )
    with situation.within(bench):
        number = bench.train(situation.text).number
        try:
            situation.then(bench, number)
            causes = until_explained(bench, situation, number)
            if os.environ.get("RECORD"):
                record(bench, name, situation, number, causes)
        finally:
            clear(bench, number)


def until_explained(bench: Bench, situation: Situation, number: int) -> list[Cause]:
    client, id_ = Client(engine=bench.engine), situation.id.format(number=number)
    end = time.monotonic() + 90
    while True:
        causes = client.why(id_)
        if any(
            cause.kind == situation.kind
            and situation.words.format(number=number) in cause.explanation
            for cause in causes
        ):
            return causes
        assert time.monotonic() < end, causes
        time.sleep(1)


def record(
    bench: Bench, name: str, situation: Situation, number: int, causes: list[Cause]
) -> None:
    """Write the answers of the cluster, without what belongs to this machine."""
    engine = argo(bench)
    evidence = engine.evidence(Id(number=number))
    names = [pod["metadata"]["name"] for pod in evidence.pods]
    # Of pods that are gone, and of claims.
    names += [document["metadata"]["name"] for document in evidence.documents]
    names += [claim["metadata"]["name"] for claim in evidence.claims]
    events = [
        event
        for event in evidence.events
        if event.get("involvedObject", {}).get("name", "").startswith(tuple(names))
    ]
    logs = {}
    for cause in causes:
        if cause.state == "FAILED":
            for id_ in cause.ids:
                logs[id_] = last_lines(bench.engine, id_)
    documents = engine.workflows.documents(Id(number=number))
    recording: dict[str, Any] = {
        "id": situation.id.format(number=number),
        "now": datetime.now(UTC).isoformat(),
        "documents": [_trimmed(document) for document in documents],
        "pods": [_trimmed(pod) for pod in evidence.pods],
        "events": [_trimmed(event) for event in events],
        "claims": [_trimmed(claim) for claim in evidence.claims],
        "logs": logs,
        "expect": {
            "kind": situation.kind,
            "words": situation.words.format(number=number),
        },
    }
    if situation.status:
        recording["expect"]["status"] = situation.status
    text = json.dumps(recording, indent=1, sort_keys=True, ensure_ascii=False)
    nodes = {pod["spec"].get("nodeName") for pod in evidence.pods} - {None}
    for node in nodes:
        text = text.replace(f'"{node}"', '"node-1"')
    text = re.sub(
        rf"{re.escape(REGISTRY.partition(':')[0])}:(\d+)", r"registry.example:\1", text
    )
    text = re.sub(r"\b\d+\.\d+\.\d+\.\d+\b", "192.0.2.1", text)
    RECORDS.mkdir(exist_ok=True)
    (RECORDS / f"{name}.json").write_text(text + "\n", "utf-8")


def _trimmed(document: Mapping[str, Any]) -> Any:
    """Return an object without fields that no diagnosis reads."""
    body = json.loads(json.dumps(document))
    for field in (
        "managedFields",
        "uid",
        "resourceVersion",
        "generation",
        "ownerReferences",
    ):
        body.get("metadata", {}).pop(field, None)
    if "involvedObject" in body:
        involved = body["involvedObject"]
        body["involvedObject"] = {field: involved[field] for field in ("name", "kind")}
    spec = body.get("spec", {})
    for container in (*spec.get("containers", ()), *spec.get("initContainers", ())):
        for field in ("args", "command", "env", "envFrom", "volumeMounts"):
            container.pop(field, None)
    spec.pop("volumes", None)
    spec.pop("tolerations", None)
    body.get("status", {}).pop("storedTemplates", None)
    return body
