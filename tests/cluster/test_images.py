"""Images of a user on the cluster of KUBECONFIG (see `tests.cluster.installed`)."""

import base64
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from riseml import ids
from riseml.cli.records import record
from riseml.client.client import Client
from riseml.client.images import CHANGED, SAME
from riseml.cluster import keys, registry
from riseml.cluster.api import Api, path
from riseml.cluster.users import User
from riseml.engines.argo.engine import ArgoEngine
from riseml.ids import Id
from riseml.status import SetStatus, State
from tests.cluster.installed import NAMESPACE, REGISTRY, USER, build
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(280),
    pytest.mark.xdist_group("system"),
]

MOVING = f"{REGISTRY}/{USER}/moving:1"


@pytest.fixture(scope="module")
def engine(user: User, tmp_path_factory: pytest.TempPathFactory) -> ArgoEngine:
    """Return an engine with only the user's rights."""
    return ArgoEngine(keys.decode(user.key), tmp_path_factory.mktemp("home"))


@pytest.fixture
def bench(engine: ArgoEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(engine, tmp_path, f"{REGISTRY}/base:1", 120)


def job(number: int | None, name: str) -> Id:
    return ids.parse(f"{number}.{name}")


def builds(run: SetStatus) -> bool:
    return [job.type for job in run.jobs] == ["build"]


def test_a_new_base_image_causes_a_build(bench: Bench, api: Api) -> None:
    bench.image = MOVING
    text = "install: cp /built /copy\nrun: cat /copy"
    first = build(api, "move-1", MOVING)
    one, repeated = bench.run(text), bench.run(text)
    assert (builds(one), builds(repeated)) == (True, False)
    assert {one.base_image, repeated.base_image} == {f"{MOVING}@{first}"}
    assert bench.log(job(one.number, "train")) == bench.log(
        job(repeated.number, "train")
    )
    client = Client(engine=bench.engine)
    bench.write({"riseml.yml": one.config})
    assert {input_.change for input_ in client.explain("riseml.yml").parts} == {SAME}
    second = build(api, "move-2", MOVING)
    parts = {input_.name: input_ for input_ in client.explain("riseml.yml").parts}
    assert (parts["image"].change, parts["image"].value) == (
        CHANGED,
        f"{MOVING}@{second}",
    )
    moved = bench.run(text)
    assert builds(moved)
    assert moved.base_image == f"{MOVING}@{second}"
    assert bench.log(job(moved.number, "train")) != bench.log(job(one.number, "train"))


def test_runs_that_start_together_share_one_build(bench: Bench) -> None:
    text = f"install: 'date +%s%N > /stamp; sleep 3; echo has run in {os.getpid()} $((6 * 7))'\nrun: cat /stamp"
    numbers = [bench.train(text).number for _ in range(3)]
    assert {bench.wait(number).state for number in numbers} == {State.FINISHED}
    assert len({bench.log(job(number, "train")) for number in numbers}) == 1
    assert (
        sum(
            f"has run in {os.getpid()} 42" in bench.log(job(number, "build"))
            for number in numbers
        )
        == 1
    )


# The base image has no pip. As pip does, this makes a package refer to the folder of the step.
EDITABLE = """
install:
  - cat first.txt; date +%s%N > /first
  - |
    pip() { echo "$PWD/src" > $(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/mylib.pth; }
    mkdir -p $(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    pip install --no-deps -e .
    touch made.txt
"""
SHOW = (
    "run: 'cat /first; python3 -c \"import mylib; print(mylib.V, mylib.__file__)\"; ls'"
)


def test_a_change_repeats_only_the_steps_that_follow_it(bench: Bench) -> None:
    bench.write({
        "first.txt": f"{os.getpid()}\n",
        "pyproject.toml": "[project]\n",
        "src/mylib/__init__.py": "V = 12\n",
        "src/mylib/extra.py": "",
        "removed.txt": "",
    })  # fmt: skip
    first = bench.run(EDITABLE + SHOW)
    assert first.state is State.FINISHED
    assert builds(first)
    stamp, imported, *listed = bench.log(job(first.number, "train")).splitlines()
    assert imported == "12 /code/src/mylib/__init__.py"
    names = ["first.txt", "made.txt", "pyproject.toml", "removed.txt", "src"]
    assert listed == names

    bench.write({"src/mylib/__init__.py": "V = 13\n"})
    (bench.folder / "src/mylib/extra.py").unlink()
    (bench.folder / "removed.txt").unlink()
    edited = bench.run(EDITABLE + SHOW)
    assert not builds(edited)
    log = bench.log(job(edited.number, "train")).splitlines()
    names.remove("removed.txt")
    assert log == [stamp, "13 /code/src/mylib/__init__.py", *names]
    # The image keeps no code of the revision that it was built for.
    gone = bench.run(EDITABLE + "run: python3 -c 'import mylib.extra'")
    assert gone.state is State.FAILED

    bench.write({"pyproject.toml": "[project]\n# changed\n"})
    packaging = bench.run(EDITABLE + SHOW)
    assert builds(packaging)
    # BuildKit has the first step in its cache.
    assert bench.log(job(packaging.number, "train")).splitlines()[0] == stamp


def test_a_pruned_image_is_built_again(bench: Bench, engine: ArgoEngine) -> None:
    text = f"install: 'echo {os.getpid()} > /pruned'\nrun: cat /pruned train.py"
    bench.write({"train.py": "first\n"})
    first = bench.run(text)
    bench.write({"train.py": "second\n"})
    # The second run records the image of the first.
    second = bench.run(text)
    assert (builds(first), builds(second)) == (True, False)
    assert recorded_images(engine)[second.image] == datetime.now(UTC).date().isoformat()
    assert engine.prune_unused(0).builds == 0
    assert registry_has(engine, second.image)

    client = Client(engine=engine)
    client.delete(first.id)
    ages = "find /store/repos/lab.git -exec touch -d @1 {} +"
    engine.store.script(ages)
    assert client.prune_unused(-timedelta(days=2)).builds > 0
    assert (recorded_images(engine), registry_has(engine, second.image)) == ({}, False)
    assert [store_has_code(engine, run) for run in (first, second)] == [False, True]

    third = bench.run(text)
    assert builds(third)
    assert bench.log(job(third.number, "train")) == bench.log(
        job(second.number, "train")
    )


def recorded_images(engine: ArgoEngine) -> dict[str, str]:
    """Return the recorded images of the namespace, with the day of their last use."""
    data = (
        engine.api.get(path("configmaps", NAMESPACE, "riseml-images")).get("data") or {}
    )
    return dict(
        value.split(" ") for key, value in data.items() if not key.startswith("base-")
    )


def registry_has(engine: ArgoEngine, image: str) -> bool:
    name, _, digest = image.partition("/")[2].partition("@")
    return (
        registry.ask(
            engine.store,
            registry.url(REGISTRY, f"{name}/manifests/{digest}", insecure=True),
        ).status
        == 200
    )


def store_has_code(engine: ArgoEngine, run: SetStatus) -> bool:
    """Return whether the store has the code of a run."""
    kind = engine.store.script(
        'git --git-dir=/store/repos/lab.git cat-file -t "$1" || :', run.revision
    )
    return kind == b"commit\n"


SECRET = "n0b0dy-may-see-this"


def test_a_secret_is_visible_only_to_the_job(
    bench: Bench, engine: ArgoEngine, api: Api
) -> None:
    engine.set_secret("TOKEN", SECRET)
    secrets = "secrets: [TOKEN]\n"
    fine = bench.train(
        secrets + "install: echo built\nrun: 'echo TOKEN has ${#TOKEN} letters'"
    ).number
    bad = bench.train(secrets + "retries: 1\nrun: 'test -z $TOKEN'").number
    slow = bench.train(secrets + "run: sleep 60").number
    bench.until(lambda: bench.engine.read(Id(number=slow)).state is State.RUNNING)
    assert (bench.wait(fine).state, bench.wait(bad).state) == (
        State.FINISHED,
        State.FAILED,
    )
    engine.stop(Id(number=slow))
    bench.wait(slow)

    client = Client(engine=engine)
    texts = [
        json.dumps(record(client.read(str(number)))) for number in (fine, bad, slow)
    ]
    texts += [
        repr(cause) for number in (fine, bad, slow) for cause in client.why(str(number))
    ]
    texts += [bench.log(number) for number in (fine, bad, slow)]
    texts += [bench.log(job(fine, "build")), "\n".join(engine.secrets())]
    kinds = (
        "workflows",
        "pods",
        "events",
        "configmaps",
        "workflowtaskresults",
        "deployments",
        "serviceaccounts",
    )
    texts += [
        json.dumps(text) for kind in kinds for text in api.items(path(kind, NAMESPACE))
    ]
    assert any("TOKEN" in text for text in texts)
    forms = (SECRET, base64.b64encode(SECRET.encode()).decode())
    assert "TOKEN has 19 letters" in bench.log(job(fine, "train"))
    assert not [text for text in texts for form in forms if form in text]
    search = 'grep -rlF -e "$1" -e "$2" /output /store /data || :'
    assert engine.store.script(search, *forms) == b""
    engine.set_secret("TOKEN", None)
    for number in (fine, bad, slow):
        engine.delete(Id(number=number))
