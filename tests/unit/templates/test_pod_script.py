"""Pods that Argo makes in place of deleted ones: the run script recognizes them by what the first one has left."""

import os
import subprocess
from pathlib import Path

import pytest

from riseml import templating
from tests.unit.script_shells import SHELLS, shells

RUN = """
riseml_begin_pod
echo continued
"""
MEET = 'riseml_met=" met"; riseml_note_pod running'
STOP = "riseml_signal=TERM; riseml_note_pod running"
END = "riseml_note_pod ended"


def run(
    shell: str, folder: Path, text: str, **env: str
) -> "subprocess.CompletedProcess[str]":
    """Run the beginning of a pod's script, and then `text`."""
    (folder / ".riseml").mkdir(exist_ok=True)
    (folder / "meeting").mkdir(exist_ok=True)
    variables = {
        "PATH": os.environ["PATH"],
        "OUTPUT_DIR": str(folder),
        "RISEML_JOB": "train",
        "RISEML_MEETING": str(folder / "meeting"),
        **env,
    }
    return subprocess.run(
        [*SHELLS[shell], "-c", templating.read("pod.sh") + RUN + text],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def mark(folder: Path, attempt: int = 0) -> str:
    return (folder / f".riseml/pod.train.{attempt}").read_text()


@shells
def test_a_pod_that_takes_the_place_of_another_says_so(
    shell: str, tmp_path: Path
) -> None:
    assert run(shell, tmp_path, "").stdout == "continued\n"
    assert mark(tmp_path) == "running\n"
    again = run(shell, tmp_path, END)
    assert again.stdout == "riseml: started anew after its pod was deleted\ncontinued\n"
    assert mark(tmp_path) == "ended anew\n"


@shells
def test_a_job_that_has_ended_is_not_started_anew(shell: str, tmp_path: Path) -> None:
    # `argo retry` runs a failed job again, in the same attempt.
    run(shell, tmp_path, END)
    assert run(shell, tmp_path, "").stdout == "continued\n"
    other = run(shell, tmp_path, "", RISEML_ATTEMPT="1")
    assert (other.stdout, mark(tmp_path, 1)) == ("continued\n", "running\n")


@shells
def test_a_signal_is_noted(shell: str, tmp_path: Path) -> None:
    run(shell, tmp_path, STOP)
    assert mark(tmp_path) == "running stopped\n"
    run(shell, tmp_path, f"{STOP}; {END}")
    assert mark(tmp_path) == "ended stopped anew\n"


@shells
def test_a_job_that_was_stopped_may_be_retried_only_after_a_kill(
    shell: str, tmp_path: Path
) -> None:
    run(shell, tmp_path, f"{STOP}; {END}")
    killed = run(shell, tmp_path, "", RISEML_KILLED="*=2026-01-01T00:00:00Z")
    assert (killed.stdout, mark(tmp_path)) == ("continued\n", "running\n")
    run(shell, tmp_path, f"{STOP}; {END}")
    assert "started anew" in run(shell, tmp_path, "").stdout


@shells
def test_retries_of_lost_nodes_end_the_attempt(shell: str, tmp_path: Path) -> None:
    retried = {"RISEML_RETRIES_NODE_LOST": "1"}
    assert run(shell, tmp_path, "", **retried).returncode == 0
    again = run(shell, tmp_path, "", **retried)
    assert (again.returncode, again.stdout) == (143, "")
    assert again.stderr == (
        "riseml: not started anew: pod deleted before the job had ended\n"
    )


@shells
@pytest.mark.parametrize("has_met", [True, False])
def test_a_member_ends_its_gang_if_that_had_begun(
    shell: str, tmp_path: Path, *, has_met: bool
) -> None:
    gang = {"RISEML_GANG": "train=a:1 other=b:1"}
    run(shell, tmp_path, MEET if has_met else "", **gang)
    again = run(shell, tmp_path, "", **gang)
    over = tmp_path / "meeting/over"
    if has_met:
        assert (again.returncode, again.stdout) == (143, "")
        assert over.read_text() == "train lost its pod\n"
    else:
        assert (again.returncode, over.exists()) == (0, False)
