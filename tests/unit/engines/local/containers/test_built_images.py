"""Images that install steps have made: their sizes, and which of them are removed."""

import os
from pathlib import Path

import pytest

from riseml.engines.local.containers import built_images
from riseml.engines.local.containers.preparation import find_built
from tests.unit.engines.local.containers.fake_programs import Programs

_DAY = 86_400.0


def record(key: str, number: int) -> dict[str, object]:
    labels = {"riseml.image": key, "riseml.home": "/home/me/.riseml"}
    return {"Id": f"{number}" * 64, "Size": number * 1000, "Config": {"Labels": labels}}


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """Return a podman with three images: one is used by a container."""
    programs = Programs(tmp_path / "programs")
    images = {}
    for number, key in enumerate(("0a", "0b", "used"), 1):
        images[f"localhost/riseml/{key}"] = record(key, number)
    programs.podman(images=images)
    return programs


def test_images_are_listed_with_their_sizes(tmp_path: Path, programs: Programs) -> None:
    assert not list(built_images.built_images(tmp_path, programs.environment))
    built_images.mark_used(tmp_path, "0a")
    os.utime(tmp_path / "images" / "0a", (_DAY, _DAY))
    images = built_images.built_images(tmp_path, programs.environment)
    found = [(image.name, image.size, image.last_use) for image in images]
    assert found == [
        ("localhost/riseml/0a", 1000, _DAY),
        ("localhost/riseml/0b", 2000, 0.0),
        ("localhost/riseml/used", 3000, 0.0),
    ]


def test_only_unused_images_are_removed(tmp_path: Path, programs: Programs) -> None:
    for key in ("0a", "0b"):
        built_images.mark_used(tmp_path, key)
    os.utime(tmp_path / "images" / "0a", (_DAY, _DAY))
    assert built_images.remove_unused(tmp_path, programs.environment, 2 * _DAY) == 1
    removals = [call for call in programs.calls() if call.startswith("podman image rm")]
    assert removals == [
        "podman image rm localhost/riseml/0a",
        # A container uses this one, so it stays.
        "podman image rm localhost/riseml/used",
    ]
    assert not (tmp_path / "images" / "0a").exists()


def test_images_of_a_broken_engine_are_left_out(
    tmp_path: Path, programs: Programs
) -> None:
    built_images.mark_used(tmp_path, "0a")
    programs.fail("podman", "it is broken")
    assert built_images.remove_unused(tmp_path, programs.environment, _DAY) == 0
    assert find_built("0a", programs.environment) is None


def test_a_built_image_is_found_by_its_key(programs: Programs) -> None:
    assert find_built("0b", programs.environment) == "localhost/riseml/0b"
    assert find_built("0c", programs.environment) is None
