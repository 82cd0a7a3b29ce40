"""Which pods of a run belong together, where they find each other, and what happens when one of their ports is lost.

The jobs of one attempt of an experiment are a gang; TensorBoard and the build have no peers. A gang's ports are chosen
before its first job starts, and used by the jobs some time later. Where somebody else was faster, the whole gang is
started once more with other ports; a second time it fails.
"""

import contextlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from riseml import labels
from riseml.engines.local.controller.ports import Addresses, Ports
from riseml.engines.local.jobs import processes

# The jobs of the run itself
OWN = "run"


class Gangs:
    """The gangs of one run, whose own files lie in `folder`."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self._folder, self._ports = folder, ports
        self._addresses: dict[str, Addresses] = {}
        self._renewed: set[str] = set()

    def placed(self, gang: str, template: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a pod's template with this machine's addresses in its environment.

        Raises:
            RiseMLError: there are no free ports.
        """
        addresses = self._of(gang)
        addresses.cover(template)
        container = template["container"]
        env = [
            {**entry, "value": addresses.map(entry["value"], template)}
            if entry.get("value")
            else entry
            for entry in container.get("env", ())
        ]
        return {**template, "container": {**container, "env": env}}

    def hold(self, gang: str) -> None:
        """Count the ports of a gang that an earlier controller has started."""
        self._of(gang)

    def leave(self, gang: str) -> None:
        """Forget a gang none of whose pods is left."""
        if addresses := self._addresses.pop(gang, None):
            addresses.release()

    def stolen(self, gang: str, keys: Collection[str]) -> str:
        """Return the word of the gang at whose port a process listens that has none of these keys; empty for none."""
        known = self._of(gang).known
        ports = {
            int(address.rpartition(":")[2]): word for word, address in known.items()
        }
        listening = _listeners() if ports else {}
        return next(
            (
                ports[port]
                for port, pid in listening.items()
                if port in ports and _owner(pid) not in keys
            ),
            "",
        )

    def renew(self, gang: str) -> bool:
        """Let the gang have other ports; False where it has had that already."""
        if gang in self._renewed:
            return False
        self._renewed.add(gang)
        self._of(gang).renew()
        return True

    def _of(self, gang: str) -> Addresses:
        if gang not in self._addresses:
            self._addresses[gang] = Addresses(file(self._folder, gang), self._ports)
        return self._addresses[gang]


def file(folder: Path, gang: str) -> Path:
    """Return where the addresses of a gang are kept, in a run's own folder."""
    return folder / f"addresses.{gang}.json"


def gang_of(template: Mapping[str, Any], attempt: int) -> str:
    """Return the gang of a pod: its experiment, and which attempt of that it is."""
    sub = template.get("metadata", {}).get("labels", {}).get(labels.EXPERIMENT)
    said = {
        entry["name"]: entry.get("value")
        for entry in template["container"].get("env", ())
    }
    return f"{sub}.{said.get('RISEML_ATTEMPT') or attempt}" if sub else OWN


def _listeners() -> dict[int, int]:
    """Return the ports of this machine at which somebody listens, and who; nothing where the system does not tell."""
    # Needed when a gang has failed
    import psutil  # noqa: PLC0415

    with contextlib.suppress(psutil.Error):
        connections = psutil.net_connections("tcp")
        return {
            each.laddr.port: each.pid or 0
            for each in connections
            if each.laddr and each.status == psutil.CONN_LISTEN
        }
    return {}


def _owner(pid: int) -> str | None:
    return processes.key_of(pid) if pid else None
