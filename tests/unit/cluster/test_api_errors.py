"""Errors for answers of the Kubernetes API."""

import json

import pytest

from riseml.cluster.api_errors import ConflictError, RefusedError, refusal
from riseml.cluster.connection import Connection
from riseml.errors import NotAllowedError, NotFoundError, RiseMLError, UnreachableError

LAB = Connection("https://lab.example.com")


@pytest.mark.parametrize(
    ("status", "message", "error", "text"),
    [
        (401, "", NotAllowedError, "the cluster at https://lab.example.com does not accept this key"),
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
