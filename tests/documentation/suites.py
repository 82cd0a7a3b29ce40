"""What a page finds on the machine in each suite, beyond Python and RiseML.

cluster      `my.key` in the home, of a user of the cluster of KUBECONFIG, and `$ADMIN_KUBECONFIG`
containers   podman, with an image in place of python:3.12-slim
frameworks   `python` with the framework that the page is named after
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.documentation.shell import Provision

IMAGE = "python:3.12-slim"
# The other pages need TensorBoard.
_ENVIRONMENTS = {"pytorch": "torch", "jax": "jax", "mpi": "mpi", "horovod": "horovod"}


def provision(suite: str, path: Path, request: pytest.FixtureRequest) -> Provision:
    """Return what a page finds on the machine in a suite."""
    if suite not in _PROVISIONS:
        return Provision()
    return _PROVISIONS[suite](path, request)


def _frameworks(path: Path, request: pytest.FixtureRequest) -> Provision:
    from tests.frameworks import environments  # noqa: PLC0415

    folder = environments.prepare(_ENVIRONMENTS.get(path.stem, "tensorflow"))
    return Provision(python=str(folder / "bin" / "python"))


def _containers(path: Path, request: pytest.FixtureRequest) -> Provision:
    from tests.containers import programs  # noqa: PLC0415

    variables = {**programs.podman_settings(), "RISEML_RUNNER": "auto"}
    return Provision(variables=variables, images={IMAGE: programs.IMAGE})


def _cluster(path: Path, request: pytest.FixtureRequest) -> Provision:
    from tests.cluster.installed import REGISTRY  # noqa: PLC0415

    user = request.getfixturevalue("user")
    image = os.environ.get("RISEML_TEST_BASE_IMAGE", f"{REGISTRY}/base:1")
    return Provision(
        variables={"ADMIN_KUBECONFIG": os.environ["KUBECONFIG"]},
        files={"my.key": f"{user.key}\n"},
        images={IMAGE: image},
    )


_PROVISIONS: dict[str, Callable[[Path, pytest.FixtureRequest], Provision]] = {
    "frameworks": _frameworks,
    "containers": _containers,
    "cluster": _cluster,
}
