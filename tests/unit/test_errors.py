"""Text of faults: position, source line and caret."""

import json

import pytest

from riseml.config import load_text
from riseml.errors import ConfigError, Fault
from riseml.excerpts import printable
from tests.riseml_yml import faults_of


def test_a_fault_shows_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(
            "project: ab\ntrain:\n  run: x\n  resorces: {}\n  image: python\n", "my.yml"
        )
    assert str(caught.value) == (
        "my.yml:4:3: error: unknown key 'resorces' in train\n      resorces: {}\n      ^\n    Did you mean 'resources'?"
    )


@pytest.mark.parametrize(
    ("line", "printed", "caret"),
    [
        ("日本: x", "    日本: x", "          ^"),
        ("a\u0301: x", "    a\u0301: x", "       ^"),
        ("\u202ea: x", "    \N{REPLACEMENT CHARACTER}a: x", "        ^"),
    ],
)
def test_the_caret_is_below_the_fault(line: str, printed: str, caret: str) -> None:
    fault = faults_of(
        f"project: {{{line}}}".replace("project: {", "{project: ab, train: {}, ") + "\n"
    )[0]
    assert str(Fault("f", 1, len(line), "m", source=printable(line))).split("\n")[
        1:
    ] == [printed, caret]
    assert fault.severity == "error"


def test_long_lines_are_cut_around_the_fault() -> None:
    values = ", ".join(["1"] * 5_000)
    fault = faults_of(
        f"project: ab\ntrain: {{image: python, resources: {{}}, run: x, env: [{values}]}}\n"
    )[0]
    run = faults_of(
        f"project: ab\ntrain: {{image: python, resources: {{}}, run: [{values}]}}\n"
    )
    assert fault.column == 52
    assert len(str(ConfigError(run))) < 500 * 400
    for line, caret in (str(fault).split("\n")[1:3] for fault in run[:-1:50]):
        assert line[caret.index("^")] == "1"


def test_faults_are_data() -> None:
    fault = faults_of("project: x\n")[0]
    assert json.loads(json.dumps(vars(fault)))["line"] == 1
