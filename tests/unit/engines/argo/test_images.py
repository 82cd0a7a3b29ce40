"""Images of a user on a cluster: what the tag of a base image counts as, and whether a key's image is still there."""

import json
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, cast

import pytest

from riseml.cluster import registry
from riseml.cluster.api import Api
from riseml.cluster.registry import Answer
from riseml.cluster.store import StorePod
from riseml.engines.argo.images import Images
from riseml.plan import Target
from riseml.project.image_key import ImageKey

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
BUILT = f"registry.riseml:5000/me/mnist@{ONE}"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = "2026-03-01"
KEY = ImageKey("k", {"image": f"python:3.12@{ONE}"}, ("requirements.txt",))


class Clock(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return NOW


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("riseml.engines.argo.images.datetime", Clock)


class Namespace:
    """A namespace with the ConfigMap of its images, and Workflows that have built some."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {}
        self.workflows: list[Any] = []
        self.patches = 0

    def find(self, at: str) -> Any:
        assert at == "/api/v1/namespaces/riseml-me/configmaps/riseml-images"
        return {"data": dict(self.data)} if self.data else {}

    def patch(self, at: str, body: Any) -> None:
        self.patches += 1
        self.data = {
            key: value
            for key, value in (self.data | body["data"]).items()
            if value is not None
        }

    def items(self, at: str, **query: Any) -> list[Any]:
        assert query["labelSelector"] == "riseml.io/image-key=k"
        return self.workflows


class Registries:
    """What registries say, to this machine and to the store; `asked` is which of both was asked, and for what."""

    def __init__(self) -> None:
        self.here = self.store = ""
        self.status = 200
        self.forgotten: list[str] = []
        self.forgets = True
        self.asked: list[str] = []

    def from_here(self, address: str) -> str:
        self.asked.append(f"here {address}")
        return self.here

    def from_store(self, store: StorePod, address: str) -> Answer:
        self.asked.append(f"store {address}")
        return Answer(self.status, self.store)

    def forget(self, store: StorePod, address: str) -> bool:
        self.forgotten.append(address)
        return self.forgets


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> Registries:
    made = Registries()
    monkeypatch.setattr(registry, "digest_from_here", made.from_here)
    monkeypatch.setattr(registry, "ask", made.from_store)
    monkeypatch.setattr(registry, "forget", made.forget)
    return made


@pytest.fixture
def namespace() -> Namespace:
    return Namespace()


def images(namespace: Namespace, **target: Any) -> Images:
    return Images(
        cast(Api, namespace), "riseml-me", cast(StorePod, None), Target(**target)
    )


def test_a_tag_counts_as_what_it_is_now(
    namespace: Namespace, registries: Registries
) -> None:
    registries.here = ONE
    assert images(namespace).base("python:3.12") == f"python:3.12@{ONE}"
    assert images(namespace).base("python:3.12") == f"python:3.12@{ONE}"
    assert namespace.patches == 1
    registries.here = TWO
    assert images(namespace).base("python:3.12") == f"python:3.12@{TWO}"
    assert set(registries.asked) == {
        "here https://index.docker.io/v2/library/python/manifests/3.12"
    }


def test_the_store_is_asked_where_this_machine_gets_no_answer(
    namespace: Namespace, registries: Registries
) -> None:
    registries.store = ONE
    assert images(namespace).base("r.example/base") == f"r.example/base@{ONE}"
    assert [each.split()[0] for each in registries.asked] == ["here", "store"]


@pytest.mark.parametrize("insecure", [True, False])
def test_the_registry_of_the_cluster_is_asked_from_there(
    namespace: Namespace, registries: Registries, insecure: bool
) -> None:
    registries.store = ONE
    assert (
        images(namespace, registry="r:5000", insecure_registry=insecure).base(
            "r:5000/base:1"
        )
        == f"r:5000/base:1@{ONE}"
    )
    assert registries.asked == [
        f"store http{'' if insecure else 's'}://r:5000/v2/base/manifests/1"
    ]


def test_a_digest_needs_no_question(
    namespace: Namespace, registries: Registries
) -> None:
    assert images(namespace).base(f"python@{ONE}") == f"python@{ONE}"
    assert not registries.asked


def test_silence_changes_no_key_and_costs_its_time_now_and_then(
    namespace: Namespace, registries: Registries
) -> None:
    registries.here = ONE
    images(namespace).base("python:3.12")
    registries.here = ""
    for _ in range(2):
        assert images(namespace).base("python:3.12") == f"python:3.12@{ONE}"
    assert (
        len(registries.asked) == 3
    )  # once it has told, and once neither here nor from the store
    registries.here = TWO
    assert images(namespace).base("python:3.12") == f"python:3.12@{ONE}"
    (name, text), *_ = namespace.data.items()
    earlier = NOW - timedelta(minutes=6)
    namespace.data[name] = json.dumps(
        {**json.loads(text), "silent": earlier.isoformat()}
    )
    assert images(namespace).base("python:3.12") == f"python:3.12@{TWO}"


def test_a_tag_of_which_nobody_tells_is_its_name(
    namespace: Namespace, registries: Registries
) -> None:
    assert images(namespace).base("localhost/base:1") == "localhost/base:1"
    assert images(namespace).base("localhost/base:1") == "localhost/base:1"
    assert len(registries.asked) == 2
    (name, text), *_ = namespace.data.items()
    for minutes, asked in ((59, 2), (61, 4)):
        earlier = NOW - timedelta(minutes=minutes)
        namespace.data[name] = json.dumps(
            {**json.loads(text), "silent": earlier.isoformat()}
        )
        images(namespace).base("localhost/base:1")
        assert len(registries.asked) == asked


def built(image: str) -> Any:
    told = [{"name": "image", "value": image}]
    node = {
        "templateName": "build",
        "phase": "Succeeded",
        "outputs": {"parameters": told},
    }
    return {"status": {"nodes": {"a": {"templateName": "train"}, "b": node}}}


def test_a_key_that_nobody_has_built(
    namespace: Namespace, registries: Registries
) -> None:
    build = images(namespace).build(KEY)
    assert (build.key, build.files, build.image, build.base) == (
        KEY.text,
        KEY.files,
        None,
        f"python:3.12@{ONE}",
    )
    assert not registries.asked


def test_a_build_that_has_ended_since_is_kept(
    namespace: Namespace, registries: Registries
) -> None:
    namespace.workflows = [built(""), built(BUILT)]
    assert images(namespace).build(KEY).image == BUILT
    assert namespace.data == {"k": f"{BUILT} {TODAY}"}
    assert images(namespace).build(KEY).image == BUILT
    assert namespace.patches == 1
    namespace.data["k"] = f"{BUILT} 2026-01-01"
    assert images(namespace).build(KEY).image == BUILT
    assert namespace.data == {"k": f"{BUILT} {TODAY}"}
    assert (
        registries.asked[0]
        == f"store https://registry.riseml:5000/v2/me/mnist/manifests/{ONE}"
    )


@pytest.mark.parametrize(
    ("status", "there"), [(404, False), (200, True), (0, True), (503, True)]
)
def test_an_image_that_the_registry_has_lost(
    namespace: Namespace, registries: Registries, status: int, there: bool
) -> None:
    namespace.data["k"], registries.status = BUILT, status
    assert images(namespace).build(KEY).image == (BUILT if there else None)


def test_what_is_no_digest_is_not_run(
    namespace: Namespace, registries: Registries
) -> None:
    namespace.data["k"] = "registry.riseml:5000/me/mnist:latest"
    assert images(namespace).build(KEY).image is None


def test_images_that_nothing_has_used_for_long_go(
    namespace: Namespace, registries: Registries
) -> None:
    newer, older, oldest = (
        f"registry.riseml:5000/me/mnist@sha256:{digit * 64}" for digit in "345"
    )
    base = json.dumps({"image": "python", "digest": ONE})
    kept = {"used": f"{newer} 2026-03-01", "base-1": base}
    namespace.data = {
        **kept,
        "a": f"{older} 2026-02-28",
        "b": oldest,
        "c": f"{newer} 2025-12-31",
    }
    assert images(namespace).prune_unused(NOW.timestamp()) == 3
    assert namespace.data == kept
    name = "https://registry.riseml:5000/v2/me/mnist/manifests/sha256:"
    assert registries.forgotten == [f"{name}{'4' * 64}", f"{name}{'5' * 64}"]


def test_an_image_that_the_registry_does_not_forget_stays_known(
    namespace: Namespace, registries: Registries
) -> None:
    registries.forgets = False
    namespace.data = {"a": f"{BUILT} 2026-02-28", "broken": "latest"}
    assert images(namespace).prune_unused(NOW.timestamp()) == 1
    assert namespace.data == {"a": f"{BUILT} 2026-02-28"}
    assert images(namespace).prune_unused(NOW.timestamp()) == 0
