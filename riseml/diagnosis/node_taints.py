"""Taints that Kubernetes itself gives to nodes, in plain words."""

import re

_TAINTS = {
    "node.kubernetes.io/unschedulable": "closed by an administrator",
    "node.kubernetes.io/not-ready": "not ready",
    "node.kubernetes.io/unreachable": "without an answer to the cluster",
    "node.kubernetes.io/memory-pressure": "short of memory",
    "node.kubernetes.io/disk-pressure": "short of disk space",
    "node.kubernetes.io/pid-pressure": "short of process numbers",
    "node.kubernetes.io/network-unavailable": "without a network",
    "node.kubernetes.io/out-of-service": "out of service",
    "node.cloudprovider.kubernetes.io/uninitialized": "not set up by its cloud yet",
    "node.cloudprovider.kubernetes.io/shutdown": "shut down",
}
_TAINT = re.compile(r"untolerated taint(?:\(s\))? *\{?(?P<key>[^:}]*)(?P<rest>[^}]*)")
SETTINGS_ADVICE = (
    "An administrator sets node selectors and tolerations in values.yml:"
    " `riseml system upgrade -f values.yml`."
)
_CORDONED = re.compile(
    r"node\.kubernetes\.io/unschedulable|node\(s\) were unschedulable"
)


def described(reason: str) -> str:
    """Return what a reason of the scheduler says of nodes with a taint, empty if it is not about taints."""
    match = _TAINT.search(reason)
    if match is None:
        return ""
    if match["key"] in _TAINTS:
        return _TAINTS[match["key"]]
    taint = f"{match['key']}{match['rest']}".strip()
    return (
        f"reserved for other pods (taint {taint})"
        if taint
        else "reserved for other pods"
    )


def advice(text: str) -> str:
    """Return what helps where the scheduler's text names taints, empty if nothing does."""
    if _CORDONED.search(text):
        return "It starts by itself when an administrator opens such a node again: `kubectl uncordon NODE`."
    keys = {match["key"] for match in _TAINT.finditer(text)}
    if not keys:
        return ""
    if keys <= _TAINTS.keys():
        return "It starts by itself when such a node has recovered; administrators see them with `kubectl get nodes`."
    return SETTINGS_ADVICE
