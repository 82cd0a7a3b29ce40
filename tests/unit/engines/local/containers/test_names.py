"""Names of images as docker and clusters understand them."""

import pytest

from riseml.engines.local.containers import names


@pytest.mark.parametrize(
    ("image", "complete"),
    [
        ("redis:7", "docker.io/library/redis:7"),
        ("pytorch/pytorch", "docker.io/pytorch/pytorch"),
        ("ghcr.io/me/net:1", "ghcr.io/me/net:1"),
        ("localhost/base:1", "localhost/base:1"),
        ("127.0.0.1:5000/net", "127.0.0.1:5000/net"),
    ],
)
def test_a_name_without_registry_is_at_docker_hub(image: str, complete: str) -> None:
    assert names.qualified(image) == complete


@pytest.mark.parametrize(
    ("image", "moves"),
    [
        ("redis", True),
        ("localhost:5000/net", True),
        ("localhost:5000/net:latest", True),
        ("redis:7", False),
        (f"redis@sha256:{'0' * 64}", False),
    ],
)
def test_only_the_tag_latest_moves(image: str, moves: bool) -> None:
    assert names.has_latest(image) is moves


@pytest.mark.parametrize(
    ("image", "is_bare"),
    [
        ("python", True),
        ("python:3.12-slim", True),
        ("docker.io/library/ubuntu:24.04", True),
        ("me/python:3.12", False),
        ("ghcr.io/me/python", False),
        ("tensorflow/tensorflow:2.18.0", False),
    ],
)
def test_an_image_without_packages_is_bare(image: str, is_bare: bool) -> None:
    assert names.is_bare(image) is is_bare
