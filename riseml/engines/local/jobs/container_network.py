"""Network of the containers of one experiment, in which each has its own address and real name.

    first attendant ──network create──▶ network ◀──run --ip── every attendant
         └── record, under a lock ◀───────────────── address, then a line of the hosts file

All containers have the same hosts file, to which each attendant adds its own line before
its container starts. The jobs meet before any of them runs a command (gang.sh), so no
name is missing then. The names need no name server, which not every machine has.
"""

import fcntl
import json
import os
import random

# Type checkers take this name as true. Loading `typing` itself would be slow.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_ATTEMPTS = 10
# 10.128.0.0/9 is rarely in use; a network of this size holds some thousand jobs.
_FIRST_BLOCK, _LAST_BLOCK = 128, 254
_BLOCK_STEP = 4
# The address 1 is that of the network's gateway.
_FIRST_HOST = 2
_HOSTS_PER_BLOCK = 250
_LOCAL = "127.0.0.1 localhost\n::1 localhost\n"


class Gang:
    """The network of a gang, as one job of it sees it.

    `spec` has the `record` and `hosts` files, the name of the `network`, `options` for
    its creation and `run_options` for containers, and the `names` of this job. `call` runs the container program, and
    returns its exit status.
    """

    def __init__(
        self, spec: "Mapping[str, Any]", call: "Callable[[list[str]], int]"
    ) -> None:
        self._spec, self._call = spec, call

    def join(self) -> "list[str] | None":
        """Make the network if it does not exist; return the options for this job's container.

        It is None if this machine makes no such networks.
        """
        with open(f"{self._spec['record']}.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            record = self._read() or self._create()
            if record is None:
                return None
            name = self._spec["names"][0]
            addresses: dict[str, str] = record["addresses"]
            if name not in addresses:
                addresses[name] = _address(record["blocks"], len(addresses))
            record["members"] = sorted({*record["members"], name})
            self._write(record)
            self._add_host(addresses[name])
        hosts = f"{self._spec['hosts']}:/etc/hosts:ro"
        words = ["--network", self._spec["network"], "--ip", addresses[name]]
        return [*words, *self._spec["run_options"], "--volume", hosts]

    def leave(self) -> None:
        """Remove the network if this job is the last one in it."""
        with open(f"{self._spec['record']}.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            record = self._read()
            if record is None:
                return
            own = self._spec["names"][0]
            record["members"] = [name for name in record["members"] if name != own]
            self._write(record)
            if record["members"]:
                return
            if self._call(["network", "rm", self._spec["network"]]) == 0:
                os.unlink(self._spec["record"])

    def _create(self) -> "dict[str, Any] | None":
        for _ in range(_ATTEMPTS):
            # No secret depends on the numbers.
            second = random.randint(_FIRST_BLOCK, _LAST_BLOCK)  # noqa: S311
            third = random.randrange(0, 256, _BLOCK_STEP)  # noqa: S311
            subnet = f"10.{second}.{third}.0/22"
            words = ["network", "create", "--subnet", subnet, *self._spec["options"]]
            if self._call([*words, self._spec["network"]]) == 0:
                return {"blocks": [second, third], "addresses": {}, "members": []}
            # An attendant that was killed has not recorded it.
            self._call(["network", "rm", self._spec["network"]])
        # The messages of this call explain the failure.
        self._call([*words, self._spec["network"]])
        return None

    def _read(self) -> "dict[str, Any] | None":
        try:
            with open(self._spec["record"], encoding="ascii") as file:
                record: dict[str, Any] = json.load(file)
        except OSError:
            return None
        return record

    def _write(self, record: "Mapping[str, Any]") -> None:
        draft = f"{self._spec['record']}.draft"
        with open(draft, "w", encoding="ascii") as file:
            json.dump(record, file)
        os.replace(draft, self._spec["record"])

    def _add_host(self, address: str) -> None:
        line = f"{address} {' '.join(self._spec['names'])}\n"
        with open(self._spec["hosts"], "a+", encoding="ascii") as file:
            file.seek(0)
            text = file.read()
            if line not in text:
                file.write(line if text else _LOCAL + line)


def _address(blocks: "list[int]", index: int) -> str:
    second, third = blocks
    block, host = divmod(index, _HOSTS_PER_BLOCK)
    return f"10.{second}.{third + block}.{_FIRST_HOST + host}"
