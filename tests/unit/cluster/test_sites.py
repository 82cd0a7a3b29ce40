"""Values and network policies of the pages for administrators."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from riseml import labels
from riseml.cluster import STORE, installation, shipped_files
from riseml.cluster.values import parse

DOCS = Path(__file__).parents[3] / "docs/cluster"


def blocks(page: str) -> Iterator[str]:
    """Yield the YAML of a page."""
    yield from re.findall(
        r"```yaml\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL
    )


SITES = [
    block.replace("…", "")
    for block in blocks("administration.md")
    if not block.startswith("project:")
]
POLICIES = [
    body for block in blocks("network.md") for body in yaml.safe_load_all(block)
]


@pytest.mark.parametrize("text", SITES)
def test_the_values_of_each_site_are_valid(text: str) -> None:
    values = parse(text)
    assert values.target()
    assert installation.objects(values)


def test_the_sites_differ_as_the_page_says() -> None:
    one_node, nfs, cloud, air_gapped = map(parse, SITES)
    assert one_node.target()["registry"] == "registry.example.com:5000"
    assert nfs.offer().volumes is not None
    assert nfs.deploys("registry")
    assert not cloud.deploys("registry")
    assert cloud.target()["registry"] == "registry.example.com/research"
    assert air_gapped.target()["proxies"]["no_proxy"].endswith(
        ".example.com,10.0.0.0/8"
    )
    assert air_gapped.authorities.startswith("-----BEGIN CERTIFICATE-----")


def test_the_policies_name_pods_and_ports_that_exist() -> None:
    pods = {STORE}
    ports = {53, 6443}
    for file in ("buildkit.yaml", "registry.yaml"):
        for body in shipped_files.documents(f"system/{file}"):
            if body["kind"] == "Deployment":
                template = body["spec"]["template"]
                pods.add(template["metadata"]["labels"]["app"])
                for port in template["spec"]["containers"][0]["ports"]:
                    ports.add(port["containerPort"])
    text = (DOCS / "network.md").read_text("utf-8")
    assert set(re.findall(r"\{app: ([a-z-]+)\}", text)) <= pods
    assert set(map(int, re.findall(r"port: (\d+)", text))) == ports
    assert f"`{labels.TYPE}: build`" in text
    assert f"key: {labels.USER}," in text


def test_each_policy_is_complete() -> None:
    assert len(POLICIES) == 3
    for policy in POLICIES:
        spec: dict[str, Any] = policy["spec"]
        assert spec["policyTypes"] == ["Ingress" if "ingress" in spec else "Egress"]
