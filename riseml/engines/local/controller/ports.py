"""Where the jobs of one machine find each other: words `host:port` of the document become free ports of 127.0.0.1.

    mnist-14-1-worker-1.riseml:2222   ──▶   127.0.0.1:23117      the same for all jobs of a gang, unique on this machine
    0.0.0.0:6006                      ──▶   127.0.0.1:24010      where a container says that it listens at 6006

What was chosen for a gang is a file beside the folders of its jobs, so a job that starts late, and a command that shows
the address of a TensorBoard, read the same.
"""

import json
import random
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from riseml.errors import RiseMLError

HERE = "127.0.0.1"
_FIRST, _LAST = (
    20_000,
    32_000,
)  # below the ports that systems take for outgoing connections
_TRIES = 500


class Ports:
    """The ports that jobs of this home have been given."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def take(self, count: int) -> list[int]:
        """Return free ports.

        Raises:
            RiseMLError: there seem to be none.
        """
        found: list[int] = []
        for _ in range(_TRIES + count):
            if len(found) == count:
                break
            # Nobody's secret
            port = random.randint(_FIRST, _LAST)  # noqa: S311
            if port not in self._taken and is_free(port):
                self._taken.add(port)
                found.append(port)
        if len(found) < count:
            raise RiseMLError(
                f"no free port was found on {HERE}",
                f"Ports {_FIRST} to {_LAST} were tried.",
            )
        return found

    def hold(self, ports: Iterable[int]) -> None:
        """Count ports that were given by an earlier controller."""
        self._taken.update(ports)

    def release(self, ports: Iterable[int]) -> None:
        """Give ports back."""
        self._taken.difference_update(ports)


class Addresses:
    """The words of one gang, or of a run's own jobs, and the addresses that stand for them; kept in `file`."""

    def __init__(self, file: Path, ports: Ports) -> None:
        self._file, self._ports = file, ports
        self.known = read(file)
        ports.hold(map(_port, self.known.values()))

    def cover(self, template: Mapping[str, Any]) -> None:
        """Choose addresses for the words of a template that have none yet.

        Raises:
            RiseMLError: there are no free ports.
        """
        values = [
            entry.get("value", "") for entry in template["container"].get("env", ())
        ]
        pattern = _pattern(template)
        found = (
            [match[0] for value in values for match in pattern.finditer(value)]
            if pattern
            else []
        )
        missing = [
            word
            for word in dict.fromkeys(found)
            if word not in self.known and ":" in word
        ]
        if missing:
            chosen = self._ports.take(len(missing))
            self.known |= {
                word: f"{HERE}:{port}"
                for word, port in zip(missing, chosen, strict=True)
            }
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps(self.known), encoding="ascii")

    def map(self, text: str, template: Mapping[str, Any]) -> str:
        """Return text with all words of the template replaced; a host alone is this machine."""
        pattern = _pattern(template)
        return (
            pattern.sub(lambda match: self.known.get(match[0], HERE), text)
            if pattern
            else text
        )

    def renew(self) -> None:
        """Forget all: the next `cover` chooses anew."""
        self.release()
        self.known = {}

    def release(self) -> None:
        """Give the ports back, and drop the file."""
        self._ports.release(map(_port, self.known.values()))
        self._file.unlink(missing_ok=True)


def read(file: Path) -> dict[str, str]:
    """Return what was chosen: the word of the document and the address of this machine."""
    try:
        found: dict[str, str] = json.loads(file.read_text(encoding="ascii"))
    except OSError:
        return {}
    return found


def is_free(port: int) -> bool:
    """Whether nobody listens at a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HERE, port))
        except OSError:
            return False
    return True


def _pattern(template: Mapping[str, Any]) -> re.Pattern[str] | None:
    """Return what finds the words that name a pod of the template's subdomain, or a port at which it listens."""
    patch = template.get("podSpecPatch")
    subdomain = json.loads(patch).get("subdomain") if patch else None
    listens = [
        str(port["containerPort"]) for port in template["container"].get("ports", ())
    ]
    words = _words(subdomain, listens)
    return (
        re.compile(rf"(?<![\w.:-])(?:{'|'.join(words)})(?![\w.:-])", re.ASCII)
        if words
        else None
    )


def _words(subdomain: str | None, listens: Sequence[str]) -> list[str]:
    peers = [rf"[a-z0-9-]+\.{re.escape(subdomain)}(?::\d+)?"] if subdomain else []
    return [*peers, *([rf"0\.0\.0\.0:(?:{'|'.join(listens)})"] if listens else [])]


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
