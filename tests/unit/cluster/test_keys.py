"""API keys: encoding, decoding, and texts that are not valid keys."""

import pytest

from riseml.cluster import access, keys
from riseml.cluster.connection import Connection
from riseml.cluster.users import checked_email, checked_name
from riseml.errors import InvalidInputError

PAUL = Connection(
    "https://lab.example.com:6443",
    "CERTIFICATE",
    "eyJ.abc.def",
    namespace="riseml-paul",
    user="paul",
)


def test_a_key_contains_everything_that_a_login_needs() -> None:
    key = keys.encode(PAUL)
    assert key.startswith("riseml1.")
    assert keys.decode(key) == PAUL


def test_a_key_may_be_broken_into_lines() -> None:
    key = keys.encode(PAUL)
    assert keys.decode(f" {key[:20]}\n{key[20:40]}\r\n{key[40:]}\n") == PAUL


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "riseml1.",
        "riseml1.%%%",
        "deadbeef",
        "riseml1.eJw",
        f"{keys.encode(PAUL)[:-9]}",
    ],
)
def test_incomplete_keys_are_rejected(wrong: str) -> None:
    with pytest.raises(InvalidInputError):
        keys.decode(wrong)


def test_another_server_must_use_tls() -> None:
    key = keys.encode(PAUL)
    assert (
        access.by_key(key, server="gate.example.com:8443").connection.server
        == "https://gate.example.com:8443"
    )
    with pytest.raises(InvalidInputError, match="https"):
        access.by_key(key, server="http://gate.example.com")


@pytest.mark.parametrize(
    "name",
    ["x", "-ab", "ab-", "a.b", "a b", "", "ä1", "a" * 41, "system", "Local", "a\n"],
)
def test_invalid_names_are_rejected(name: str) -> None:
    with pytest.raises(InvalidInputError):
        checked_name(name)


def test_names_are_converted_to_lower_case() -> None:
    assert checked_name("Paul-2") == "paul-2"


@pytest.mark.parametrize(
    "email", ["paul", "@", "paul@", "@example.com", " paul@example.com"]
)
def test_invalid_addresses_are_rejected(email: str) -> None:
    with pytest.raises(InvalidInputError):
        checked_email(email)
