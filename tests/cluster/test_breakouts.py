"""Workflows that try to leave a user's namespace, submitted with a user's token to a real Argo."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from riseml import labels
from riseml.cluster import keys
from riseml.cluster.api import Api, path
from riseml.cluster.api_errors import RefusedError
from riseml.cluster.connection import from_kubeconfig
from riseml.cluster.users import Users
from tests.cluster import residents
from tests.cluster.residents import OFFER

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

_TOKEN = "riseml-job.service-account-token"
_KEY = "riseml-user.service-account-token"


def _patched(**spec: Any) -> dict[str, Any]:
    return {"podSpecPatch": json.dumps(spec)}


def _mounted(source: dict[str, Any]) -> dict[str, Any]:
    volume = {"name": "foreign", **source}
    container = {"image": "localhost/base:1", "command": ["ls", "/foreign"]}
    mounts = [{"name": "foreign", "mountPath": "/foreign"}]
    return {
        "volumes": [volume],
        "templates": [
            {"name": "main", "container": {**container, "volumeMounts": mounts}}
        ],
    }


ATTEMPTS = {
    "folder of the node": _mounted({"hostPath": {"path": "/"}}),
    "nfs": _mounted({"nfs": {"server": "10.0.0.1", "path": "/"}}),
    "executor's token": _mounted({"secret": {"secretName": _TOKEN}}),
    "API key": _mounted({"secret": {"secretName": _KEY}}),
    "privileged by patch": _patched(
        containers=[{"name": "main", "securityContext": {"privileged": True}}]
    ),
    "network of the node by patch": _patched(hostNetwork=True),
    "executor's token by patch": _patched(
        containers=[
            {
                "name": "main",
                "volumeMounts": [{"name": "exec-sa-token", "mountPath": "/foreign"}],
            }
        ]
    ),
    "account of the user": {
        "serviceAccountName": "riseml-user",
        "automountServiceAccountToken": True,
    },
    "token of the job's account": _patched(automountServiceAccountToken=True),
    "priority of the system": _patched(priorityClassName="system-node-critical"),
    "request of Argo's agent": {
        "templates": [
            {
                "name": "main",
                "http": {
                    "url": "https://kubernetes.default.svc/",
                    "insecureSkipVerify": True,
                },
            }
        ]
    },
}


@pytest.fixture(scope="module")
def api(worker_id: str) -> Iterator[Api]:
    users = Users(Api(from_kubeconfig()), OFFER)
    user = residents.make(users, f"breakouts-{worker_id}")
    # The API server applies a new policy after some seconds.
    time.sleep(5)
    yield Api(keys.decode(user.key))
    residents.leave(users.api, user.namespace)


def _workflow(name: str, **spec: Any) -> dict[str, Any]:
    main = {
        "name": "main",
        "container": {"image": "localhost/base:1", "command": ["true"]},
    }
    fields = {
        "entrypoint": "main",
        "serviceAccountName": "riseml-job",
        "automountServiceAccountToken": False,
        "executor": {"serviceAccountName": "riseml-job"},
        "templates": [main],
        **spec,
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {key: value for key, value in fields.items() if value is not None},
    }


def test_a_copy_of_a_run_is_refused(api: Api) -> None:
    document = _workflow("copy-1")
    document["metadata"]["labels"] = {
        labels.NUMBER: "1",
        labels.RESUBMITTED: "original-1",
    }
    with pytest.raises(RefusedError, match="`riseml rerun` runs it again"):
        api.create(path("workflows", api.connection.namespace), document, dryRun="All")


def _end(api: Api, document: dict[str, Any]) -> tuple[str, str]:
    """Submit a Workflow, wait for its end, and return its phase and messages."""
    workflows = path("workflows", api.connection.namespace)
    name = api.create(workflows, document)["metadata"]["name"]
    end = time.monotonic() + 60
    while time.monotonic() < end:
        status = api.get(f"{workflows}/{name}").get("status", {})
        if status.get("phase") in {"Succeeded", "Failed", "Error"}:
            break
        time.sleep(0.5)
    nodes = status.get("nodes", {}).values()
    return str(status.get("phase")), " ".join(
        [status.get("message", ""), *(n.get("message", "") for n in nodes)]
    )


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_pod_of_an_attempt_starts(attempt: str, api: Api) -> None:
    name = f"tried-{list(ATTEMPTS).index(attempt)}"
    phase, message = _end(api, _workflow(name, **ATTEMPTS[attempt]))
    assert phase == "Error" or "forbidden" in message, (phase, message)
    assert "forbidden" in message or "denied" in message
    pods = api.items(
        path("pods", api.connection.namespace),
        labelSelector=f"workflows.argoproj.io/workflow={name}",
    )
    assert list(pods) == []


def test_an_honest_workflow_runs(api: Api) -> None:
    assert _end(api, _workflow("honest"))[0] == "Succeeded"
