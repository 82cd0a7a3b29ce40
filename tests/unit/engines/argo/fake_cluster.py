"""Cluster in memory: an API server that keeps objects, pods' logs and events of a watch."""

import copy
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from riseml import labels
from riseml.cluster.api import Api
from riseml.cluster.clock import ClusterClock
from riseml.cluster.connection import Connection
from riseml.cluster.store import StorePod
from riseml.cluster.user_namespace import UserNamespace
from riseml.engines.argo.run_reader import RunReader
from riseml.engines.argo.workflows import Workflows
from riseml.errors import NotAllowedError, NotFoundError
from tests.unit.documents import made

NAMESPACE = "riseml-me"
Document = dict[str, Any]


@dataclass
class FakeLog:
    """A pod's log: `parts` arrive one after the other, then `error` breaks the connection."""

    parts: list[bytes]
    error: Exception | None = None

    def stream(self, size: int) -> Iterator[bytes]:
        yield from self.parts
        if self.error:
            raise self.error


@dataclass
class FakeCluster:
    """What `Api` reads and writes; `calls` names each write."""

    workflows: list[Document] = field(default_factory=list)
    pods: list[Document] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    # The connections to a pod's log, in the order in which they are opened.
    logs: dict[str, list[FakeLog | Exception]] = field(default_factory=dict)
    opened: dict[str, FakeLog] = field(default_factory=dict)
    watched: list[tuple[str, Document]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    # The last entry of the annotation after each kill.
    killed: list[str] = field(default_factory=list)
    forbidden: str = ""
    cached: list[Document] | None = None
    clock: ClusterClock = field(default_factory=ClusterClock)
    connection: Connection = field(
        default_factory=lambda: Connection("https://cluster", namespace=NAMESPACE)
    )

    def items(self, path: str, **query: Any) -> list[Document]:
        if self.forbidden and self.forbidden in path:
            raise NotAllowedError("no")
        if path.endswith("/pods"):
            return list(self.pods)
        assert path.endswith("/workflows"), path
        if query.get("resourceVersion") == "0" and self.cached is not None:
            return [dict(workflow) for workflow in self.cached]
        selector = query["labelSelector"]
        return [
            dict(workflow)
            for workflow in self.workflows
            if _matches(workflow, selector)
        ]

    def find(self, path: str) -> Document:
        for workflow in self.workflows:
            if path.endswith(f"/workflows/{workflow['metadata']['name']}"):
                return workflow
        assert path.endswith("/secrets/riseml-secrets")
        return {"data": self.secrets}

    def get(self, path: str) -> Document:
        assert path.endswith("/configmaps/riseml")
        return {"data": {"number": "14"}}

    def watch(self, path: str, **query: Any) -> Iterator[tuple[str, Document]]:
        # The connection stays open for a moment, as a real one does.
        time.sleep(0.01)
        while self.watched:
            yield self.watched.pop(0)

    def open(self, path: str, **query: Any) -> FakeLog:
        pod = path.split("/")[-2]
        if "limitBytes" in query:
            return self._head(pod, query["limitBytes"])
        log = self.logs[pod].pop(0)
        if isinstance(log, Exception):
            raise log
        self.opened[pod] = log
        return log

    def _head(self, pod: str, length: int) -> FakeLog:
        """Return the beginning of the log that was opened last, or is opened next."""
        log = self.opened.get(pod) or self.logs[pod][0]
        if isinstance(log, Exception):
            raise log
        return FakeLog([b"".join(log.parts)[:length]])

    def patch(self, path: str, body: Document) -> None:
        self.calls.append(f"patch {path.rpartition('/')[2]} {body}")

    def update(self, path: str, change: Callable[[Document], Document]) -> None:
        name = path.rpartition("/")[2]
        (workflow,) = [w for w in self.workflows if w["metadata"]["name"] == name]
        entry = change(workflow)["metadata"]["annotations"][labels.KILLED]
        self.killed.append(entry.rpartition(",")[2])
        self.calls.append(f"kill {name} {entry.rpartition('=')[0]}")

    def delete(self, path: str, **options: Any) -> None:
        self.calls.append(f"delete {path.rpartition('/')[2]} {options}")


class FakeStore:
    """A store whose scripts print what the test says, by a word in the script."""

    def __init__(self, outputs: dict[str, bytes] | None = None) -> None:
        self.outputs, self.scripts = outputs or {}, list[tuple[str, ...]]()
        self.namespace = NAMESPACE

    def script(self, text: str, *arguments: str, stdin: Any = None) -> bytes:
        self.scripts.append((text, *arguments))
        for word, output in self.outputs.items():
            if word in text:
                return output
        return b""

    def stream(self, text: str, *arguments: str) -> Iterator[bytes]:
        yield self.script(text, *arguments)

    def close(self) -> None:
        """Do nothing: no connection is open."""


def reader(cluster: FakeCluster, store: FakeStore | None = None) -> RunReader:
    """Return a reader of the runs of the user `me`."""
    api = cast(Api, cluster)
    workflows = Workflows(api, "me", UserNamespace(api, NAMESPACE))
    return RunReader(workflows, cast(StorePod, store or FakeStore()))


def workflow(*experiments: Document, version: int = 1, **status: Any) -> Document:
    """Return a Workflow as the API server lists it: a set of these experiments."""
    document = copy.deepcopy(made(*experiments, **status))
    document["metadata"] |= {"namespace": NAMESPACE, "resourceVersion": str(version)}
    return document


def pod(sub: int, *, state: str = "running", name: str = "") -> Document:
    """Return the pod of an experiment's only job."""
    tags = {labels.EXPERIMENT: str(sub), labels.TYPE: "train"}
    container = {"name": "main", "state": {state: {}}}
    return {
        "metadata": {
            "name": name or f"pod-{sub}",
            "labels": tags,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "uid": f"uid-{sub}",
            "annotations": {"workflows.argoproj.io/node-id": node_id(sub)},
        },
        "spec": {},
        "status": {"phase": "Running", "containerStatuses": [container]},
    }


def node_id(sub: int) -> str:
    """Return the id of the node of an experiment's only job in `workflow`."""
    experiment = f"{sub - 1}:lr:1e-{sub - 1},riseml-sub:{sub}"
    return f"net-14.set.experiment({experiment}).train"


def missing(what: str = "it") -> NotFoundError:
    """Return the error for an object that does not exist."""
    return NotFoundError(f"there is no {what}")


def _matches(document: Document, selector: str) -> bool:
    tags = document["metadata"]["labels"]
    # Commas in parentheses separate values.
    for requirement in re.split(r",(?![^(]*\))", selector):
        if requirement.startswith("!"):
            if requirement[1:] in tags:
                return False
            continue
        if " in (" in requirement:
            name, _, values = requirement.rstrip(")").partition(" in (")
            if tags.get(name) not in values.split(","):
                return False
            continue
        name, _, value = requirement.partition("=")
        if name not in tags or (value and tags[name] != value):
            return False
    return True
