"""Records for TensorBoard's HPARAMS tab that experiments of a set leave in their output."""

from pathlib import Path

import pytest

from riseml.metrics import hparams
from tests.local.conftest import Lab

TRAIN = """
parameters: {code: [0, 3]}
concurrency: 2
run: exit {{code}}
"""


def ends(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.glob("*.riseml.end")]


def test_each_experiment_records_its_parameters_and_its_end(lab: Lab) -> None:
    number = lab.run(TRAIN).number
    assert number
    first, second = lab.output(number, 1), lab.output(number, 2)
    data = (second / hparams.START_FILE).read_bytes()
    assert b"code" in data
    assert b"1.2" in data
    assert ends(first) == [hparams.end(is_success=True)]
    assert ends(second) == [hparams.end(is_success=False)]


def test_a_run_without_parameters_records_nothing(lab: Lab) -> None:
    number = lab.run("run: 'true'").number
    assert number
    assert not list(lab.output(number).glob("*tfevents*"))


@pytest.mark.parametrize(("code", "is_success"), [(0, True), (3, False)])
def test_only_the_last_attempt_records_its_end(
    lab: Lab, code: int, is_success: bool
) -> None:
    lines = f"""
parameters: {{code: {code}}}
retries: 1
run: |
  test -e $OUTPUT_DIR/again && {{ ls $OUTPUT_DIR; exit {{{{code}}}}; }}
  touch $OUTPUT_DIR/again; exit 9
"""
    number = lab.run(lines).number
    assert number
    log = lab.log(number)
    assert hparams.START_FILE in log
    assert hparams.END_FILE not in log
    assert ends(lab.output(number, 1)) == [hparams.end(is_success=is_success)]
