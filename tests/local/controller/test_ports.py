"""Addresses of this machine for those of a document."""

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


def test_all_jobs_of_a_gang_get_the_same_addresses(tmp_path: Path) -> None:
    ports, file = Ports(), tmp_path / "run" / "addresses.json"
    config = '{"worker": ["mnist-1-1-worker-1.riseml:2222"], "ps": ["mnist-1-1-ps.riseml:2222"]}'
    first = GangAddresses(file, ports)
    first.cover(template(config))
    localized = json.loads(first.localize(config, template()))
    assert localized["worker"] != localized["ps"]
    assert all(
        word.startswith(f"{LOCALHOST}:")
        for words in localized.values()
        for word in words
    )
    reread = GangAddresses(file, ports)
    reread.cover(template(config))
    assert json.loads(reread.localize(config, template())) == localized
    assert read_addresses(file) == reread.local_by_document


def test_a_host_without_a_port_becomes_localhost(tmp_path: Path) -> None:
    addresses = GangAddresses(tmp_path / "addresses.json", Ports())
    assert addresses.localize("mnist-1-1-master.riseml", template()) == LOCALHOST


def test_other_text_is_unchanged(tmp_path: Path) -> None:
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


def test_a_port_is_mapped_only_if_its_container_listens_there(tmp_path: Path) -> None:
    addresses = GangAddresses(tmp_path / "addresses.json", Ports())
    tensorboard = template("0.0.0.0:6006", "0.0.0.0:6007", patch=None, listens=6006)
    addresses.cover(tensorboard)
    assert list(addresses.local_by_document) == ["0.0.0.0:6006"]
    assert addresses.localize("0.0.0.0:6007", tensorboard) == "0.0.0.0:6007"


def test_a_port_is_reserved_once_until_it_is_released(tmp_path: Path) -> None:
    ports = Ports()
    reserved = ports.reserve(200)
    assert len(set(reserved)) == 200
    assert not set(reserved) & set(ports.reserve(200))
    addresses = GangAddresses(tmp_path / "addresses.json", ports)
    addresses.cover(template("a.riseml:1"))
    previous = addresses.local_by_document
    addresses.release()
    assert not (tmp_path / "addresses.json").exists()
    addresses.cover(template("a.riseml:1"))
    assert addresses.local_by_document.keys() == previous.keys()


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.create_server((LOCALHOST, 0)) as server:
        assert not is_free(server.getsockname()[1])
