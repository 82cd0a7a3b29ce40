"""The addresses that stand on this machine for those of the document."""

import json
import socket
from pathlib import Path
from typing import Any

from riseml.engines.local.controller.ports import (
    LOCALHOST,
    GangAddresses,
    Ports,
    is_free,
    read_addresses,
)

PATCH = json.dumps({"hostname": "mnist-1-1-worker-1", "subdomain": "riseml"})


def template(
    *values: str, patch: str | None = PATCH, listens: int | None = None
) -> dict[str, Any]:
    container: dict[str, Any] = {
        "env": [{"name": f"V{i}", "value": value} for i, value in enumerate(values)]
    }
    if listens:
        container["ports"] = [{"containerPort": listens}]
    return {"container": container, **({"podSpecPatch": patch} if patch else {})}


def test_all_of_a_gang_read_the_same(tmp_path: Path) -> None:
    ports, file = Ports(), tmp_path / "run" / "addresses.json"
    config = '{"worker": ["mnist-1-1-worker-1.riseml:2222"], "ps": ["mnist-1-1-ps.riseml:2222"]}'
    first = GangAddresses(file, ports)
    first.cover(template(config))
    found = json.loads(first.localize(config, template()))
    assert found["worker"] != found["ps"]
    assert all(
        word.startswith(f"{LOCALHOST}:") for words in found.values() for word in words
    )
    again = GangAddresses(file, ports)
    again.cover(template(config))
    assert json.loads(again.localize(config, template())) == found
    assert read_addresses(file) == again.local_by_document


def test_a_host_alone_is_this_machine(tmp_path: Path) -> None:
    addresses = GangAddresses(tmp_path / "addresses.json", Ports())
    assert addresses.localize("mnist-1-1-master.riseml", template()) == LOCALHOST


def test_other_words_stay(tmp_path: Path) -> None:
    addresses = GangAddresses(tmp_path / "addresses.json", Ports())
    for text in (
        "http://host:80",
        "x.riseml.io:2222",
        "0.0.0.0:6006",
        "a.riseml:22:33",
        "10.0.0.1:2222",
        "ariseml:1",
    ):
        addresses.cover(template(text))
        assert addresses.localize(text, template(text)) == text
    assert not (tmp_path / "addresses.json").exists()


def test_only_where_a_container_listens_its_own_port_is_mapped(tmp_path: Path) -> None:
    addresses = GangAddresses(tmp_path / "addresses.json", Ports())
    board = template("0.0.0.0:6006", "0.0.0.0:6007", patch=None, listens=6006)
    addresses.cover(board)
    assert list(addresses.local_by_document) == ["0.0.0.0:6006"]
    assert addresses.localize("0.0.0.0:6007", board) == "0.0.0.0:6007"


def test_ports_are_given_once_until_they_are_given_back(tmp_path: Path) -> None:
    ports = Ports()
    taken = ports.reserve(200)
    assert len(set(taken)) == 200
    assert not set(taken) & set(ports.reserve(200))
    addresses = GangAddresses(tmp_path / "addresses.json", ports)
    addresses.cover(template("a.riseml:1"))
    before = addresses.local_by_document
    addresses.release()
    assert not (tmp_path / "addresses.json").exists()
    addresses.cover(template("a.riseml:1"))
    assert addresses.local_by_document.keys() == before.keys()


def test_a_port_at_which_somebody_listens_is_not_free() -> None:
    with socket.create_server((LOCALHOST, 0)) as server:
        assert not is_free(server.getsockname()[1])
