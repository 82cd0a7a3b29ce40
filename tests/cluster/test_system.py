"""Installing on the cluster of KUBECONFIG, whose nodes have `localhost/base:1` and `localhost/buildkit:1`.

The second has buildkitd, buildctl and runc beside a shell. Images go to the registry 10.244.0.1:5000 (plain HTTP).
What is installed stays: other tests build with it.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from riseml import templating
from riseml.cluster import certificates, installation
from riseml.cluster.api import Api, Object, path
from riseml.cluster.connection import from_kubeconfig
from riseml.cluster.users import Users
from riseml.cluster.values import Values, parse, read_values
from tests.cluster.place import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(280), pytest.mark.xdist_group("system")]

REGISTRY, IMAGE, USER = "10.244.0.1:5000", "localhost/buildkit:1", "system-test"
PLACE = f"riseml-{USER}"
TEXT = f"""
storage:
  volumes: {{hostPath: {{path: "/var/lib/riseml-volumes/{{namespace}}/{{claim}}", type: DirectoryOrCreate}}}}
  sizes: {{data: 1Gi, output: 1Gi, store: 1Gi}}
images: {{git: "localhost/base:1", build: "{IMAGE}"}}
registry: {{deploy: false, address: "{REGISTRY}", pullAddress: "{REGISTRY}", insecure: true}}
buildkit: {{image: "{IMAGE}", rootless: false, command: [buildkitd]}}
"""
VALUES = parse(TEXT)
_BUILD = """
mkdir -p /tmp/riseml/build /tmp/riseml/context
printf 'FROM {base}\\nRUN echo built at {now} > /built\\n' > /tmp/riseml/build/Dockerfile
{script}
cat /tmp/riseml/image
"""


@pytest.fixture(scope="module")
def api() -> Api:
    return Api(from_kubeconfig())


@pytest.fixture(scope="module")
def values(api: Api) -> Values:
    now = datetime.now(UTC)
    installation.apply(api, VALUES, installation.plan(api, VALUES, now), now)
    wait_until(lambda: not installation.not_ready(api), 120, "BuildKit")
    return read_values(api)


@pytest.fixture(scope="module")
def administrator(api: Api, values: Values) -> Iterator[Api]:
    """Somebody with the ClusterRole `riseml-admin` and nothing else."""
    name = {"name": "riseml-system-test"}
    account = {"kind": "ServiceAccount", **name, "namespace": "default"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "riseml-admin"}
    version = "rbac.authorization.k8s.io/v1"
    accounts, bindings = path("serviceaccounts", "default"), path("clusterrolebindings")
    api.ensure(accounts, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name})
    api.ensure(
        bindings,
        {"apiVersion": version, "kind": "ClusterRoleBinding", "metadata": name, "roleRef": role, "subjects": [account]},
    )
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    token = api.create(f"{accounts}/{name['name']}/token", request)["status"]["token"]
    yield Api(replace(api.connection, token=token, certificate=None))
    api.delete(f"{bindings}/{name['name']}")
    api.delete(f"{accounts}/{name['name']}")


@pytest.fixture(scope="module")
def user(administrator: Api, values: Values) -> Iterator[str]:
    users = Users(administrator, values.offer())
    users.create(USER, "test@example.com")
    certificates.distribute(administrator)
    yield USER
    administrator.delete(path("namespaces", None, PLACE))
    for claim in ("data", "output", "store"):
        administrator.delete(path("persistentvolumes", None, f"{PLACE}-riseml-{claim}"))
    wait_until(lambda: administrator.find(path("namespaces", None, PLACE)) is None, 90, "the namespace to go")


def test_a_second_time_changes_nothing(api: Api, values: Values) -> None:
    assert values == VALUES
    assert {
        step.name for step in installation.plan(api, values, datetime.now(UTC)) if step.outcome != "unchanged"
    } == set()


def test_a_user_builds_with_the_certificate(api: Api, user: str) -> None:
    script = _BUILD.format(base=f"{REGISTRY}/base:1", now=time.time(), script=templating.read("build.sh"))
    phase, log = run(api, "with", script)
    assert phase == "Succeeded", log
    assert log.splitlines()[-1].startswith(f"{REGISTRY}/{USER}/test@sha256:")


def test_nobody_is_let_in_without_it(api: Api, user: str) -> None:
    connect = 'timeout 20 buildctl --addr "$BUILDKIT_HOST" --tlscacert "$BUILDKIT_CERTIFICATES/ca.pem"'
    known = '--tlscert "$BUILDKIT_CERTIFICATES/cert.pem" --tlskey "$BUILDKIT_CERTIFICATES/key.pem"'
    script = f"set -e; {connect} {known} debug workers >&2; echo let in; {connect} debug workers 2>&1; echo again"
    phase, log = run(api, "without", script)
    assert phase == "Failed"
    assert "let in" in log
    assert "failed to list workers" in log
    assert "again" not in log


def run(api: Api, name: str, script: str) -> tuple[str, str]:
    """Run a script in the user's namespace; return how the pod ended and what it wrote."""
    pods = path("pods", PLACE)
    api.create(pods, pod(name, script))
    ended = ("Succeeded", "Failed")
    wait_until(lambda: api.get(f"{pods}/{name}")["status"]["phase"] in ended, 120, f"the pod {name}")
    log: bytes = api.open(f"{pods}/{name}/log").read()
    return api.get(f"{pods}/{name}")["status"]["phase"], log.decode()


def pod(name: str, script: str) -> Object:
    told = {
        "RISEML_DIR": "/tmp/riseml",
        "IMAGE_NAME": f"{REGISTRY}/{USER}/test:1",
        "IMAGE_ATTRIBUTES": ",registry.insecure=true",
        "BUILDKIT_HOST": VALUES["buildkit"]["address"],
        "BUILDKIT_CERTIFICATES": "/certificates",
    }
    container = {
        "name": "main",
        "image": IMAGE,
        "command": ["sh", "-c", script],
        "env": [{"name": key, "value": value} for key, value in told.items()],
        "volumeMounts": [{"name": "certificates", "mountPath": "/certificates"}],
    }
    volume = {"name": "certificates", "secret": {"secretName": certificates.CLIENT}}
    spec = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [volume],
        "automountServiceAccountToken": False,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
