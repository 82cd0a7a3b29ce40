"""What is lost when the namespaces of users are deleted: active runs, and files."""

from collections.abc import Container

from riseml import labels
from riseml.cluster import argo_controllers, user_versions
from riseml.cluster.api import Api, path
from riseml.dataclass import dataclass

_UNFINISHED = f"{labels.USER},workflows.argoproj.io/completed!=true"
_DELETE = "Delete"


@dataclass(frozen=True)
class Losses:
    """Users, their active runs, and their volumes by whether the files are deleted."""

    users: tuple[str, ...]
    active_runs: int
    deleted_volumes: int
    kept_volumes: int


def of_all_users(api: Api) -> Losses:
    """Return what is lost with the namespaces of all users."""
    namespaces = user_versions.user_namespaces(api)
    deleted, retained = _volumes(api, namespaces)
    return Losses(
        tuple(sorted(namespaces.values())), _active_runs(api), deleted, retained
    )


def _active_runs(api: Api) -> int:
    if not argo_controllers.are_custom_resources_known(api):
        return 0
    workflows = api.items(path("workflows"), metadata=True, labelSelector=_UNFINISHED)
    return sum(1 for _ in workflows)


def _volumes(api: Api, namespaces: Container[str]) -> tuple[int, int]:
    """Return how many volumes are deleted with their claims, and how many are retained."""
    deleted = retained = 0
    for volume in api.items(path("persistentvolumes")):
        spec = volume["spec"]
        if spec.get("claimRef", {}).get("namespace") not in namespaces:
            continue
        if spec.get("persistentVolumeReclaimPolicy") == _DELETE:
            deleted += 1
        else:
            retained += 1
    return deleted, retained
