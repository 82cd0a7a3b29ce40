"""Cost of commands on the cluster of KUBECONFIG, in the contract tests' namespace.

`PYTHONPATH=. python benchmarks/cluster.py`. `riseml status` with 1,000 finished Workflows: bytes that travel, and time
beside `kubectl get workflows`. `riseml train`: beside the import of Hera and 1.5 times (`argo submit` of the same
document and a `git push` through kubectl's exec).
Needs kubectl, and argo for the second one.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Command, compare, seconds, verdict

from riseml import labels
from riseml.cluster.api import Api, path
from riseml.cluster.store import REPOSITORIES, StorePod
from riseml.engines import Query
from riseml.engines.argo.engine import ArgoEngine
from tests.contract import cluster

FINISHED = 1_000
FIRST = 100_000  # number of the first generated run
_RISEML = str(Path(sys.executable).with_name("riseml"))
_FILE = """\
project: cost
train:
  image: {image}
  resources: {{cpus: 0.02, mem: 64}}
  run: python3 fit.py
"""


class Counting(Api):
    """API client that counts the bytes it receives."""

    received = 0

    def _send(self, *arguments: object, **options: object) -> object:  # type: ignore[override]
        response = super()._send(*arguments, **options)  # type: ignore[arg-type]
        self.received += len(response.data)
        return response


def fill(engine: ArgoEngine) -> None:
    """Create copies of a real finished Workflow, as many as are missing."""
    at = path("workflows", engine.namespace)
    there = {
        each["metadata"]["name"]
        for each in engine.api.items(at, metadata=True, labelSelector="made-up")
    }
    model = next(
        each
        for each in engine.api.items(
            at, labelSelector="workflows.argoproj.io/phase=Succeeded,riseml.io/kind=set"
        )
        if "made-up" not in each["metadata"]["labels"]
        and not each["metadata"]["annotations"][labels.KILLED]
    )
    for number in range(FIRST, FIRST + FINISHED):
        if f"made-up-{number}" in there:
            continue
        tags = {
            **model["metadata"]["labels"],
            "riseml.io/number": str(number),
            "made-up": "yes",
        }
        notes = {**model["metadata"]["annotations"], "riseml.io/archived": "yes"}
        metadata = {"name": f"made-up-{number}", "labels": tags, "annotations": notes}
        engine.api.create(
            at,
            {
                **model,
                "kind": "Workflow",
                "apiVersion": "argoproj.io/v1alpha1",
                "metadata": metadata,
            },
        )


def listing(engine: ArgoEngine, home: Path) -> None:
    """Compare lists of all runs."""
    fill(engine)
    counting = Counting(engine.api.connection)
    engine.api = engine.store.api = engine.workflows.api = counting
    runs = engine.list(Query(all=True))
    received = counting.received
    full = sum(
        len(json.dumps(each))
        for each in engine.api.items(path("workflows", engine.namespace))
    )
    print(
        f"{len(runs)} runs: the list (metadata) took {received:,} bytes, full documents take {full:,}"
    )
    environment = {**os.environ, "RISEML_HOME": str(home)}
    kubectl = ["kubectl", "get", "workflows", "-n", engine.namespace]

    def of(words: list[str]) -> float:
        return seconds(words, env=environment, stderr=subprocess.DEVNULL)

    ratios = compare(
        {
            "kubectl get workflows": lambda: of(kubectl),
            "riseml status -a -n 0": lambda: of([_RISEML, "status", "-a", "-n", "0"]),
            "riseml status": lambda: of([_RISEML, "status"]),
        },
        base="kubectl get workflows",
    )
    for name in ("riseml status -a -n 0", "riseml status"):
        verdict(name, ratios[name], 3)


def training(engine: ArgoEngine, home: Path, folder: Path) -> None:
    """Compare starts of a run, each with code that has changed since the previous one."""
    environment = {**os.environ, "RISEML_HOME": str(home)}
    (folder / "riseml.yml").write_text(_FILE.format(image=cluster.IMAGE))
    changes = iter(range(10**9))

    def change() -> None:
        (folder / "fit.py").write_text(f"print({next(changes)})\n")

    def train() -> float:
        change()
        return seconds(
            [_RISEML, "train"], cwd=folder, env=environment, stderr=subprocess.DEVNULL
        )

    train()
    document = folder.parent / "workflow.json"
    newest = engine.get(engine.latest("cost"))
    newest["metadata"] = {
        "generateName": "cost-",
        "annotations": newest["metadata"]["annotations"],
    }
    document.write_text(
        json.dumps(
            {key: newest[key] for key in ("apiVersion", "kind", "metadata", "spec")}
        )
    )
    repository = home / "store" / "repos" / "cost.git"
    place, pod = f"{REPOSITORIES}/cost.git", StorePod(engine.api, engine.namespace).pod
    remote = f"ext::kubectl exec -i -n {engine.namespace} {pod} -- %S {place}"
    push = [
        "git",
        f"--git-dir={repository}",
        "-c",
        "protocol.ext.allow=always",
        "push",
        "-q",
        remote,
    ]

    def by_hand() -> float:
        change()
        tree = ["git", f"--git-dir={repository}", f"--work-tree={folder}"]
        subprocess.run([*tree, "add", "-A"], check=True)
        told = [
            "-c",
            "user.name=me",
            "-c",
            "user.email=me@example.com",
            "commit",
            "-qm",
            "code",
        ]
        subprocess.run([*tree, *told], check=True)
        took = seconds([*push, "HEAD:refs/heads/by-hand", "--force"])
        return took + seconds(["argo", "submit", "-n", engine.namespace, str(document)])

    hera = [sys.executable, "-c", "import hera.workflows"]
    commands: dict[str, Command] = {
        "argo submit + git push": by_hand,
        "import hera": hera,
        "riseml train": train,
    }
    ratios = compare(commands, base="argo submit + git push", rounds=7)
    verdict(
        "riseml train",
        ratios["riseml train"],
        1.5 + ratios["import hera"],
        "x (argo submit + git push)",
    )


def main() -> None:
    """Run both comparisons if their tools are installed."""
    with tempfile.TemporaryDirectory() as place:
        home, folder = Path(place) / "home", Path(place) / "project"
        home.mkdir()
        folder.mkdir()
        engine = cluster.engine(home)
        kubeconfig = os.environ["KUBECONFIG"]
        user = {
            "name": engine.user,
            "kubeconfig": kubeconfig,
            "namespace": engine.namespace,
        }
        contexts = {
            "current-context": "bench",
            "contexts": [
                {"name": "bench", "context": {"cluster": "bench", "user": "bench"}}
            ],
            "clusters": [{"name": "bench", "cluster": {}}],
            "users": [{"name": "bench", "user": user}],
        }
        (home / "config").write_text(re.sub("\n", "", json.dumps(contexts)))
        if shutil.which("argo") and "listing" not in sys.argv:
            training(engine, home, folder)
        listing(engine, home)


if __name__ == "__main__":
    main()
