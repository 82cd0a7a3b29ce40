"""The network of a gang in containers: addresses, names, and who removes it."""

from pathlib import Path
from typing import Any

import pytest

from riseml.engines.local.jobs import container_network
from riseml.engines.local.jobs.container_network import Gang


class Program:
    """A container program that knows its networks."""

    def __init__(self) -> None:
        self.networks: set[str] = set()
        self.calls: list[list[str]] = []
        self.failures = 0

    def __call__(self, words: list[str]) -> int:
        self.calls.append(words)
        name = words[-1]
        if words[1] == "rm":
            self.networks.discard(name)
            return 0
        if self.failures or name in self.networks:
            self.failures = max(0, self.failures - 1)
            return 125
        self.networks.add(name)
        return 0


@pytest.fixture
def program() -> Program:
    return Program()


def gang(folder: Path, program: Program, host: str) -> Gang:
    spec: dict[str, Any] = {
        "record": str(folder / "containers.1.0.json"),
        "hosts": str(folder / "hosts.1.0"),
        "network": "riseml-0123",
        "options": ["--label", "a=b"],
        "run_options": ["--no-hosts"],
        "names": [f"{host}.riseml", host],
    }
    return Gang(spec, program)


def address(words: list[str] | None) -> str:
    assert words is not None
    return words[words.index("--ip") + 1]


def test_each_job_has_an_address_and_all_know_the_names(
    tmp_path: Path, program: Program
) -> None:
    first, second = (gang(tmp_path, program, host) for host in ("ps", "worker"))
    words = first.join()
    addresses = [address(words), address(second.join())]
    assert words is not None
    assert words[:2] == ["--network", "riseml-0123"]
    assert words[4:] == ["--no-hosts", "--volume", f"{tmp_path}/hosts.1.0:/etc/hosts:ro"]  # fmt: skip
    assert [text.rpartition(".")[2] for text in addresses] == ["2", "3"]
    assert (tmp_path / "hosts.1.0").read_text() == (
        f"127.0.0.1 localhost\n::1 localhost\n{addresses[0]} ps.riseml ps\n"
        f"{addresses[1]} worker.riseml worker\n"
    )
    assert len([call for call in program.calls if call[1] == "create"]) == 1


def test_a_job_that_starts_again_keeps_its_address(
    tmp_path: Path, program: Program
) -> None:
    job = gang(tmp_path, program, "ps")
    assert address(job.join()) == address(job.join())


def test_the_last_job_removes_the_network(tmp_path: Path, program: Program) -> None:
    first, second = (gang(tmp_path, program, host) for host in ("ps", "worker"))
    first.join()
    second.join()
    first.leave()
    assert program.networks == {"riseml-0123"}
    second.leave()
    assert program.networks == set()
    second.leave()


def test_another_network_is_tried_if_one_is_in_use(
    tmp_path: Path, program: Program
) -> None:
    program.failures = 2
    assert gang(tmp_path, program, "ps").join() is not None
    created = [call for call in program.calls if call[1] == "create"]
    assert len(created) == 3
    assert created[0][3] != created[2][3]


def test_a_network_that_was_not_recorded_is_made_again(
    tmp_path: Path, program: Program
) -> None:
    program.networks.add("riseml-0123")
    assert gang(tmp_path, program, "ps").join() is not None


def test_a_machine_without_networks_has_none(tmp_path: Path, program: Program) -> None:
    program.failures = 100
    assert gang(tmp_path, program, "ps").join() is None


def test_hundreds_of_jobs_have_different_addresses() -> None:
    addresses = {container_network._address([200, 4], n) for n in range(1000)}
    assert len(addresses) == 1000
    assert {text.split(".")[2] for text in addresses} == {"4", "5", "6", "7"}
