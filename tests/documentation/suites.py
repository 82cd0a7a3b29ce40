"""What a page finds on the machine in each suite, beyond Python and RiseML.

cluster      `my.key` in the home, of a user of the cluster of KUBECONFIG, and `$ADMIN_KUBECONFIG`; where a
             page has the prompt `admin$`, this administrator has KUBECONFIG, and creates users itself
containers   podman, with an image in place of that of PyTorch
frameworks   `python` with the framework that the page is named after
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.documentation.shell import Provision

IMAGE = "python:3.12-slim"
_PYTORCH = "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime"
# The other pages need TensorBoard.
_ENVIRONMENTS = {"pytorch": "torch", "jax": "jax", "mpi": "mpi", "horovod": "horovod"}


def provision(
    suite: str, path: Path, request: pytest.FixtureRequest | None
) -> Provision:
    """Return what a page finds on the machine in a suite; `request` is needed for a cluster."""
    if suite not in _PROVISIONS:
        return Provision()
    return _PROVISIONS[suite](path, request)


def _frameworks(path: Path, request: pytest.FixtureRequest | None) -> Provision:
    from tests.frameworks import environments  # noqa: PLC0415

    folder = environments.prepare(_ENVIRONMENTS.get(path.stem, "tensorflow"))
    return Provision(python=str(folder / "bin" / "python"))


def _containers(path: Path, request: pytest.FixtureRequest | None) -> Provision:
    from tests.containers import programs  # noqa: PLC0415

    variables = {**programs.podman_settings(), "RISEML_RUNNER": "auto"}
    return Provision(variables=variables, images={_PYTORCH: programs.IMAGE})


def _cluster(path: Path, request: pytest.FixtureRequest | None) -> Provision:
    from tests.cluster.installed import REGISTRY  # noqa: PLC0415

    # Only a test can make a user.
    assert request
    if "admin$ " in path.read_text("utf-8"):
        return _administration(request)
    user = request.getfixturevalue("user")
    image = os.environ.get("RISEML_TEST_BASE_IMAGE", f"{REGISTRY}/base:1")
    return Provision(
        variables={"ADMIN_KUBECONFIG": os.environ["KUBECONFIG"]},
        files={"my.key": f"{user.key}\n"},
        images={IMAGE: image},
    )


def _random(count: int) -> str:
    # Plug-ins of pytest seed the usual generator.
    return "".join(random.SystemRandom().choices("23456789ghjkmnprstvwxyz", k=count))


def _administration(request: pytest.FixtureRequest) -> Provision:
    """Return what an administrator finds, whose users have other names in each run."""
    from riseml.cluster.api import Api  # noqa: PLC0415
    from tests.cluster import residents  # noqa: PLC0415
    from tests.cluster.installed import IMAGE as BUILDKIT  # noqa: PLC0415
    from tests.cluster.installed import REGISTRY  # noqa: PLC0415

    request.getfixturevalue("values")
    api: Api = request.getfixturevalue("api")
    # As long as those of the page, so that columns stay as they are, and unlike a hash.
    paul, ida = _random(3), _random(2)
    names = {"paul": f"z{paul}", "ida": f"q{ida}"}

    def remove_users() -> None:
        for name in names.values():
            residents.leave(api, f"riseml-{name}")

    request.addfinalizer(remove_users)
    image = os.environ.get("RISEML_TEST_BASE_IMAGE", f"{REGISTRY}/base:1")
    images = {
        IMAGE: image,
        "registry.example.com:5000": REGISTRY,
        "mirror.example.com/alpine/git:2": "localhost/base:1",
        "mirror.example.com/moby/buildkit:0.18": BUILDKIT,
        "/srv/riseml/": "/var/lib/riseml-volumes/",
        "https://cluster.example.com:6443": api.connection.server,
    }
    people = {"admin": {"KUBECONFIG": os.environ["KUBECONFIG"]}}
    return Provision(images=images, names=names, people=people)


_PROVISIONS: dict[str, Callable[[Path, pytest.FixtureRequest | None], Provision]] = {
    "frameworks": _frameworks,
    "containers": _containers,
    "cluster": _cluster,
}
