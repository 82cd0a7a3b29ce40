"""`riseml secret`, and the file of secrets."""

import io
import stat
from pathlib import Path

import pytest

from riseml.engines.local import secrets
from riseml.errors import HomeError
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine


def test_a_value_is_read_from_standard_input_and_never_shown(
    engine: FakeEngine, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cr3t\n"))
    result = riseml("secret", "set", "TOKEN")
    assert (result.status, result.out) == (0, "")
    assert "s3cr3t" not in result.err
    assert engine.stored_secrets == {"TOKEN": "s3cr3t"}
    assert riseml("secret", "list").out == "TOKEN\n"
    assert riseml("secret", "delete", "TOKEN").status == 0
    assert engine.stored_secrets == {}


@pytest.mark.parametrize(("value", "is_short"), [("hi", True), ("s3cr3t", False)])
def test_a_short_value_is_called_likely_to_hide_other_words(
    value: str,
    is_short: bool,
    riseml: Riseml,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{value}\n"))
    result = riseml("secret", "set", "TOKEN")
    assert result.status == 0
    assert ("other words contain it" in result.err) == is_short


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("delete", "TOKEN"), 4, "there is no secret TOKEN"),
        (("set",), 2, "riseml secret set needs a name"),
        (("set", "EMPTY"), 2, "the value of EMPTY is empty"),
        (("set", "9-lives"), 2, "'9-lives' cannot be a variable"),
        (("show", "TOKEN"), 2, "show"),
    ],
)
def test_invalid_commands(
    words: tuple[str, ...],
    status: int,
    text: str,
    riseml: Riseml,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("" if "EMPTY" in words else "x"))
    result = riseml("secret", *words)
    assert result.status == status
    assert text in result.err


@pytest.mark.parametrize(
    "words",
    [("TOKEN", "s3cr3t"), ("TOKEN=s3cr3t",), ("TOKEN", "=", "s3cr3t")],
)
def test_a_value_among_the_arguments_is_refused_and_not_shown(
    words: tuple[str, ...],
    engine: FakeEngine,
    riseml: Riseml,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("another value"))
    result = riseml("secret", "set", *words)
    assert result.status == 2
    assert "takes one name, and reads the value from" in result.err
    assert "Run `riseml secret set TOKEN` and type the value" in result.err
    assert "s3cr3t" not in result.out + result.err
    assert engine.stored_secrets == {}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("s3cr\0et", "the value of TOKEN contains a NUL byte"),
        ("s3cr" * 40_000, "the value of TOKEN is too long: 160,006 bytes"),
    ],
)
def test_a_value_that_no_variable_can_have_is_refused_and_not_shown(
    value: str,
    message: str,
    engine: FakeEngine,
    riseml: Riseml,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(value))
    result = riseml("secret", "set", "TOKEN")
    assert result.status == 2
    assert message in result.err
    assert "s3cr" not in result.err
    assert engine.stored_secrets == {}


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert not secrets.change(home, "A", "1")
    assert secrets.change(home, "A", "2")
    secrets.change(home, "B", "3")
    assert stat.S_IMODE((home / "secrets").stat().st_mode) == 0o600
    assert secrets.read(home) == {"A": "2", "B": "3"}
    assert secrets.change(home, "A", None)
    assert secrets.read(home) == {"B": "3"}
    assert set(secrets.hidden(home)) == {"1", "2", "3"}  # logs of the past stay masked
    assert sorted(path.name for path in home.iterdir()) == ["secrets", "secrets.past"]


def test_a_damaged_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("{")
    with pytest.raises(HomeError, match="secrets") as caught:
        secrets.read(tmp_path)
    assert "riseml secret set" in caught.value.advice
