"""Free ports of this machine for the addresses that a document gives to its jobs.

    mnist-14-1-worker-1.riseml:2222   ──▶   127.0.0.1:23117   the same for all jobs of a gang, unique on this machine
    0.0.0.0:6006                      ──▶   127.0.0.1:24010   where a container declares that it listens at 6006

The addresses of a gang lie in a file beside the folders of its jobs. A job that starts
late reads the same file, and so does a command that shows the URL of a TensorBoard.
"""

import json
import random
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from riseml.errors import RiseMLError

LOCALHOST = "127.0.0.1"
# These lie below the ports that operating systems choose for outgoing connections.
_FIRST, _LAST = 20_000, 32_000
_ATTEMPTS = 500


class Ports:
    """The ports that this home has reserved for its jobs."""

    def __init__(self) -> None:
        self._reserved: set[int] = set()

    def reserve(self, count: int) -> list[int]:
        """Choose and reserve free ports.

        Raises:
            RiseMLError: too few free ports were found.
        """
        ports: list[int] = []
        for _ in range(_ATTEMPTS + count):
            if len(ports) == count:
                break
            # The number is not a secret, so a predictable generator will do.
            port = random.randint(_FIRST, _LAST)  # noqa: S311
            if port not in self._reserved and is_free(port):
                self._reserved.add(port)
                ports.append(port)
        if len(ports) < count:
            raise RiseMLError(
                f"no free port was found on {LOCALHOST}",
                f"RiseML tries ports {_FIRST} to {_LAST}. Stop programs that use them.",
            )
        return ports

    def add_reserved(self, ports: Iterable[int]) -> None:
        """Count ports that an earlier controller reserved."""
        self._reserved.update(ports)

    def release(self, ports: Iterable[int]) -> None:
        """Make ports available again."""
        self._reserved.difference_update(ports)


class GangAddresses:
    """The addresses of one gang: from those of the document to those of this machine.

    `local_by_document` is kept in `file`.
    """

    def __init__(self, file: Path, ports: Ports) -> None:
        self._file, self._ports = file, ports
        self.local_by_document = read_addresses(file)
        ports.add_reserved(self._local_ports())

    def cover(self, template: Mapping[str, Any]) -> None:
        """Choose local addresses for those of a template that have none yet.

        Raises:
            RiseMLError: there are no free ports.
        """
        missing = [
            address
            for address in dict.fromkeys(_addresses_in(template))
            if address not in self.local_by_document and ":" in address
        ]
        if not missing:
            return
        ports = self._ports.reserve(len(missing))
        for address, port in zip(missing, ports, strict=True):
            self.local_by_document[address] = f"{LOCALHOST}:{port}"
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(self.local_by_document), encoding="ascii")

    def localize(self, text: str, template: Mapping[str, Any]) -> str:
        """Replace the template's addresses in a text; a host alone becomes localhost."""
        pattern = _pattern(template)
        if pattern is None:
            return text
        return pattern.sub(
            lambda match: self.local_by_document.get(match[0], LOCALHOST), text
        )

    def release(self) -> None:
        """Release the ports and remove the file; the next `cover` chooses other ports."""
        self._ports.release(self._local_ports())
        self._file.unlink(missing_ok=True)
        self.local_by_document = {}

    def _local_ports(self) -> list[int]:
        return list(map(port_of, self.local_by_document.values()))


def read_addresses(file: Path) -> dict[str, str]:
    """Return a gang's local addresses by those of the document; empty without a file."""
    try:
        addresses: dict[str, str] = json.loads(file.read_text(encoding="ascii"))
    except OSError:
        return {}
    return addresses


def is_free(port: int) -> bool:
    """Return whether no process listens at a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError:
            return False
    return True


def port_of(address: str) -> int:
    """Return the port of a `host:port`."""
    return int(address.rpartition(":")[2])


def _addresses_in(template: Mapping[str, Any]) -> Iterator[str]:
    pattern = _pattern(template)
    if pattern is None:
        return
    for entry in template["container"].get("env", ()):
        for match in pattern.finditer(entry.get("value", "")):
            yield match[0]


def _pattern(template: Mapping[str, Any]) -> re.Pattern[str] | None:
    """Return a pattern for a template's addresses, None if it can contain none.

    It matches pods of the template's subdomain, and ports at which its container listens.
    """
    patch = template.get("podSpecPatch")
    subdomain = json.loads(patch).get("subdomain") if patch else None
    declared = template["container"].get("ports", ())
    alternatives = _alternatives(
        subdomain, [str(port["containerPort"]) for port in declared]
    )
    if not alternatives:
        return None
    return re.compile(rf"(?<![\w.:-])(?:{'|'.join(alternatives)})(?![\w.:-])", re.ASCII)


def _alternatives(subdomain: str | None, listening: Sequence[str]) -> list[str]:
    alternatives = []
    if subdomain:
        alternatives.append(rf"[a-z0-9-]+\.{re.escape(subdomain)}(?::\d+)?")
    if listening:
        alternatives.append(rf"0\.0\.0\.0:(?:{'|'.join(listening)})")
    return alternatives
