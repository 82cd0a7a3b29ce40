"""Installation and builds on the cluster of KUBECONFIG (see `tests.cluster.installed`)."""

from datetime import UTC, datetime

import pytest

from riseml.cluster import installation
from riseml.cluster.api import Api
from riseml.cluster.users import User
from riseml.cluster.values import Values
from tests.cluster.installed import REGISTRY, USER, VALUES, build, run

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(280),
    pytest.mark.xdist_group("system"),
]


def test_a_second_installation_changes_nothing(api: Api, values: Values) -> None:
    assert values == VALUES
    assert {
        step.name
        for step in installation.plan(api, values, datetime.now(UTC))
        if step.outcome != "unchanged"
    } == set()


def test_a_user_builds_with_the_certificate(api: Api, user: User) -> None:
    build(api, "with", f"{REGISTRY}/{USER}/test:1")


def test_no_build_is_possible_without_the_certificate(api: Api, user: User) -> None:
    connect = 'timeout 20 buildctl --addr "$BUILDKIT_HOST" --tlscacert "$BUILDKIT_CERTIFICATES/ca.pem"'
    certificate = '--tlscert "$BUILDKIT_CERTIFICATES/cert.pem" --tlskey "$BUILDKIT_CERTIFICATES/key.pem"'
    script = f"set -e; {connect} {certificate} debug workers >&2; echo let in; {connect} debug workers 2>&1; echo again"
    phase, log = run(api, "without", script)
    assert phase == "Failed"
    assert "let in" in log
    assert "failed to list workers" in log
    assert "again" not in log
