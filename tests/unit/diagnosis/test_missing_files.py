"""Explanations of files that programs did not find."""

from typing import Any

import pytest

from riseml.diagnosis import Cause, Evidence, explain
from riseml.diagnosis.evidence import Surroundings
from riseml.diagnosis.missing_files import missing_paths
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

CAT = "cat: data/train.csv: No such file or directory"
EXCLUDED = {".gitignore": ("out/", "data/", "ckpt/*.pt", "runs/*/", "model.bin")}


def why(
    *lines: str, reason: str = "ERROR", cluster: bool = False, **fields: Any
) -> Cause:
    """Explain a failed experiment whose log ends with these lines."""
    surroundings = fields.pop("surroundings", Surroundings())
    job = JobStatus(
        "14.train", "train", state=State.FAILED, reason=reason,
        message="exit code 1", exit_code=1,
    )  # fmt: skip
    experiment = ExperimentStatus(
        "14", state=State.FAILED, jobs=(job,), reason=reason, guilty="14.train"
    )
    values = {"project": "lab", "image": "python:3.12", **fields}
    run = SetStatus("14", state=State.FAILED, experiments=(experiment,), **values)
    evidence = Evidence(
        run,
        run,
        has_cluster=cluster,
        logs={"14.train": lines},
        surroundings=surroundings,
    )
    (cause,) = explain(evidence)
    return cause


@pytest.mark.parametrize(
    "line",
    [
        CAT,
        "FileNotFoundError: [Errno 2] No such file or directory: 'data/train.csv'",
        "IOError: [Errno 2] No such file or directory: './data/train.csv'",
        "FileNotFoundError: data/train.csv not found.",
        "FileNotFoundError: Unable to find '/code/data/train.csv'",
        "OSError: Unable to open file (unable to open file: name = 'data/train.csv', errno = 2)",
        "head: cannot open 'data/train.csv' for reading: No such file or directory",
        "ls: cannot access 'data/train.csv': No such file or directory",
        "sh: 1: cannot open data/train.csv: No such file",
        "bash: line 1: data/train.csv: No such file or directory",
        "  cannot open file 'data/train.csv': No such file or directory",
        "Error: \u2018data/train.csv\u2019 does not exist in current working directory ('/code').",
        "terminate called: filesystem error: cannot open file: No such file or directory [data/train.csv]",
        "tensorflow.errors_impl.NotFoundError: data/train.csv; No such file or directory [Op:ReadFile]",
        "java.io.FileNotFoundException: data/train.csv (No such file or directory)",
        "Error: ENOENT: no such file or directory, open 'data/train.csv'",
        "2026/11/28 01:00:00 open data/train.csv: no such file or directory",
        'SystemError: opening file "data/train.csv": No such file or directory',
        "[rank0]: FileNotFoundError: [Errno 2] No such file or directory: '/code/data/train.csv'",
        "FileNotFoundError: [Errno 2] No such file or directory: '/h/runs/1/node/volumes/code/data/train.csv'",
        "cat: ../data/train.csv: No such file or directory",
    ],
)
def test_messages_of_many_languages_name_an_excluded_file(line: str) -> None:
    cause = why("loading", line, excluded=EXCLUDED)
    name = "../data" if "../" in line else "data"
    assert cause.kind == "EXCLUDED"
    assert cause.explanation == f"{name}/train.csv was left out by .gitignore"
    assert cause.evidence[-1].lstrip() == " ".join(line.split())


def test_an_excluded_file_has_two_ways_into_a_job() -> None:
    assert why(CAT, excluded=EXCLUDED).fix == (
        "Put it into the data folder (`riseml cp data data://lab/`), and read $DATA_DIR/lab/train.csv.",
        "Or bring it with the code: `riseml train --no-gitignore`, or the line `!/data/` in .risemlignore.",
    )
    by_risemlignore = why(CAT, excluded={".risemlignore": ("data/train.csv",)})
    assert by_risemlignore.explanation == "data/train.csv was left out by .risemlignore"
    assert by_risemlignore.fix == (
        "Put it into the data folder (`riseml cp data/train.csv data://lab/`), and read $DATA_DIR/lab/train.csv.",
        "Or bring it with the code: remove the line that names it from .risemlignore.",
    )


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ckpt/7.pt", ".gitignore"),
        ("runs/3/log.txt", ".gitignore"),
        ("model.bin", ".gitignore"),
        ("out", ".gitignore"),
        ("ckpt/deep/7.txt", None),
        ("output/x.csv", None),
        ("my-model.bin", None),
    ],
)
def test_patterns_stand_for_their_own_files_only(path: str, source: str | None) -> None:
    cause = why(f"cat: {path}: No such file or directory", excluded=EXCLUDED)
    if source:
        assert cause.explanation == f"{path} was left out by {source}"
    else:
        assert cause.explanation == "a line of `run` ended with exit code 1"


def test_an_excluded_script_is_no_missing_command() -> None:
    line = "sh: 3: ./tools/run.sh: not found"
    cause = why(
        line, reason="COMMAND", excluded={"tools/.gitignore": ("tools/run.sh",)}
    )
    assert cause.explanation == "tools/run.sh was left out by tools/.gitignore"
    assert why(line, reason="COMMAND").kind == "COMMAND"


def test_a_file_that_riseml_cp_wrote_is_explained() -> None:
    cause = why(
        "FileNotFoundError: [Errno 2] No such file or directory: 'm.pt'",
        excluded={"riseml cp": ("m.pt",)},
    )
    assert cause.explanation == "m.pt is not part of the code: `riseml cp` wrote it"


def test_a_handled_miss_does_not_hide_a_later_error() -> None:
    lines = (CAT, "Traceback (most recent call last):", "ValueError: bad shape")
    assert why(*lines, excluded=EXCLUDED).kind == "ERROR"
    wrapped = (
        CAT,
        "torch.distributed.elastic.errors.ChildFailedError: train.py FAILED",
    )
    assert why(*wrapped, excluded=EXCLUDED).kind == "EXCLUDED"


def test_a_missing_library_is_no_missing_file() -> None:
    line = "ImportError: libGL.so.1: cannot open shared object file: No such file or directory"
    assert missing_paths([line]) == ()


@pytest.mark.parametrize(
    "line",
    [
        "FileNotFoundError: /data/bikes/rentals.csv not found.",
        "FileNotFoundError: [Errno 2] No such file or directory: '/data/bikes/rentals.csv'",
    ],
)
def test_a_file_that_the_data_folder_lacks_can_be_copied_there(line: str) -> None:
    cause = why(line)
    assert cause.explanation == "/data/bikes/rentals.csv was not in the data folder"
    assert cause.fix == (
        "`riseml cp FILE data://bikes/` copies a file there; `riseml ls data://` shows what is there.",
    )


def test_a_file_at_the_top_of_the_data_folder_has_no_folder() -> None:
    cause = why("cat: /data/x.csv: No such file or directory")
    assert "`riseml cp FILE data://`" in cause.fix[0]


def test_a_file_of_the_data_folder_that_cannot_be_read_is_not_missing() -> None:
    line = "PermissionError: cannot open '/data/x.csv': Permission denied"
    assert why(line).explanation == "a line of `run` ended with exit code 1"


@pytest.mark.parametrize("reason", ["COMMAND", "ERROR"])
def test_a_container_that_could_not_start_is_no_missing_command(reason: str) -> None:
    cause = why(
        "riseml: podman could not start the container of this job",
        "riseml: podman: Error: crun: setrlimit: Operation not permitted",
        reason=reason,
    )
    assert cause.explanation == "podman could not start its container"
    assert "riseml train --runner process" in cause.fix[1]


def test_a_file_of_the_data_folder_is_named() -> None:
    cause = why(
        CAT, surroundings=Surroundings(data_files={"data/train.csv": "train.csv"})
    )
    assert (cause.kind, cause.explanation, cause.fix) == (
        "FILE",
        "data/train.csv is not part of the code, but the data folder has train.csv",
        ("Read $DATA_DIR/train.csv, which is /data/train.csv in jobs.",),
    )


def test_a_file_above_the_folder_of_riseml_yml_is_named() -> None:
    facts = Surroundings(outside_files={"data/train.csv": "../data/train.csv"})
    cause = why(CAT, surroundings=facts)
    assert (cause.kind, cause.explanation) == (
        "FILE",
        "data/train.csv is not part of the code: ../data/train.csv is outside the folder of riseml.yml",
    )
    assert cause.fix == (
        "The code of a run is the folder of riseml.yml: move riseml.yml to the folder above, or the file below it.",
        "Or put it into the data folder (`riseml cp ../data/train.csv data://lab/`), and read $DATA_DIR/lab/train.csv.",
    )


def test_a_file_that_came_after_the_start_is_named() -> None:
    cause = why(CAT, surroundings=Surroundings(new_files=frozenset({"data/train.csv"})))
    assert (cause.explanation, cause.fix) == (
        "data/train.csv was not in the project's folder when the run started",
        ("It is there now: train again.",),
    )
