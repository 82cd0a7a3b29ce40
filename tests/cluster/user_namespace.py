"""Namespace of a cluster for compiled documents: claims, a service account, and a store with one commit.

The cluster is the one of KUBECONFIG. Its nodes must have the image `localhost/base:1` (python3 and git), and share a
disk: the volumes are folders of the node.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from riseml import labels

IMAGE = "localhost/base:1"
PROJECT = "Recorded_Net"
WORKFLOWS = ("argoproj.io", "v1alpha1")
# The node's folder of all volumes.
_FOLDER = "/var/lib/riseml-recordings"
_CLAIMS = ("riseml-data", "riseml-output", "riseml-store")
_STORE = f"""
set -e
mkdir -p /store/repos /output/me && chmod 777 /output /output/me
test -d /store/repos/{PROJECT}.git || git init -q --bare /store/repos/{PROJECT}.git
cd "$(mktemp -d)" && git init -q . && echo 'print("hello")' > hello.py && git add hello.py
export GIT_AUTHOR_DATE=2020-01-01T00:00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00:00Z
git -c user.name=me -c user.email=me@example.com commit -q -m code
git push -q /store/repos/{PROJECT}.git HEAD:refs/heads/code
git rev-parse HEAD
"""


class WorkflowNamespace:
    """Namespace in which documents can run; missing objects are created."""

    def __init__(self, name: str = "riseml-recordings") -> None:
        config.load_kube_config()
        self.name = name
        self.core: Any = client.CoreV1Api()
        self.rights: Any = client.RbacAuthorizationV1Api()
        self.objects: Any = client.CustomObjectsApi()
        self._prepare()
        self.revision = self.run_in("store", "store", ["sh", "-c", _STORE]).split()[-1]

    def _prepare(self) -> None:
        ensure(self.core.create_namespace, {"metadata": {"name": self.name}})
        self.limit_pods(None)
        for claim in _CLAIMS:
            self._claim(claim)
        name = {"metadata": {"name": "riseml-job"}}
        ensure(self.core.create_namespaced_service_account, self.name, name)
        ensure(self.core.create_namespaced_secret, self.name, _token())
        rules = [
            {
                "apiGroups": ["argoproj.io"],
                "resources": ["workflowtaskresults"],
                "verbs": ["create", "patch"],
            },
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete"]},
        ]
        ensure(self.rights.create_namespaced_role, self.name, {**name, "rules": rules})
        role = {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": "riseml-job",
        }
        subjects = [
            {
                "kind": "ServiceAccount",
                "name": "riseml-job",
                "namespace": self.name,
            }
        ]
        ensure(
            self.rights.create_namespaced_role_binding,
            self.name,
            {**name, "roleRef": role, "subjects": subjects},
        )
        ensure(self.core.create_namespaced_service, self.name, _service())
        ensure(self.core.create_namespaced_pod, self.name, _store_pod())
        wait_until(lambda: self._phase("store") == "Running", 60, "the store")

    def _claim(self, claim: str) -> None:
        size = {"storage": "1Gi"}
        modes = ["ReadWriteMany"]
        volume = f"{self.name}-{claim}"
        owner = {"namespace": self.name, "name": claim}
        folder = {
            "path": f"{_FOLDER}/{self.name}/{claim}",
            "type": "DirectoryOrCreate",
        }
        spec = {
            "capacity": size,
            "accessModes": modes,
            "claimRef": owner,
            "hostPath": folder,
            "storageClassName": "",
        }
        ensure(
            self.core.create_persistent_volume,
            {"metadata": {"name": volume}, "spec": spec},
        )
        claim_spec = {
            "accessModes": modes,
            "resources": {"requests": size},
            "volumeName": volume,
            "storageClassName": "",
        }
        ensure(
            self.core.create_namespaced_persistent_volume_claim,
            self.name,
            {"metadata": {"name": claim}, "spec": claim_spec},
        )

    def leave(self) -> None:
        """Delete the namespace and its volumes, but not their files on the node."""
        self.core.delete_namespace(self.name)
        for claim in _CLAIMS:
            self.core.delete_persistent_volume(f"{self.name}-{claim}")

    def _phase(self, pod: str) -> str:
        return str(self.core.read_namespaced_pod(pod, self.name).status.phase)

    def run_in(self, pod: str, container: str, command: list[str]) -> str:
        """Run a command in a pod and return what it wrote."""
        connect = self.core.connect_get_namespaced_pod_exec
        options = {
            "container": container,
            "command": command,
            "stdout": True,
            "stderr": True,
            "_preload_content": False,
        }
        channel: Any = stream(connect, pod, self.name, **options)
        try:
            channel.run_forever(timeout=60)
            return str(channel.read_all())
        finally:
            # `close` leaves the socket open if the other side has closed first.
            channel.sock.shutdown()

    def submit(self, document: Mapping[str, Any]) -> "Run":
        """Run a document, which replaces one of the same name."""
        name = document["metadata"]["name"]
        self._delete(name)
        self.objects.create_namespaced_custom_object(
            *WORKFLOWS, self.name, "workflows", document
        )
        return Run(self, name)

    def _delete(self, name: str) -> None:
        run = Run(self, name)
        if run.exists():
            self.objects.delete_namespaced_custom_object(
                *WORKFLOWS, self.name, "workflows", name
            )
            wait_until(
                lambda: not run.exists() and not run.pods(),
                90,
                f"the end of the previous {name}",
            )

    def limit_pods(self, count: int | None) -> None:
        """Set a quota of `count` pods, or remove it."""
        if count is None:
            self.core.delete_collection_namespaced_resource_quota(self.name)
            return
        quota = {"metadata": {"name": "pods"}, "spec": {"hard": {"pods": str(count)}}}
        ensure(self.core.create_namespaced_resource_quota, self.name, quota)
        read = self.core.read_namespaced_resource_quota
        wait_until(lambda: bool(read("pods", self.name).status.hard), 30, "the quota")


class Run:
    """One Workflow on the cluster, and the actions on it."""

    def __init__(self, namespace: WorkflowNamespace, name: str) -> None:
        self.namespace, self.name = namespace, name

    def exists(self) -> bool:
        """Whether the cluster has it."""
        try:
            self.document()
        except ApiException as error:
            if error.status == 404:
                return False
            raise
        return True

    def document(self) -> dict[str, Any]:
        """Return the Workflow with its status."""
        get = self.namespace.objects.get_namespaced_custom_object
        return dict(get(*WORKFLOWS, self.namespace.name, "workflows", self.name))

    def nodes(self) -> list[dict[str, Any]]:
        """Return the nodes of its status."""
        return list(self.document().get("status", {}).get("nodes", {}).values())

    def pods(self, sub: str | None = None) -> list[Any]:
        """Return its pods, or those of one experiment."""
        selector = f"workflows.argoproj.io/workflow={self.name}"
        selector += f",{labels.EXPERIMENT}={sub}" if sub else ""
        return list(
            self.namespace.core.list_namespaced_pod(
                self.namespace.name, label_selector=selector
            ).items
        )

    def until(
        self, done: Callable[["Run"], bool], seconds: float = 90, description: str = ""
    ) -> None:
        """Wait until a condition holds for it."""
        wait_until(lambda: done(self), seconds, f"{self.name} {description}")

    def until_node(self, ending: str, *phases: str, message: str = "") -> None:
        """Wait until the node with this ending of its name has one of the phases and a message with this text."""
        self.until(
            lambda run: any(
                node["name"].endswith(ending)
                and node["phase"] in phases
                and message in node.get("message", "")
                for node in run.nodes()
            ),
            description=f"{ending} {phases} {message}",
        )

    def until_ended(self, seconds: float = 180) -> None:
        """Wait until Argo has recorded its end."""
        self.until(
            lambda run: bool(run.document().get("status", {}).get("finishedAt")),
            seconds,
            "to end",
        )

    def mark_killed(self, *subs: str) -> None:
        """Record that experiments (`*`: all) are killed from now on."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        kills = self.document()["metadata"]["annotations"][labels.KILLED]
        entries = ",".join(filter(None, [kills, *(f"{sub}={now}" for sub in subs)]))
        self._patch({"metadata": {"annotations": {labels.KILLED: entries}}})

    def terminate(self) -> None:
        """Let Argo terminate all its pods."""
        self._patch({"spec": {"shutdown": "Terminate"}})

    def signal(self, sub: str) -> None:
        """End the main containers of one experiment's pods with SIGTERM."""
        for pod in self.pods(sub):
            if pod.status.phase == "Running":
                self.namespace.run_in(
                    pod.metadata.name,
                    "main",
                    ["/var/run/argo/argoexec", "kill", "15", "1"],
                )

    def delete_pods(self, sub: str) -> None:
        """Delete the pods of one experiment."""
        for pod in self.pods(sub):
            self.namespace.core.delete_namespaced_pod(
                pod.metadata.name, self.namespace.name
            )

    def _patch(self, body: dict[str, Any]) -> None:
        patch = self.namespace.objects.patch_namespaced_custom_object
        patch(*WORKFLOWS, self.namespace.name, "workflows", self.name, body)


def ensure(create: Callable[..., Any], *arguments: Any) -> None:
    """Create an object unless it exists."""
    try:
        create(*arguments)
    except ApiException as error:
        if error.status != 409:
            raise


def wait_until(holds: Callable[[], bool], seconds: float, description: str) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: it did not hold in time.
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {description}")
        time.sleep(0.5)


def _token() -> dict[str, Any]:
    """Return the Secret with the executor's token; jobs have no token."""
    metadata = {
        "name": "riseml-job.service-account-token",
        "annotations": {"kubernetes.io/service-account.name": "riseml-job"},
    }
    return {"metadata": metadata, "type": "kubernetes.io/service-account-token"}


def _service() -> dict[str, Any]:
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {labels.GANG: "true"},
    }
    return {"metadata": {"name": labels.SUBDOMAIN}, "spec": spec}


def _store_pod() -> dict[str, Any]:
    mounts = [
        {"name": "store", "mountPath": "/store"},
        {"name": "output", "mountPath": "/output"},
    ]
    volumes = [
        {"name": n, "persistentVolumeClaim": {"claimName": f"riseml-{n}"}}
        for n in ("store", "output")
    ]
    container = {
        "name": "store",
        "image": IMAGE,
        "command": ["sleep", "infinity"],
        "volumeMounts": mounts,
    }
    spec = {
        "containers": [container],
        "volumes": volumes,
        "terminationGracePeriodSeconds": 0,
    }
    return {"metadata": {"name": "store"}, "spec": spec}
