"""Proxies and certificate authorities reach jobs on the cluster of KUBECONFIG."""

import json
from pathlib import Path

import pytest

from riseml.cluster import egress_values
from riseml.cluster.api import path
from riseml.cluster.user_namespace import UserNamespace
from riseml.cluster.values import parse
from riseml.engines.argo.engine import ArgoEngine
from tests.cluster.user_namespace import IMAGE
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(200),
    pytest.mark.xdist_group("egress"),
]

NAMESPACE = "riseml-egress"
PEM = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
TEXT = f"""
proxy: {{https: "http://proxy.example:3128", except: .example}}
certificateAuthorities: {json.dumps(PEM)}
"""
RUN = 'cp "$SSL_CERT_FILE" $OUTPUT_DIR/ca; echo "$https_proxy $NO_PROXY" > $OUTPUT_DIR/proxy'


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "project"
    folder.mkdir()
    engine = cluster.engine(tmp_path / "home", NAMESPACE)
    administrator = cluster.administrator()
    administrator.apply(egress_values.config_map(PEM), NAMESPACE)
    # The user keeps the images and volumes of the tests, and gets the rest of the values.
    site = parse(TEXT).target()
    at = path("configmaps", NAMESPACE, "riseml")
    data = administrator.get(at)["data"]
    target = json.loads(data["target"])
    target |= {name: site[name] for name in ("proxies", "authorities")}
    administrator.patch(at, {"data": {"target": json.dumps(target)}})
    return Bench(engine, folder, IMAGE, 150.0, project="egress")


def test_a_job_has_the_proxy_and_the_authorities(bench: Bench) -> None:
    number = bench.train(
        f"resources: {{cpus: 0.1, mem: 64}}\nrun: {json.dumps(RUN)}\n"
    ).number
    bench.wait(number)
    engine = bench.engine
    assert isinstance(engine, ArgoEngine)
    target = UserNamespace(engine.api, NAMESPACE).target
    assert target.authorities == egress_values.AUTHORITIES
    folder = f"/output/{engine.user}/egress/{number}"
    assert engine.store.script('cat "$1/ca"', folder).decode() == PEM
    address, direct = engine.store.script('cat "$1/proxy"', folder).decode().split()
    assert address == "http://proxy.example:3128"
    assert {".riseml", ".example"} <= set(direct.split(","))
