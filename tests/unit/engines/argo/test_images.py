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
from riseml.plan import BuildStep, Target
from riseml.project.image_key import ImageKey

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
BUILT = f"registry.riseml:5000/me/mnist@{ONE}"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = "2026-03-01"
KEY = ImageKey(
    "k",
    {"image": f"python:3.12@{ONE}"},
    (BuildStep("pip install x", ("requirements.txt",), "k"),),
)


class Clock(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return NOW


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("riseml.engines.argo.images.datetime", Clock)


class Namespace:
    """Namespace with the ConfigMap of its images, and Workflows that have built some."""

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
        label, _, key = query["labelSelector"].partition("=")
        assert key == "k"
        # No search has built an image.
        return self.workflows if label == "riseml.io/image-key" else []


class Registries:
    """Registries as this machine and the store see them; `requests` says who asked for what."""

    def __init__(self) -> None:
        self.digest_here = self.digest_in_cluster = ""
        self.status = 200
        self.forgotten: list[str] = []
        self.forgets = True
        self.requests: list[str] = []

    def from_here(self, address: str) -> str:
        self.requests.append(f"here {address}")
        return self.digest_here

    def from_store(self, store: StorePod, address: str) -> Answer:
        self.requests.append(f"store {address}")
        return Answer(self.status, self.digest_in_cluster)

    def forget(self, store: StorePod, address: str) -> bool:
        self.forgotten.append(address)
        return self.forgets


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> Registries:
    fake = Registries()
    monkeypatch.setattr(registry, "digest_from_here", fake.from_here)
    monkeypatch.setattr(registry, "ask", fake.from_store)
    monkeypatch.setattr(registry, "forget", fake.forget)
    return fake


@pytest.fixture
def namespace() -> Namespace:
    return Namespace()


def images(namespace: Namespace, **target: Any) -> Images:
    return Images(
        cast(Api, namespace), "riseml-me", cast(StorePod, None), Target(**target)
    )


def test_a_tag_stands_for_its_current_digest(
    namespace: Namespace, registries: Registries
) -> None:
    registries.digest_here = ONE
    assert images(namespace).base("python:3.12") == f"python:3.12@{ONE}"
    assert images(namespace).base("python:3.12") == f"python:3.12@{ONE}"
    assert namespace.patches == 1
    registries.digest_here = TWO
    assert images(namespace).base("python:3.12") == f"python:3.12@{TWO}"
    assert set(registries.requests) == {
        "here https://index.docker.io/v2/library/python/manifests/3.12"
    }


def test_the_store_is_asked_if_this_machine_gets_no_answer(
    namespace: Namespace, registries: Registries
) -> None:
    registries.digest_in_cluster = ONE
    assert images(namespace).base("r.example/base") == f"r.example/base@{ONE}"
    assert [address.split()[0] for address in registries.requests] == ["here", "store"]


@pytest.mark.parametrize("insecure", [True, False])
def test_the_registry_of_the_cluster_is_asked_from_the_store(
    namespace: Namespace, registries: Registries, insecure: bool
) -> None:
    registries.digest_in_cluster = ONE
    assert (
        images(namespace, registry="r:5000", insecure_registry=insecure).base(
            "r:5000/base:1"
        )
        == f"r:5000/base:1@{ONE}"
    )
    assert registries.requests == [
        f"store http{'' if insecure else 's'}://r:5000/v2/base/manifests/1"
    ]


def test_an_image_with_a_digest_needs_no_request(
    namespace: Namespace, registries: Registries
) -> None:
    assert images(namespace).base(f"python@{ONE}") == f"python@{ONE}"
    assert not registries.requests


def test_a_silent_registry_changes_no_key_and_is_asked_rarely(
    namespace: Namespace, registries: Registries
) -> None:
    registries.digest_here = ONE
    images(namespace).base("python:3.12")
    registries.digest_here = ""
    for _ in range(2):
        assert images(namespace).base("python:3.12") == f"python:3.12@{ONE}"
    # It has answered once; after that, neither this machine nor the store got an answer.
    assert len(registries.requests) == 3
    registries.digest_here = TWO
    assert images(namespace).base("python:3.12") == f"python:3.12@{ONE}"
    (name, text), *_ = namespace.data.items()
    earlier = NOW - timedelta(minutes=6)
    namespace.data[name] = json.dumps(
        {**json.loads(text), "silent": earlier.isoformat()}
    )
    assert images(namespace).base("python:3.12") == f"python:3.12@{TWO}"


def test_a_tag_that_no_registry_knows_stays_as_it_is(
    namespace: Namespace, registries: Registries
) -> None:
    assert images(namespace).base("localhost/base:1") == "localhost/base:1"
    assert images(namespace).base("localhost/base:1") == "localhost/base:1"
    assert len(registries.requests) == 2
    (name, text), *_ = namespace.data.items()
    for minutes, requests in ((59, 2), (61, 4)):
        earlier = NOW - timedelta(minutes=minutes)
        namespace.data[name] = json.dumps(
            {**json.loads(text), "silent": earlier.isoformat()}
        )
        images(namespace).base("localhost/base:1")
        assert len(registries.requests) == requests


def built(image: str) -> Any:
    outputs = [{"name": "image", "value": image}]
    node = {
        "templateName": "build",
        "phase": "Succeeded",
        "outputs": {"parameters": outputs},
    }
    return {"status": {"nodes": {"a": {"templateName": "train"}, "b": node}}}


def test_a_key_without_an_image(namespace: Namespace, registries: Registries) -> None:
    build = images(namespace).build(KEY)
    assert (build.key, build.steps, build.image, build.base) == (
        KEY.text,
        KEY.steps,
        None,
        f"python:3.12@{ONE}",
    )
    assert not registries.requests


def test_a_build_that_has_ended_since_is_recorded(
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
        registries.requests[0]
        == f"store https://registry.riseml:5000/v2/me/mnist/manifests/{ONE}"
    )


@pytest.mark.parametrize(
    ("status", "exists"), [(404, False), (200, True), (0, True), (503, True)]
)
def test_an_image_that_the_registry_has_lost_is_built_again(
    namespace: Namespace, registries: Registries, status: int, exists: bool
) -> None:
    namespace.data["k"], registries.status = BUILT, status
    assert images(namespace).build(KEY).image == (BUILT if exists else None)


def test_an_image_without_a_digest_is_not_used(
    namespace: Namespace, registries: Registries
) -> None:
    namespace.data["k"] = "registry.riseml:5000/me/mnist:latest"
    assert images(namespace).build(KEY).image is None


def test_images_that_have_long_been_unused_are_deleted(
    namespace: Namespace, registries: Registries
) -> None:
    newer, older, oldest = (
        f"registry.riseml:5000/me/mnist@sha256:{digit * 64}" for digit in "345"
    )
    base = json.dumps({"image": "python", "digest": ONE})
    used = {"used": f"{newer} 2026-03-01", "base-1": base}
    namespace.data = {
        **used,
        "a": f"{older} 2026-02-28",
        "b": oldest,
        "c": f"{newer} 2025-12-31",
    }
    assert images(namespace).prune_unused(NOW.timestamp()) == 3
    assert namespace.data == used
    name = "https://registry.riseml:5000/v2/me/mnist/manifests/sha256:"
    assert registries.forgotten == [f"{name}{'4' * 64}", f"{name}{'5' * 64}"]


def test_an_image_that_the_registry_keeps_stays_recorded(
    namespace: Namespace, registries: Registries
) -> None:
    registries.forgets = False
    namespace.data = {"a": f"{BUILT} 2026-02-28", "broken": "latest"}
    assert images(namespace).prune_unused(NOW.timestamp()) == 1
    assert namespace.data == {"a": f"{BUILT} 2026-02-28"}
    assert images(namespace).prune_unused(NOW.timestamp()) == 0
