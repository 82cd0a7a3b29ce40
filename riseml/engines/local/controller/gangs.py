"""Gangs of a run: which pods belong together, and where they reach each other.

The jobs of one attempt of an experiment are a gang; TensorBoard and the build have no
peers. The controller chooses a gang's ports before its first job starts, and the jobs
use them a little later. If another program takes such a port in between, the whole gang
restarts once with other ports; the second time it fails.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from riseml.engines.local.controller.ports import GangAddresses, Ports, port_of
from riseml.engines.local.interpreter import events
from riseml.engines.local.jobs import processes
from riseml.engines.local.jobs.gang_names import gang_of
from riseml.engines.local.jobs.pod import Pod, container_names
from riseml.engines.local.jobs.pod_to_process import experiment_number


class Gangs:
    """The gangs of one run, whose address files lie in `folder`."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self._folder, self._ports = folder, ports
        self._addresses: dict[str, GangAddresses] = {}
        self._renewed: set[str] = set()

    def localize(self, gang: str, template: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a pod's template with addresses of this machine in its environment.

        Raises:
            RiseMLError: there are no free ports.
        """
        addresses = self._addresses_of(gang)
        addresses.cover(template)
        container = template["container"]
        env = []
        for entry in container.get("env", ()):
            value = entry.get("value")
            if value:
                env.append({**entry, "value": addresses.localize(value, template)})
            else:
                env.append(entry)
        return {**template, "container": {**container, "env": env}}

    def adopt(self, gang: str) -> None:
        """Reserve the ports of a gang that an earlier controller has started."""
        self._addresses_of(gang)

    def remove(self, gang: str) -> None:
        """Release the ports of a gang whose last pod is gone."""
        addresses = self._addresses.pop(gang, None)
        if addresses is not None:
            addresses.release()

    def lost_address(self, gang: str, keys: Collection[str]) -> str:
        """Return the document's address whose port another program uses, if any.

        `keys` belong to the gang's pods: their processes may listen. The result is empty
        if all ports are the gang's own.
        """
        addresses = self._addresses_of(gang).local_by_document
        listeners = _listeners() if addresses else {}
        for address, local_address in addresses.items():
            pid = listeners.get(port_of(local_address))
            if pid is not None and _key_of(pid) not in keys:
                return address
        return ""

    def renew(self, gang: str) -> bool:
        """Let a gang choose other ports; return False if it has done so before."""
        if gang in self._renewed:
            return False
        self._renewed.add(gang)
        self._addresses_of(gang).release()
        return True

    def _addresses_of(self, gang: str) -> GangAddresses:
        if gang not in self._addresses:
            file = addresses_file(self._folder, gang)
            self._addresses[gang] = GangAddresses(file, self._ports)
        return self._addresses[gang]


def addresses_file(folder: Path, gang: str) -> Path:
    """Return the file of a gang's addresses in a run's own folder."""
    return folder / f"addresses.{gang}.json"


def waiting_pod(key: str, directory: Path, action: events.StartPod) -> Pod:
    """Return the pod of an action, before it starts."""
    return Pod(
        key,
        action.node,
        experiment_number(action.template),
        container_names(action.template),
        {},
        directory,
        directory / "log",
        action,
        gang_of(action.template, action.attempt),
    )


def _listeners() -> dict[int, int]:
    """Return the pid of the listener at each port; empty if the system does not say."""
    # psutil is slow to load, and needed only when a gang has failed.
    import psutil  # noqa: PLC0415

    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:
        return {}
    pids = {}
    for connection in connections:
        if connection.laddr and connection.status == psutil.CONN_LISTEN:
            pids[connection.laddr.port] = connection.pid or 0
    return pids


def _key_of(pid: int) -> str | None:
    return processes.key_of(pid) if pid else None
