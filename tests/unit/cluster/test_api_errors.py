"""Errors for answers of the Kubernetes API."""

import json
from ssl import SSLError

import pytest

from riseml.cluster.api_errors import (
    ConflictError,
    NotAuthenticatedError,
    RefusedError,
    refusal,
    unreachable,
)
from riseml.cluster.connection import Connection
from riseml.errors import NotAllowedError, NotFoundError, RiseMLError, UnreachableError

LAB = Connection("https://lab.example.com")
TEAM = Connection(
    "https://lab.example.com", user="vision", kubeconfig=("/home/ana/config", "lab")
)


@pytest.mark.parametrize(
    ("status", "message", "error", "text"),
    [
        (401, "", NotAuthenticatedError, "the cluster at https://lab.example.com does not accept this key"),
        (403, "cannot list pods", NotAllowedError, "not allowed: cannot list pods"),
        (403, "exceeded quota: riseml", RefusedError, "exceeded quota: riseml"),
        (403, "violates PodSecurity", RefusedError, "violates PodSecurity"),
        (404, "no such pod", NotFoundError, "no such pod"),
        (409, "already exists", ConflictError, "already exists"),
        (422, "invalid", RefusedError, "invalid"),
        (422, "", RefusedError, "the cluster answers 422"),
        (503, "", UnreachableError, "the cluster at https://lab.example.com cannot answer now: 503"),
    ],
)  # fmt: skip
def test_errors_depend_on_status_and_message(
    status: int, message: str, error: type[RiseMLError], text: str
) -> None:
    refused = refusal(status, json.dumps({"message": message}).encode(), LAB)
    assert type(refused) is error
    assert str(refused) == text


def test_answers_of_proxies_are_shown_as_text() -> None:
    assert str(refusal(400, b"<h1>Bad request</h1>\n", LAB)) == "<h1>Bad request</h1>"


def test_errors_of_a_kubeconfig_name_it_and_no_key() -> None:
    ended = refusal(401, b"{}", TEAM)
    assert isinstance(ended, NotAllowedError)
    assert str(ended) == (
        "the cluster at https://lab.example.com does not accept the login of the "
        "context lab in /home/ana/config"
    )
    assert ended.advice.startswith("It may have expired. Log in to the cluster again")
    forbidden = refusal(403, b'{"message": "User \\"ana\\" cannot list pods"}', TEAM)
    assert str(forbidden) == 'not allowed: User "ana" cannot list pods'
    assert "riseml user update --username vision --subject NAME" in forbidden.advice
    foreign = unreachable(SSLError("self-signed certificate"), TEAM)
    assert "not the one of the context lab in /home/ana/config" in str(foreign)


def test_a_disabled_user_is_told_so() -> None:
    text = (
        'workflows.argoproj.io is forbidden: User "ana@example.com" cannot list resource "workflows" in API group '
        '"argoproj.io" in the namespace "riseml-vision": RBAC: role.rbac.authorization.k8s.io "riseml-user" not found'
    )
    disabled = refusal(403, json.dumps({"message": text}).encode(), TEAM)
    assert isinstance(disabled, NotAllowedError)
    assert str(disabled) == "the user vision is disabled"
    assert "`riseml user update --username vision`" in disabled.advice
