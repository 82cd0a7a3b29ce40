"""The check of a Workflow's name, which keeps a copy from writing to the folders of the original."""

import os
import subprocess

import pytest

from riseml import templating
from tests.unit.script_shells import SHELLS, shells


def check(shell: str, **names: str) -> "subprocess.CompletedProcess[str]":
    """Run the check, and what would follow it."""
    text = f"{templating.read('original.sh')}\necho continued"
    return subprocess.run(
        [*SHELLS[shell], "-euc", text],
        env={"PATH": os.environ["PATH"], **names},
        capture_output=True,
        text=True,
        check=False,
    )


@shells
def test_a_copy_ends_and_names_the_original(shell: str) -> None:
    done = check(shell, WORKFLOW="net-14-x7k2p", ORIGINAL="net-14")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "riseml: this is a copy of net-14 and would write to its folders;"
        " `riseml rerun` runs it again\n"
    )


@shells
@pytest.mark.parametrize("names", [{}, {"WORKFLOW": "net-14", "ORIGINAL": "net-14"}])
def test_an_original_continues(shell: str, names: dict[str, str]) -> None:
    done = check(shell, **names)
    assert (done.returncode, done.stdout, done.stderr) == (0, "continued\n", "")
