"""Jobs on a system that allows no mounts: environment variables contain all paths."""

from pathlib import Path

import pytest

from riseml.errors import UnsupportedError
from riseml.status import State
from tests.local.conftest import Lab


@pytest.fixture(autouse=True)
def _unmounted(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RISEML_MOUNTS", "off")
    monkeypatch.setenv("RISEML_DATA", str(tmp_path / "data"))


def test_a_job_finds_code_data_output_and_the_library(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/set").write_text("data")
    lab.write({"code.txt": "code\n"})
    run = lab.run(
        """
        run:
          - cat code.txt
          - cat $DATA_DIR/set > $OUTPUT_DIR/copy
          - python3 -c "import riseml; riseml.report_result(score=1); riseml.report_progress(1, 2)"
        """
    )
    assert run.state is State.FINISHED
    assert lab.log(1) == "code\n"
    assert (lab.output(1) / "copy").read_text() == "data"
    assert run.result == {"score": 1}


def test_experiments_of_a_set_do_not_share_their_output(lab: Lab) -> None:
    lab.run("parameters: {n: [1, 2]}\nrun: 'echo {{n}} > $OUTPUT_DIR/n'")
    assert [(lab.output(1, n) / "n").read_text() for n in (1, 2)] == ["1\n", "2\n"]


@pytest.mark.parametrize(
    "line",
    [
        "cat /data/set",
        "cp x /output",
        "cd /code && ls",
        "python fit.py --out=/output/x",
    ],
)
def test_a_line_that_names_a_mount_is_refused_with_advice(lab: Lab, line: str) -> None:
    with pytest.raises(UnsupportedError, match="allows no mounts") as caught:
        lab.train(f"run: '{line}'")
    assert "$OUTPUT_DIR" in caught.value.advice


@pytest.mark.parametrize(
    "line",
    ["ls ./data/set", "echo /database", "echo my/output", "echo https://x.org/data"],
)
def test_paths_that_only_resemble_mounts_are_allowed(lab: Lab, line: str) -> None:
    assert lab.train(f"run: '{line}'").number == 1
