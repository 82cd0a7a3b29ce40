"""Images of a user on the cluster of KUBECONFIG: see `tests.cluster.installed`."""

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
from tests.cluster.installed import PLACE, REGISTRY, USER, build
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(280),
    pytest.mark.xdist_group("system"),
]

MOVING = f"{REGISTRY}/{USER}/moving:1"


@pytest.fixture(scope="module")
def place(user: User, tmp_path_factory: pytest.TempPathFactory) -> ArgoEngine:
    """An engine that has no rights but the user's."""
    return ArgoEngine(keys.decode(user.key), tmp_path_factory.mktemp("home"))


@pytest.fixture
def bench(place: ArgoEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(place, tmp_path, f"{REGISTRY}/base:1", 120)


def job(number: int | None, name: str) -> Id:
    return ids.parse(f"{number}.{name}")


def builds(run: SetStatus) -> bool:
    return [job.type for job in run.jobs] == ["build"]


def test_a_base_image_that_has_moved_is_built_on_anew(bench: Bench, api: Api) -> None:
    bench.image = MOVING
    text = "install: cp /built /copy\nrun: cat /copy"
    first = build(api, "move-1", MOVING)
    one, again = bench.run(text), bench.run(text)
    assert (builds(one), builds(again)) == (True, False)
    assert {one.base_image, again.base_image} == {f"{MOVING}@{first}"}
    assert bench.log(job(one.number, "train")) == bench.log(job(again.number, "train"))
    client = Client(engine=bench.engine)
    bench.write({"riseml.yml": one.config})
    assert {part.change for part in client.explain("riseml.yml").parts} == {SAME}
    second = build(api, "move-2", MOVING)
    parts = {part.name: part for part in client.explain("riseml.yml").parts}
    assert (parts["image"].change, parts["image"].value) == (
        CHANGED,
        f"{MOVING}@{second}",
    )
    moved = bench.run(text)
    assert builds(moved)
    assert moved.base_image == f"{MOVING}@{second}"
    assert bench.log(job(moved.number, "train")) != bench.log(job(one.number, "train"))


def test_runs_started_at_once_share_one_build(bench: Bench) -> None:
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


def test_what_is_pruned_is_built_anew(bench: Bench, place: ArgoEngine) -> None:
    text = f"install: 'echo {os.getpid()} > /pruned'\nrun: cat /pruned train.py"
    bench.write({"train.py": "first\n"})
    first = bench.run(text)
    bench.write({"train.py": "second\n"})
    second = bench.run(text)  # after which the namespace knows the image
    assert (builds(first), builds(second)) == (True, False)
    assert known(place)[second.image] == datetime.now(UTC).date().isoformat()
    assert place.prune_unused(0) == 0
    assert has(place, second.image)

    client = Client(engine=place)
    client.delete(first.id)
    ages = "find /store/repos/lab.git -exec touch -d @1 {} +"
    place.store.script(ages)
    assert client.prune_unused(-timedelta(days=2)) > 0
    assert (known(place), has(place, second.image)) == ({}, False)
    assert [reads(place, run) for run in (first, second)] == [False, True]

    third = bench.run(text)
    assert builds(third)
    assert bench.log(job(third.number, "train")) == bench.log(
        job(second.number, "train")
    )


def known(place: ArgoEngine) -> dict[str, str]:
    """Return the images that the namespace knows, with the day of their last use."""
    data = place.api.get(path("configmaps", PLACE, "riseml-images")).get("data") or {}
    return dict(
        value.split(" ") for key, value in data.items() if not key.startswith("base-")
    )


def has(place: ArgoEngine, image: str) -> bool:
    name, _, digest = image.partition("/")[2].partition("@")
    return (
        registry.ask(
            place.store,
            registry.url(REGISTRY, f"{name}/manifests/{digest}", insecure=True),
        ).status
        == 200
    )


def reads(place: ArgoEngine, run: SetStatus) -> bool:
    """Whether the store has the code of a run."""
    told = place.store.script(
        'git --git-dir=/store/repos/lab.git cat-file -t "$1" || :', run.revision
    )
    return told == b"commit\n"


SECRET = "n0b0dy-may-see-this"


def test_a_secret_is_seen_by_nobody_but_the_job(
    bench: Bench, place: ArgoEngine, api: Api
) -> None:
    place.set_secret("TOKEN", SECRET)
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
    place.stop(Id(number=slow))
    bench.wait(slow)

    client = Client(engine=place)
    shown = [
        json.dumps(record(client.read(str(number)))) for number in (fine, bad, slow)
    ]
    shown += [
        repr(cause) for number in (fine, bad, slow) for cause in client.why(str(number))
    ]
    shown += [bench.log(number) for number in (fine, bad, slow)]
    shown += [bench.log(job(fine, "build")), "\n".join(place.secrets())]
    kinds = (
        "workflows",
        "pods",
        "events",
        "configmaps",
        "workflowtaskresults",
        "deployments",
        "serviceaccounts",
    )
    shown += [
        json.dumps(each) for kind in kinds for each in api.items(path(kind, PLACE))
    ]
    assert any("TOKEN" in each for each in shown)
    forms = (SECRET, base64.b64encode(SECRET.encode()).decode())
    assert "TOKEN has 19 letters" in bench.log(job(fine, "train"))
    assert not [each for each in shown for form in forms if form in each]
    search = 'grep -rlF -e "$1" -e "$2" /output /store /data || :'
    assert place.store.script(search, *forms) == b""
    place.set_secret("TOKEN", None)
    for number in (fine, bad, slow):
        place.delete(Id(number=number))
