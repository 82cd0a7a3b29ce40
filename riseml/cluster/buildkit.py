"""BuildKit of an installation: its configuration, and its pods."""

import hashlib

from riseml.cluster import egress_values
from riseml.cluster.api import Object
from riseml.cluster.namespace_objects import environment
from riseml.cluster.values import Values

_CONFIGURATION = "riseml.io/configuration"
_FOLDER = "/authorities"


def adapt(template: Object, values: Values) -> None:
    """Adapt the template of BuildKit's pods to the values."""
    # A changed annotation restarts the pod, which reads its configuration only once.
    content = configuration(values) + values.authorities
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    template["metadata"]["annotations"][_CONFIGURATION] = digest
    section = values["buildkit"]
    (container,) = template["spec"]["containers"]
    if not section["rootless"]:
        container["securityContext"] = {"privileged": True}
        container["args"].remove("--oci-worker-no-process-sandbox")
        for mount in container["volumeMounts"]:
            if mount["name"] == "cache":
                mount["mountPath"] = "/var/lib/buildkit"
    container["args"] += section["arguments"]
    if section["command"]:
        container["command"] = section["command"]
    container["env"] = environment(egress_values.proxies(values.settings))
    if values.authorities:
        _trust(template["spec"], container)


def _trust(pod: Object, container: Object) -> None:
    """Let BuildKit trust the certificate authorities of the values."""
    source = {"name": egress_values.AUTHORITIES}
    pod["volumes"].append({"name": "authorities", "configMap": source})
    mount = {"name": "authorities", "mountPath": _FOLDER, "readOnly": True}
    container["volumeMounts"].append(mount)
    file = f"{_FOLDER}/{egress_values.AUTHORITIES_FILE}"
    container["env"].append({"name": "SSL_CERT_FILE", "value": file})


def configuration(values: Values) -> str:
    """Return the file buildkitd.toml."""
    registry = values["registry"]
    if not registry["insecure"]:
        return ""
    return f'[registry."{registry["address"]}"]\n  http = true\n'
