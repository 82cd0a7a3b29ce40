"""Commands on the cluster of KUBECONFIG, in a namespace of their own, compared with `argo` and `kubectl`.

`train` starts what no node has room for, so that no pod of an earlier round takes time from a later one. The lists
have 1,000 ended sets of two experiments, as they are after somebody has read each of them. They stay for the next time.
"""

import base64
import io
import json
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab import write_project
from measure import (
    RISEML,
    CannotMeasureError,
    Command,
    Comparison,
    Figure,
    environment,
    main,
    require,
    said,
    side_by_side,
)

from riseml import labels
from riseml.cluster.api import path
from riseml.cluster.connection import Connection
from riseml.engines.argo import archive
from riseml.engines.argo.engine import ArgoEngine
from riseml.engines.argo.run_reader import read_documents
from riseml.status.data import encode, to_data
from tests.contract import cluster

NAMESPACE = "riseml-benchmark"
RUNS = 1_000
# The number of the first generated run.
FIRST = 100_000
GENERATED = "made-up"
TRAIN = "`train` of an unchanged project on a cluster"
ARGO, CREATE, GET = "argo submit", "kubectl create -f", "kubectl get workflows"
SET = """\
project: listed
train:
  image: {image}
  resources: {{cpus: 0.02, mem: 64}}
  parameters: {{lr: [0.1, 0.2]}}
  run: |
    echo '{{"loss": {{{{lr}}}}}}' > "$RESULT_FILE"
"""
TOO_LARGE = """\
project: started
train:
  image: {image}
  resources: {{cpus: 500, mem: 64}}
  run: "true"
"""


class User:
    """The user of the benchmark: a home with a context, and a kubeconfig with the same key."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.home.mkdir()
        self.engine: ArgoEngine = cluster.engine(self.home, NAMESPACE)
        connection: Connection = self.engine.api.connection
        server = {
            "server": connection.server,
            "certificate-authority-data": _base64(connection.authority),
        }
        key = {"name": connection.user, "api-key": connection.token}
        token = {"token": connection.token}
        (self.home / "config").write_text(_kubeconfig(server, key))
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(_kubeconfig(server, token))
        self.variables = environment(self.home) | {"KUBECONFIG": str(kubeconfig)}

    def project(self, name: str, text: str) -> Path:
        """Make a project of a riseml.yml and twenty files."""
        text = text.format(image=cluster.IMAGE)
        return write_project(self.folder / name, text, modules=20)


def measure(rounds: int | None = None) -> Iterator[Figure]:
    """Yield the rows about starting runs, and those about listing them."""
    for tool in ("kubectl", "argo"):
        require(tool, "Put it into PATH; `argo` can be built from Argo's sources.")
    with tempfile.TemporaryDirectory() as name:
        user = User(Path(name))
        yield from _starts(user, rounds or 9)
        yield from _lists(user, rounds or 5)


def _starts(user: User, rounds: int) -> Iterator[Figure]:
    folder = user.project("started", TOO_LARGE)
    train = [*RISEML, "train"]
    said(train, folder, user.home)
    document = user.folder / "workflow.json"
    newest = user.engine.get(user.engine.latest("started"))
    document.write_text(json.dumps(_submittable(newest)))
    same = ["-n", NAMESPACE]
    commands: dict[str, Command] = {
        ARGO: ["argo", "submit", *same, str(document)],
        CREATE: ["kubectl", "create", *same, "-f", str(document)],
        TRAIN: train,
    }
    try:
        times = side_by_side(
            commands, base=ARGO, rounds=rounds, cwd=folder, env=user.variables
        )
    finally:
        _remove(user.engine, "started")
    yield times[TRAIN].figure(TRAIN, target=2.5)
    created = Comparison(CREATE, times[TRAIN].samples, times[CREATE].samples)
    yield created.figure(f"{TRAIN} (kubectl)", target=1.2)


def _lists(user: User, rounds: int) -> Iterator[Figure]:
    _fill(user)
    brief, long = "`status -a -n 0`", "`status -l -a -n 0`"
    status = [*RISEML, "status", "-a", "-n", "0"]
    commands: dict[str, Command] = {
        GET: ["kubectl", "get", "workflows", "-n", NAMESPACE],
        brief: status,
        long: [*status, "-l"],
    }
    times = side_by_side(
        commands, base=GET, rounds=rounds, cwd=user.folder, env=user.variables
    )
    yield times[brief].figure(f"{brief} of {RUNS:,} ended runs on a cluster", 0.17)
    yield times[long].figure(f"{long} of the same", 0.4)


def _submittable(document: dict[str, Any]) -> dict[str, Any]:
    """Return a Workflow that can be created any number of times."""
    kept = {key: document[key] for key in ("apiVersion", "kind", "spec")}
    annotations = document["metadata"]["annotations"]
    return {
        **kept,
        "metadata": {
            "generateName": "started-",
            "annotations": annotations,
            "labels": {labels.PROJECT: "started", GENERATED: "yes"},
        },
    }


def _remove(engine: ArgoEngine, project: str) -> None:
    """Delete the Workflows of a project, and what the store has of them."""
    workflows = path("workflows", NAMESPACE)
    selector = f"{labels.PROJECT}={project}"
    for document in list(
        engine.api.items(workflows, metadata=True, labelSelector=selector)
    ):
        name = document["metadata"]["name"]
        engine.api.delete(f"{workflows}/{name}", propagationPolicy="Background")
    engine.store.script('rm -rf -- "/output/$1"', f"{engine.user}/{project}")


def _fill(user: User) -> None:
    """Create copies of an ended set, as many as are missing, and their records in the archive."""
    engine = user.engine
    workflows = path("workflows", NAMESPACE)
    selector = f"{GENERATED},{labels.PROJECT}=listed"
    present = set()
    for document in engine.api.items(workflows, metadata=True, labelSelector=selector):
        present.add(document["metadata"]["name"])
    if len(present) >= RUNS:
        return
    model = _ended_set(user)
    tags = {**model["metadata"]["labels"], GENERATED: "yes"}
    annotations = {**model["metadata"]["annotations"], archive.GENERATION: "1"}
    records: dict[str, bytes] = {}
    for number in range(FIRST, FIRST + RUNS):
        metadata = {
            "name": f"listed-{number}",
            "labels": {**tags, labels.NUMBER: str(number)},
            "annotations": annotations,
        }
        document = {**model, "metadata": metadata}
        run = read_documents([document])
        record = json.dumps({"schema": 1, **to_data(run)}, default=encode)
        records[f"{run.folder}/run.json"] = record.encode()
        if metadata["name"] not in present:
            engine.api.create(workflows, document)
    # A record has no line break at its end.
    engine.store.script("cd /output; tar -xf -", stdin=[_archive(records)])


def _ended_set(user: User) -> dict[str, Any]:
    """Return the Workflow of a set that has ended and is archived."""
    folder = user.project("listed", SET)
    run = said([*RISEML, "train", "-o", "name"], folder, user.home)
    said([*RISEML, "wait", run], folder, user.home)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        # The first reader archives it.
        said([*RISEML, "status", run], folder, user.home)
        document = user.engine.get(user.engine.latest("listed"))
        if archive.is_archived([document]):
            return {**document, "kind": "Workflow"}
    raise CannotMeasureError(f"the set {run} of {NAMESPACE} is not archived")


def _archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _kubeconfig(server: dict[str, str], user: dict[str, str]) -> str:
    name = "benchmark"
    context = {"cluster": name, "user": name, "namespace": NAMESPACE}
    content = {
        "current-context": name,
        "contexts": [{"name": name, "context": context}],
        "clusters": [{"name": name, "cluster": server}],
        "users": [{"name": name, "user": user}],
    }
    return json.dumps(content)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


if __name__ == "__main__":
    main(measure)
