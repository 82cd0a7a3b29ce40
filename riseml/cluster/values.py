"""The values of an installation: what an administrator settles once for all users.

    argo/values.yml (as usual) ◀── values.yml of the administrator ──▶ ConfigMap VALUES ──▶ Offer, Target of each user

`argo/values.yml` is the schema, too: a key that it does not have is a fault, and so is a value of another kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from riseml.cluster import SYSTEM
from riseml.cluster.api import Api, path
from riseml.cluster.namespace_objects import Offer
from riseml.errors import InvalidInputError
from riseml.plan import Target
from riseml.schema.messages import nearest

VALUES = "riseml-values"
"""The ConfigMap of the namespace SYSTEM that keeps them."""

_KEY = "values.yml"
_PACKAGE = Path(__file__).resolve().parent.parent
_FREE = frozenset({
    "storage.volumes", "nodeSelectors.training", "nodeSelectors.build", "nodeSelectors.system", "argo.executor",
    "argo.nodeEvents", "argo.workflowEvents",
})  # fmt: skip  # mappings whose keys are Kubernetes', not ours
_KINDS = {
    bool: "true or false",
    int: "a whole number",
    str: "text",
    list: "a list",
    dict: "a mapping",
}
_OPTIONAL = {
    "storage.storageClass": str,
    "storage.volumes": dict,
    "registry.storageClass": str,
}


@dataclass(frozen=True)
class Values:
    """The values of an installation, complete; `given` are those that are not as usual."""

    settings: Mapping[str, Any]
    given: Mapping[str, Any]

    def __getitem__(self, section: str) -> Any:
        return self.settings[section]

    def target(self) -> dict[str, Any]:
        """Return the fields of `Target` that are not as usual, as JSON can say them."""
        registry, build, selectors = (
            self["registry"],
            self["buildkit"],
            self["nodeSelectors"],
        )
        told: dict[str, Any] = {
            "git_image": self["images"]["git"],
            "build_image": self["images"]["build"],
            "buildkit": build["address"],
            "registry": registry["address"],
            "pull_registry": ""
            if registry["pullAddress"] == registry["address"]
            else registry["pullAddress"],
            "insecure_registry": registry["insecure"],
            "gpu_resource": self["gpuResource"],
            "node_selector": selectors["training"],
            "build_node_selector": selectors["build"],
            "tolerations": self["tolerations"],
            "pull_secrets": self["imagePullSecrets"],
            "instance": self["argo"]["instanceId"],
        }
        usual = Target()
        return {
            name: value
            for name, value in told.items()
            if _plain(getattr(usual, name)) != value
        }

    def offer(self) -> Offer:
        """Return what `user create` makes a user's namespace from."""
        storage = self["storage"]
        return Offer(
            image=self["images"]["git"],
            storage_class=storage["storageClass"],
            sizes={f"riseml-{name}": size for name, size in storage["sizes"].items()},
            volumes=storage["volumes"],
            target=self.target(),
            gpu_resource=self["gpuResource"],
            argo_server=self["argo"]["server"].rstrip("/"),
        )

    def text(self) -> str:
        """Return the given ones as YAML."""
        return (
            str(yaml.safe_dump(dict(self.given), sort_keys=False)) if self.given else ""
        )


def shipped() -> Path:
    """Return the folder `argo`, in a wheel or in a checkout."""
    inside = _PACKAGE / "argo"
    return inside if inside.is_dir() else _PACKAGE.parent / "argo"


def parse(text: str, name: str = _KEY, *, lenient: bool = False) -> Values:
    """Return the values that a YAML text gives; `lenient`: leave out keys that this version does not have.

    Raises:
        InvalidInputError: it has faults; all of them are told.
    """
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInputError(f"{name} is no YAML: {error}") from None
    given = {} if given is None else given
    if not isinstance(given, dict):
        raise InvalidInputError(
            f"{name} must be a mapping", "argo/values.yml shows all keys."
        )
    faults: list[str] = []
    unknown: list[str] = []
    settings = _merged(_usual(), given, "", faults, unknown)
    if not lenient:
        faults += unknown
    if faults:
        raise InvalidInputError(
            "\n".join(f"{name}: {fault}" for fault in faults),
            "argo/values.yml shows all keys.",
        )
    return Values(settings, given)


def load(file: str | Path) -> Values:
    """Return the values of a file.

    Raises:
        InvalidInputError: it cannot be read, or has faults.
    """
    try:
        return parse(Path(file).read_text("utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{file} cannot be read: {error}") from None


def read_values(api: Api) -> Values:
    """Return the values that the cluster keeps; the usual ones where RiseML is not installed."""
    found = api.find(path("configmaps", SYSTEM, VALUES)) or {}
    return parse(
        found.get("data", {}).get(_KEY, ""), f"the ConfigMap {VALUES}", lenient=True
    )


def kept(values: Values) -> dict[str, Any]:
    """Return the ConfigMap that keeps values."""
    metadata = {"name": VALUES, "namespace": SYSTEM}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {_KEY: values.text()},
    }


@cache
def _usual() -> dict[str, Any]:
    usual: dict[str, Any] = yaml.safe_load((shipped() / _KEY).read_text("utf-8"))
    return usual


def _merged(
    usual: Mapping[str, Any],
    given: Mapping[str, Any],
    above: str,
    faults: list[str],
    unknown: list[str],
) -> dict[str, Any]:
    result = dict(usual)
    for key, value in given.items():
        whole = f"{above}{key}"
        if key not in usual:
            near = nearest(str(key), list(usual))
            unknown.append(
                f"there is no key '{whole}'"
                + (f"; did you mean '{above}{near}'?" if near else "")
            )
            continue
        kind = _OPTIONAL.get(whole) or type(usual[key])
        if value is None and whole in _OPTIONAL:
            result[key] = None
        elif type(value) is not kind:
            faults.append(f"'{whole}' must be {_KINDS[kind]}, not {value!r}")
        elif kind is dict and whole not in _FREE:
            result[key] = _merged(usual[key], value, f"{whole}.", faults, unknown)
        else:
            result[key] = value
    return result


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
