"""Values of an installation: what an administrator configures once for all users.

    argo/values.yml (defaults) ◀── the administrator's values.yml ──▶ ConfigMap VALUES
                                                    │
                                                    ▼
                                     Offer, and Target of each user

`argo/values.yml` is the schema, too: a key that it does not contain is a fault, and so
is a value of another type.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from riseml.cluster import (
    SYSTEM,
    egress_values,
    gpu_values,
    queue_values,
    shipped_files,
    volume_values,
)
from riseml.cluster.api import Api, data_of, path
from riseml.cluster.namespace_objects import Offer
from riseml.dataclass import dataclass, field
from riseml.errors import InvalidInputError
from riseml.plan import Target
from riseml.schema import plain_yaml, text_file
from riseml.schema.messages import nearest

VALUES = "riseml-values"
"""ConfigMap of the namespace SYSTEM that contains the values."""

_FILE = "values.yml"
_FORMAT = "argo/values.yml shows all keys."
# The keys of these mappings are Kubernetes' or Argo's, and not checked.
_FREE_MAPPINGS = frozenset({
    "storage.volumes", "nodeSelectors.training", "nodeSelectors.build", "nodeSelectors.system", "argo.executor",
    "argo.nodeEvents", "argo.workflowEvents", "gpu.fractions", "gpu.types", "queue.kueue",
    "queue.volcano", "queue.coscheduling", "volumes", "securityContext.pod", "securityContext.container",
})  # fmt: skip
_TYPE_NAMES = {
    bool: "true or false",
    int: "a whole number",
    str: "text",
    list: "a list",
    dict: "a mapping",
}
# Keys that may be null, as they are in the defaults, which therefore lack their types.
_NULLABLE = {
    "storage.storageClass": str,
    "storage.volumes": dict,
    "registry.storageClass": str,
    "queue.kueue": dict,
    "queue.volcano": dict,
    "queue.coscheduling": dict,
}


@dataclass(frozen=True)
class Values:
    """Complete values of an installation; `given` are those that are not defaults."""

    settings: Mapping[str, Any]
    given: Mapping[str, Any]

    def __getitem__(self, section: str) -> Any:
        return self.settings[section]

    @property
    def authorities(self) -> str:
        """PEM text of certificate authorities, empty for those of images."""
        return str(self["certificateAuthorities"])

    @property
    def builds(self) -> bool:
        """Whether the cluster builds images."""
        return bool(self["build"] != egress_values.NO_BUILD)

    def deploys(self, section: str) -> bool:
        """Return whether RiseML runs its own `buildkit` or `registry`."""
        return self.builds and bool(self[section]["deploy"])

    def target(self) -> dict[str, Any]:
        """Return the fields of `Target` that differ from the defaults, as JSON data."""
        registry, selectors = self["registry"], self["nodeSelectors"]
        storage = self["storage"]
        claims = storage["claims"]
        saves_artifacts = storage["outputs"] == volume_values.ARTIFACTS
        is_on_one_node = storage["accessMode"] == volume_values.ONE_NODE
        pull_registry = registry["pullAddress"]
        # For `Target`, an empty address means the same one as for pushes.
        if pull_registry == registry["address"]:
            pull_registry = ""
        fields: dict[str, Any] = {
            "git_image": self["images"]["git"],
            "build_image": self["images"]["build"],
            "buildkit": self["buildkit"]["address"],
            "registry": registry["address"],
            "pull_registry": pull_registry,
            "insecure_registry": registry["insecure"],
            "builds": self.builds,
            "proxies": egress_values.proxies(self.settings),
            "authorities": egress_values.AUTHORITIES if self.authorities else "",
            "gpu_resource": self["gpuResource"],
            "gpu_fractions": gpu_values.fractions(self["gpu"]),
            "gpu_types": gpu_values.types(self["gpu"]),
            "limit_mem": self["limits"]["mem"],
            "limit_cpus": self["limits"]["cpus"],
            "node_selector": selectors["training"],
            "build_node_selector": selectors["build"],
            "tolerations": self["tolerations"],
            "pull_secrets": self["imagePullSecrets"],
            "data_claim": claims["data"],
            "output_claim": claims["output"],
            "store_claim": claims["store"],
            "pod_security": self["securityContext"]["pod"],
            "container_security": self["securityContext"]["container"],
            "single_node": is_on_one_node and not saves_artifacts,
            "saves_artifacts": saves_artifacts,
            "volumes": volume_values.volumes(self["volumes"]),
            "queue": queue_values.queue(self["queue"]),
            "instance": self["argo"]["instanceId"],
        }
        defaults = Target()
        return {
            name: value
            for name, value in fields.items()
            if value != _json_value(getattr(defaults, name))
        }

    def offer(self) -> Offer:
        """Return the settings from which users' namespaces are created."""
        storage = self["storage"]
        return Offer(
            image=self["images"]["git"],
            storage_class=storage["storageClass"],
            access_mode=storage["accessMode"],
            sizes={f"riseml-{name}": size for name, size in storage["sizes"].items()},
            volumes=storage["volumes"],
            sources=volume_values.sources(self["volumes"]),
            authorities=self.authorities,
            target=self.target(),
            gpu_resource=self["gpuResource"],
            argo_server=self["argo"]["server"].rstrip("/"),
        )

    def text(self) -> str:
        """Return the values that are not defaults as YAML, empty if there are none."""
        if not self.given:
            return ""
        return str(yaml.safe_dump(dict(self.given), sort_keys=False))


def parse(text: str, name: str = _FILE, *, lenient: bool = False) -> Values:
    """Return the values of a YAML text; `name` is its name in errors.

    With `lenient`, keys that this version does not know are ignored.

    Raises:
        InvalidInputError: the text has faults; the error names all of them.
    """
    given = plain_yaml.parse(text, name, _FORMAT).content
    return parse_content(given, name, lenient=lenient)


def parse_content(
    given: Mapping[str, Any], name: str = _FILE, *, lenient: bool = False
) -> Values:
    """Return the values of parsed YAML; see `parse`.

    Raises:
        InvalidInputError: the content has faults; the error names all of them.
    """
    merge = _Merge()
    settings = merge.mapping(_defaults(), given, "")
    settings["volumes"] = merge.volumes(settings["volumes"])
    faults = merge.faults if lenient else merge.faults + merge.unknown_keys
    faults = [*faults, *gpu_values.faults(settings["gpu"])]
    faults += volume_values.faults(settings)
    faults += egress_values.faults(settings)
    faults += queue_values.faults(settings["queue"])
    if faults:
        raise InvalidInputError(
            "\n".join(f"{name}: {fault}" for fault in faults),
            _FORMAT,
        )
    return Values(settings, given)


def load(file: str | Path) -> Values:
    """Return the values of a file.

    Raises:
        InvalidInputError: the file is missing, or has faults.
        HomeError: it cannot be read.
    """
    text = text_file.read(file, _FORMAT)
    if text is None:
        raise InvalidInputError(f"there is no file {file}", _FORMAT)
    return parse(text, str(file))


def read_values(api: Api) -> Values:
    """Return the values in the cluster, the defaults if RiseML is not installed there."""
    text = data_of(api, path("configmaps", SYSTEM, VALUES)).get(_FILE, "")
    # A newer version of RiseML may have written it.
    return parse(text, f"the ConfigMap {VALUES}", lenient=True)


def config_map(values: Values) -> dict[str, Any]:
    """Return the ConfigMap that contains values."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": VALUES, "namespace": SYSTEM},
        "data": {_FILE: values.text()},
    }


@cache
def _defaults() -> dict[str, Any]:
    defaults: dict[str, Any] = yaml.safe_load(shipped_files.read(_FILE))
    return defaults


@dataclass
class _Merge:
    """Merge of given values into the defaults, with the faults found on the way."""

    faults: list[str] = field(default_factory=list)
    unknown_keys: list[str] = field(default_factory=list)

    def mapping(
        self, defaults: Mapping[str, Any], given: Mapping[str, Any], prefix: str
    ) -> dict[str, Any]:
        """Return the merged mapping; `prefix` is the key of the mapping itself."""
        result = dict(defaults)
        for key, value in given.items():
            if key in defaults:
                result[key] = self._value(defaults[key], value, f"{prefix}{key}")
                continue
            fault = f"there is no key '{prefix}{key}'"
            suggestion = nearest(str(key), list(defaults))
            if suggestion:
                fault += f"; did you mean '{prefix}{suggestion}'?"
            self.unknown_keys.append(fault)
        return result

    def volumes(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the complete fields of all further volumes."""
        defaults = dict.fromkeys(given, volume_values.DEFAULTS)
        return self.mapping(defaults, given, "volumes.")

    def _value(self, default: Any, value: Any, key: str) -> Any:
        if value is None and key in _NULLABLE:
            return None
        expected = _NULLABLE.get(key) or type(default)
        # `isinstance` would accept true and false as numbers.
        if type(value) is not expected:
            self.faults.append(
                f"'{key}' must be {_TYPE_NAMES[expected]}, not {value!r}"
            )
            return default
        is_free = key in _FREE_MAPPINGS or key.endswith(".source")
        if expected is dict and not is_free:
            return self.mapping(default, value, f"{key}.")
        return value


def _json_value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
