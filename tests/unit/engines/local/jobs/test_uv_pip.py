"""Which commands of pip uv can do, and which configuration of pip it would not read."""

from pathlib import Path

import pytest

from riseml.engines.local.jobs.uv_pip import is_configured, is_same_to_uv


@pytest.mark.parametrize(
    ("arguments", "is_same"),
    [
        ("install torch", True),
        ("install -qq --no-deps --no-build-isolation -e .", True),
        (
            "install -r requirements.txt -c limits.txt --find-links=wheels --no-index",
            True,
        ),
        ("install --extra-index-url https://example.org/simple torch", True),
        ("install -U torch", False),
        ("install --upgrade torch", False),
        ("install --target lib torch", False),
        ("install --user torch", False),
        ("uninstall torch", False),
        ("list", False),
        ("--version", False),
    ],
)
def test_uv_does_only_what_means_the_same(arguments: str, is_same: bool) -> None:
    assert is_same_to_uv(arguments.split()) is is_same


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        (
            "[global]\n# comment\ncert = /etc/ca.pem\n\ndisable-pip-version-check = 1\n",
            False,
        ),
        ("[global]\nindex-url = https://example.org/simple\n", True),
        ("[install]\nno-binary = :all:\n", True),
    ],
)
def test_a_configuration_that_changes_what_is_installed_is_left_to_pip(
    tmp_path: Path, text: str, expected: bool
) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(text)
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "PIP_CONFIG_FILE": str(file)}
    assert is_configured(environ, str(tmp_path)) is expected
    # With this value, pip reads no file.
    assert not is_configured({**environ, "PIP_CONFIG_FILE": "/dev/null"}, "")


def test_variables_of_pip_configure_it() -> None:
    files = {"PIP_CONFIG_FILE": "/dev/null"}
    assert is_configured({"PIP_INDEX_URL": "https://example.org", **files}, "")
    assert not is_configured({"PIP_DISABLE_PIP_VERSION_CHECK": "1", **files}, "")
