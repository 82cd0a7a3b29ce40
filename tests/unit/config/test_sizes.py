"""Lines, variables and values of parameters that are too long for a process."""

import os
import subprocess

import pytest

from riseml import config
from riseml.config import sizes
from riseml.errors import ConfigError


def faults(**keys: str) -> list[tuple[int, str]]:
    lines = [f"  {key}: {value}\n" for key, value in keys.items()]
    text = "project: ab\ntrain:\n  image: busybox\n  resources: {cpus: 1, mem: 100}\n"
    try:
        config.load_text(text + "".join(lines))
    except ConfigError as error:
        errors = [fault for fault in error.faults if fault.severity == "error"]
        return [(fault.line, fault.message) for fault in errors]
    return []


@pytest.mark.parametrize(
    ("keys", "subject", "prefix"),
    [
        ({"run": "echo", "env": "{AB: '%s'}"}, "env.AB", "AB="),
        (
            {"parameters": "{a-b: '%s'}", "run": "ok"},
            "a value of parameters.a-b",
            "A_B=",
        ),
        (
            {"parameters": "{a: [x, '%s']}", "run": "ok"},
            "a value of parameters.a",
            "A=",
        ),
    ],
)
def test_a_variable_of_exactly_the_limit_is_accepted(
    keys: dict[str, str], subject: str, prefix: str
) -> None:
    value = "x" * (sizes.MOST_BYTES - len(prefix))
    assert (
        faults(**{key: text.replace("%s", value) for key, text in keys.items()}) == []
    )
    ((line, message),) = faults(
        **{key: text.replace("%s", f"{value}x") for key, text in keys.items()}
    )
    assert line == 5 if "parameters" in keys else 6
    limit = "131,072 bytes, but a process can be given at most 131,071"
    assert message == f"{subject} has {limit}"


def test_bytes_count_and_not_characters() -> None:
    ((_, message),) = faults(run="ok", env=f"{{A: '{'ä' * 70_000}'}}")
    assert message.startswith("env.A has 140,002 bytes")


@pytest.mark.parametrize(
    ("keys", "subject"),
    [
        ({"run": f"echo {'x' * 128_000}"}, "a command has 128,005 bytes"),
        (
            {"run": "ok", "install": f"[pip, '{'x' * 128_001}']"},
            "a command has 128,001",
        ),
        (
            {
                "parameters": f"{{a: [x, '{'x' * 70_000}']}}",
                "run": "'echo {{a}} {{a}}'",
            },
            "a command has 140,006 bytes",
        ),
        (
            {
                "parameters": f"{{a: '{'x' * 70_000}'}}",
                "run": "echo",
                "env": "{B: '{{a}}{{ a }}'}",
            },
            "env.B has 140,002 bytes",
        ),
    ],
)
def test_commands_and_placeholders_count(keys: dict[str, str], subject: str) -> None:
    ((_, message),) = faults(**keys)
    assert message.startswith(subject)


@pytest.mark.skipif(os.sysconf("SC_PAGE_SIZE") != 4096, reason="the limit is 32 pages")
def test_the_limit_is_that_of_the_kernel() -> None:
    value = "x" * (sizes.MOST_BYTES - len("A="))
    subprocess.run(["true"], env={**os.environ, "A": value}, check=True)
    with pytest.raises(OSError, match="Argument list too long"):
        subprocess.run(["true"], env={**os.environ, "A": f"{value}x"}, check=True)
