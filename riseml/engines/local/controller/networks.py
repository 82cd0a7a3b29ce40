"""Networks of experiments with `isolate_network`: which pods share one, and its gateway."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from riseml import labels
from riseml.dataclass import replace
from riseml.engines.local.jobs import network
from riseml.engines.local.jobs.launcher import Mount, ProcessSpec
from riseml.engines.local.jobs.pod_to_process import annotation
from riseml.errors import UnsupportedError
from riseml.plan import ExperimentSet

NOTE = (
    "isolate_network: jobs reach only the other jobs of their experiment, because this machine has no `pasta`;"
    " install it (package passt) for access to other machines"
)
_RESOLVER = Path("/etc/resolv.conf")
# A local name server listens in the machine's network only, and names its own servers here.
_SERVERS = Path("/run/systemd/resolve/resolv.conf")


def is_isolated(template: Mapping[str, Any]) -> bool:
    """Return whether the pods of a template have the network of their experiment only."""
    return annotation(template, labels.ISOLATE_NETWORK) == "true"


def isolated(
    spec: ProcessSpec, template: Mapping[str, Any], folder: Path, gang: str
) -> ProcessSpec:
    """Return a job in the network of its gang, whose file lies in `folder`.

    A job is returned unchanged if its template does not ask for that.
    """
    if not is_isolated(template):
        return spec
    pasta = gateway()
    mounts = spec.mounts
    if pasta and mounts and _has_local_resolver():
        mounts = (*mounts, Mount(str(_SERVERS), str(_RESOLVER), read_only=True))
    file = folder / f"network.{gang}"
    return replace(spec, mounts=mounts, network=str(file), gateway=pasta)


def gateway() -> str:
    """Return the path of pasta, empty if it is not installed."""
    return shutil.which("pasta") or ""


def check(plan: ExperimentSet) -> None:
    """Check that this machine can isolate the experiments of a plan.

    Raises:
        UnsupportedError: the plan asks for it, and the machine does not allow it.
    """
    if plan.isolate_network and not network.supported():
        raise UnsupportedError(
            "this machine does not allow `isolate_network`: it needs Linux with user and network namespaces",
            "Remove it and let programs listen at port 0; or enable namespaces (sysctl user.max_net_namespaces,"
            " and kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu).",
        )


def _has_local_resolver() -> bool:
    if not _SERVERS.exists():
        return False
    return "nameserver 127." in _RESOLVER.read_text(encoding="utf-8")
