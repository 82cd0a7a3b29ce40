"""The end of a token, as it says of itself."""

import base64
import json
from datetime import UTC, datetime

import pytest

from riseml.cluster import api_errors, token_expiry
from riseml.cluster.connection import Connection

END = datetime(2026, 11, 28, 15, 30, tzinfo=UTC)


def token(claims: object) -> str:
    """Return a token with claims, as a service account's."""
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
    return f"eyJhbGciOiJSUzI1NiJ9.{payload.rstrip('=')}.c2lnbmF0dXJl"


def test_a_token_says_when_it_ends() -> None:
    assert token_expiry.expiry(token({"exp": 1795879800})) == END


@pytest.mark.parametrize(
    "text",
    ["", "secret", "a.b", "a.b.c", token({}), token([]), token({"exp": "soon"}), token({"exp": 1e99})],
)  # fmt: skip
def test_other_tokens_say_nothing(text: str) -> None:
    assert token_expiry.expiry(text) is None


def test_a_token_has_expired_only_after_its_end() -> None:
    text = token({"exp": 1795879800})
    before = datetime(2026, 11, 28, 15, 29, tzinfo=UTC)
    assert token_expiry.expired(text, before) == ""
    assert (
        token_expiry.expired(text, END) == "its token expired at 2026-11-28 15:30 UTC"
    )


def test_an_answer_to_an_expired_key_says_that_runs_go_on() -> None:
    connection = Connection("https://lab", token=token({"exp": 1511857800}))
    error = api_errors.refusal(401, b"", connection)
    assert str(error) == (
        "the cluster at https://lab does not accept this key: its token expired at 2017-11-28 08:30 UTC"
    )
    assert error.advice == (
        "Ask your administrator for a new one, and log in with `riseml user login`."
        " Your runs on the cluster do not need it: they wait and run as before."
    )
