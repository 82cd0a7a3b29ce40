"""Explanations of files that install steps did not find."""

import pytest

from riseml.diagnosis import Cause, Evidence, explain
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

MESSAGE = "install step failed with exit code 1: pip install -r requirements.txt"


def why(*lines: str, **fields: dict[str, tuple[str, ...]]) -> Cause:
    """Explain a run whose build failed with these last lines."""
    build = JobStatus(
        "14.build", "build", state=State.FAILED, reason="ERROR", message=MESSAGE, exit_code=1,
    )  # fmt: skip
    experiment = ExperimentStatus(
        "14", state=State.FAILED, reason="BUILD", guilty="14.build", exit_code=1
    )
    run = SetStatus("14", state=State.FAILED, experiments=(experiment,), jobs=(build,), project="lab", **fields)  # type: ignore[arg-type]  # fmt: skip
    (cause,) = explain(Evidence(run, run, logs={"14.build": lines}))
    return cause


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: Could not open requirements file: [Errno 2] No such file or directory: 'deps/more.txt'",
        "cat: deps/more.txt: No such file or directory",
        "#8 0.345 cat: /code/deps/more.txt: No such file or directory",
        "cat: /home/me/.riseml/envs/0123456789abcdef01234567/built/deps/more.txt: No such file or directory",
    ],
)
def test_a_file_that_no_step_names_belongs_to_build_files(line: str) -> None:
    cause = why("Collecting six", line)
    assert cause.kind == "FILE"
    assert cause.explanation == (
        "an install step did not find deps/more.txt: steps see only the files that they name"
    )
    assert "`build_files: [deps/more.txt]`" in cause.fix[0]
    assert cause.evidence[0] == MESSAGE


def test_a_file_that_an_ignore_file_excludes_is_explained_by_that() -> None:
    cause = why(
        "cat: deps/more.txt: No such file or directory",
        excluded={".gitignore": ("deps/",)},
    )
    assert cause.kind == "EXCLUDED"
    assert "`riseml train --no-gitignore`" in cause.fix[0]


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: No matching distribution found for nosuchpackage",
        "cat: /etc/none.conf: No such file or directory",
        "sh: 1: gcc: not found",
    ],
)
def test_other_failures_are_explained_as_before(line: str) -> None:
    explanation = f"the environment could not be installed: {MESSAGE}"
    assert why(line).explanation == explanation
