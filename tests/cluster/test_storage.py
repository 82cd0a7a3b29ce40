"""Volumes that a cluster has already: files of another owner, claims that exist, and volumes of one node."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
import urllib3

from riseml.cluster import keys
from riseml.cluster.api import Object, path, path_of
from riseml.cluster.connection import Connection
from riseml.cluster.users import Users
from riseml.cluster.values import parse
from riseml.compiler import compile_workflow
from riseml.doctor import OK, volumes
from riseml.doctor.check_context import CheckContext
from riseml.engines.argo import document_code
from riseml.engines.argo.engine import ArgoEngine
from riseml.errors import RiseMLError
from riseml.plan import ExperimentSet, Origin, Target
from riseml.status import SetStatus, State
from tests.cluster import residents
from tests.cluster.residents import OFFER
from tests.cluster.user_namespace import IMAGE, wait_until
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("storage"),
]

# Address of an S3 server that accepts any login, as pods reach it.
S3 = os.environ.get("RISEML_TEST_S3", "")
SAVING = "storage-of-objects"
OBJECT_STORE = """
storage:
  accessMode: ReadWriteOnce
  outputs: artifacts
  volumes: {hostPath: {path: "/var/lib/riseml-recordings/{namespace}/{claim}", type: DirectoryOrCreate}}
images: {git: "localhost/base:1"}
"""
STRICT_OWNER = "storage-of-a-user"
STRICT = """
storage: {volumes: {hostPath: {path: "/var/lib/riseml-recordings/{namespace}/{claim}", type: DirectoryOrCreate}}}
images: {git: "localhost/base:1"}
securityContext:
  pod: {runAsUser: 1000, runAsGroup: 1000}
  container: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false}
"""
NAMESPACE, OWNER = "riseml-storage", "storage-of-one-node"
VALUES = """
storage:
  accessMode: ReadWriteOnce
  volumes: {hostPath: {path: "/var/lib/riseml-recordings/{namespace}/{claim}", type: DirectoryOrCreate}}
images: {git: "localhost/base:1"}
volumes:
  imagenet: {claim: imagenet, path: /data/imagenet, read_only: true}
  scratch: {source: {hostPath: {path: "/var/lib/riseml-recordings/{namespace}/{claim}", type: DirectoryOrCreate}},
            path: /scratch, read_only: false}
"""
OTHER = "1234"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text("print('first')\n")
    engine = cluster.engine(tmp_path / "home", NAMESPACE)
    return Bench(engine, folder, IMAGE, 200.0, project="storage")


def artifact_repository() -> list[Object]:
    """Return Argo's artifact repository of a namespace, and the login for it."""
    name = "artifact-repositories"
    default = {"workflows.argoproj.io/default-artifact-repository": "s3"}
    login = {"name": "login", "key": "text"}
    settings = {
        "s3": {
            "bucket": "riseml-tests",
            "endpoint": S3,
            "insecure": True,
            "region": "us-east-1",
            "accessKeySecret": login,
            "secretKeySecret": login,
        }
    }
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "annotations": default},
         "data": {"s3": json.dumps(settings)}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {"text": "testing"}},
    ]  # fmt: skip


def imagenet() -> list[Object]:
    """Return a volume and its claim, as an administrator creates them."""
    spec: Object = {
        "accessModes": ["ReadOnlyMany"],
        "storageClassName": "",
    }
    size = {"storage": "1Gi"}
    name = f"riseml-{OWNER}-imagenet"
    folder = {"path": f"/var/lib/riseml-recordings/{name}", "type": "DirectoryOrCreate"}
    owner = {"namespace": f"riseml-{OWNER}", "name": "imagenet"}
    volume = {**spec, "capacity": size, "hostPath": folder, "claimRef": owner}
    claim = {**spec, "resources": {"requests": size}, "volumeName": name}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": volume},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": owner, "spec": claim},
    ]  # fmt: skip


def engine_of(bench: Bench) -> ArgoEngine:
    assert isinstance(bench.engine, ArgoEngine)
    return bench.engine


def test_code_of_another_owner_can_be_used(bench: Bench) -> None:
    engine = engine_of(bench)
    first = bench.train("run: python3 train.py\n").number
    bench.wait(first)
    # As on an NFS export that maps root to nobody
    engine.store.script('chown -R "$1" /store /output', OTHER)
    (bench.folder / "train.py").write_text("print('second')\n")
    second = bench.train("run: python3 train.py > $OUTPUT_DIR/printed\n").number
    bench.wait(second)
    output = f"/output/{engine.user}/storage/{second}"
    assert engine.store.script('cat "$1/printed"', output) == b"second\n"
    context = CheckContext(cluster.administrator(), NAMESPACE, engine.user)
    assert volumes.access(context).result == OK


def test_an_image_may_have_a_user_of_its_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_user(plan: ExperimentSet, origin: Origin, target: Target) -> Object:
        """Compile a Workflow whose jobs run as the user of their image would."""
        document = compile_workflow(plan, origin, target)
        for template in document["spec"]["templates"]:
            if template["name"] == "train":
                template["container"]["securityContext"] = {"runAsUser": int(OTHER)}
        return document

    monkeypatch.setattr(document_code, "compile_workflow", with_user)
    (bench.folder / "package").mkdir()
    (bench.folder / "package/module.py").write_text("")
    lines = [
        "echo changed >> train.py",
        "echo made > package/made",
        "echo cached > ~/cache",
        "id -u > $OUTPUT_DIR/user",
    ]
    number = bench.train(f"run: {lines}\n").number
    assert bench.wait(number).state is State.FINISHED
    engine = engine_of(bench)
    output = f"/output/{engine.user}/storage/{number}"
    files = engine.store.script('cat "$1/user" "$1/workdir/package/made"', output)
    assert files == b"1234\nmade\n"


def user_of_store(connection: Connection) -> bytes:
    """Return the user of the store's pod, nothing while that is replaced."""
    try:
        return ArgoEngine(connection, Path("/nonexistent")).store.script("id -u")
    except RiseMLError:
        return b""


def test_pods_have_a_user_and_a_read_only_root(tmp_path: Path) -> None:
    api = cluster.administrator()
    connection = keys.decode(residents.make(Users(api, OFFER), STRICT_OWNER).key)
    root = ArgoEngine(connection, tmp_path / "home")
    # Kubernetes does not change the group of folders of a node.
    root.store.script("chmod -R a+rwX /store /output")
    Users(api, parse(STRICT).offer()).update(STRICT_OWNER)
    wait_until(lambda: user_of_store(connection) == b"1000\n", 60, "the new store")
    engine = ArgoEngine(connection, tmp_path / "home")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text("print('trained')\n")
    bench = Bench(engine, folder, IMAGE, 200.0, project="storage")
    lines = [
        "python3 train.py > $OUTPUT_DIR/printed",
        "touch /tmp/scratch ~/cache here",
        "touch /etc/x || echo read-only >> $OUTPUT_DIR/printed",
        "id -u >> $OUTPUT_DIR/printed",
    ]
    number = bench.train(f"run: {lines}\n").number
    assert bench.wait(number).state is State.FINISHED
    output = f"/output/{engine.user}/storage/{number}"
    files = engine.store.script('cat "$1/printed"', output)
    assert files == b"trained\nread-only\n1000\n"
    residents.leave(api, f"riseml-{STRICT_OWNER}")


def test_volumes_of_one_node_and_claims_that_exist(tmp_path: Path) -> None:
    api = cluster.administrator()
    users = Users(api, parse(VALUES).offer())
    key = residents.make(users, OWNER).key
    for body in imagenet():
        api.ensure(path_of(body).rpartition("/")[0], body)
    engine = ArgoEngine(keys.decode(key), tmp_path / "home")
    folder = tmp_path / "project"
    folder.mkdir()
    bench = Bench(engine, folder, IMAGE, 200.0, project="storage")
    engine.store.script("echo given > /scratch/given")
    lines = "touch /data/imagenet/n01 || echo read-only | cat /scratch/given - > /scratch/made"
    bench.wait(bench.train(f"run: {lines}\n").number)
    assert engine.store.script("cat /scratch/made") == b"given\nread-only\n"
    assert volumes.claims(CheckContext(api, f"riseml-{OWNER}", OWNER)).result == OK
    residents.leave(api, f"riseml-{OWNER}")
    for name in ("imagenet", "riseml-volume-scratch"):
        api.delete(path("persistentvolumes", None, f"riseml-{OWNER}-{name}"))


@pytest.mark.skipif(not S3, reason="RISEML_TEST_S3 names no server")
def test_an_object_store_keeps_output(tmp_path: Path) -> None:
    api = cluster.administrator()
    namespace = f"riseml-{SAVING}"
    key = residents.make(Users(api, parse(OBJECT_STORE).offer()), SAVING).key
    for body in artifact_repository():
        api.apply(body, namespace)
    pool = urllib3.PoolManager(headers={"Authorization": "AWS testing:any"})
    pool.request("PUT", f"http://{S3}/riseml-tests")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text("print('trained')\n")
    engine = ArgoEngine(keys.decode(key), tmp_path / "home")
    bench = Bench(engine, folder, IMAGE, 200.0, project="storage")
    number = bench.train("run: python3 train.py > $OUTPUT_DIR/printed\n").number
    run = bench.wait(number)
    assert isinstance(run, SetStatus)
    assert run.state is State.FINISHED
    (note,) = run.experiments[0].notes
    address = note.removeprefix("the output is at s3://")
    answer = pool.request("GET", f"http://{S3}/{address}")
    with tarfile.open(fileobj=io.BytesIO(answer.data)) as archive:
        file = archive.extractfile("output/printed")
        assert file is not None
        assert file.read() == b"trained\n"
    residents.leave(api, namespace)
