"""GPUs of jobs on this machine, as a program that stands for nvidia-smi lists them."""

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from riseml.errors import RiseMLError
from riseml.ids import Id
from riseml.status import SetStatus, State
from tests.fake_drivers import FakeNvidiaSmi
from tests.local.conftest import Lab

FIRST = "GPU-11111111-aaaa-bbbb-cccc-000000000001"
SECOND = "GPU-22222222-aaaa-bbbb-cccc-000000000002"
ME = pwd.getpwuid(os.getuid()).pw_name
SEES = 'echo "sees [$CUDA_DEVICE_ORDER $CUDA_VISIBLE_DEVICES]"'
MIB = 1 << 20


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNvidiaSmi:
    """Return the program nvidia-smi of a machine with two cards."""
    smi = FakeNvidiaSmi(tmp_path / "driver", FIRST, SECOND)
    monkeypatch.setenv("PATH", f"{smi.folder}/bin:{os.environ['PATH']}")
    inherited = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{smi.python_path}:{inherited}")
    for name in ("RISEML_GPUS", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    return smi


@pytest.fixture
def program() -> Iterator[int]:
    """Return the pid of a program that belongs to no job of the home."""
    environment = {**os.environ, "RISEML_JOB_KEY": "another-home:1:node"}
    with subprocess.Popen(["sleep", "1000"], env=environment) as process:
        yield process.pid
        process.kill()


def config(gpus: object, line: str = SEES) -> str:
    return f"resources: {{cpus: 0.01, mem: 1, gpus: {gpus}}}\nrun: {line!r}"


def log_of(lab: Lab, run: SetStatus) -> str:
    assert run.number is not None
    return lab.log(run.number)


def message(lab: Lab, number: int) -> str:
    """Return why the only job of a run waits."""
    (experiment,) = lab.engine.read(Id(number=number)).experiments
    (job,) = experiment.jobs
    return job.message


def test_a_job_sees_its_own_card(lab: Lab, smi: FakeNvidiaSmi) -> None:
    lab.write({"go": ""})
    waits = "until [ -e $OUTPUT_DIR/go ]; do sleep 0.02; done"
    first = lab.train(config(1, f"{SEES}; {waits}")).number
    lab.until(lambda: "sees" in lab.log(first))
    second = lab.run(config(1))
    lab.engine.stop(Id(number=first))
    assert f"sees [PCI_BUS_ID {FIRST}]" in lab.log(first)
    assert f"sees [PCI_BUS_ID {SECOND}]" in log_of(lab, second)


def test_a_job_may_have_both_cards_or_none(lab: Lab, smi: FakeNvidiaSmi) -> None:
    both, none = lab.run(config(2)), lab.run(config(0))
    assert f"sees [PCI_BUS_ID {FIRST},{SECOND}]" in log_of(lab, both)
    assert "sees [PCI_BUS_ID ]" in log_of(lab, none)


def test_a_command_may_use_some_cards_only(lab: Lab, smi: FakeNvidiaSmi) -> None:
    """Its variable holds for its own runs, and not for those of later commands."""
    first = lab.run(config(1), CUDA_VISIBLE_DEVICES="1")
    second = lab.run(config(1), CUDA_VISIBLE_DEVICES="GPU-1")
    third = lab.run(config(2))
    assert f"sees [PCI_BUS_ID {SECOND}]" in log_of(lab, first)
    assert f"sees [PCI_BUS_ID {FIRST}]" in log_of(lab, second)
    assert third.state is State.FINISHED
    with pytest.raises(RiseMLError) as caught:
        lab.train(config(2), CUDA_VISIBLE_DEVICES="1,-1")
    assert str(caught.value) == (
        "a job can never start here: gpus: 2 requested, this machine has 1 with CUDA_VISIBLE_DEVICES=1,-1"
    )


def test_a_job_waits_for_the_program_of_somebody_else(
    lab: Lab, smi: FakeNvidiaSmi, program: int
) -> None:
    smi.hold((FIRST, program, 900), (SECOND, program, 100))
    number = lab.train(config(1)).number
    holder = f"sleep (pid {program}, user {ME}"
    expected = (
        "waiting: 1 gpu needed, 0 free;"
        f" GPU 0 is in use by {holder}, {900 * MIB // 10**6} MB);"
        f" GPU 1 is in use by {holder}, {100 * MIB // 10**6} MB)"
    )
    lab.until(lambda: message(lab, number) == expected, "the job waits")
    # Once one of the cards is free, the job starts.
    smi.hold((FIRST, program, 900))
    lab.wait(number)
    assert f"sees [PCI_BUS_ID {SECOND}]" in lab.log(number)


def test_cards_may_be_shared_with_others(
    lab: Lab, smi: FakeNvidiaSmi, program: int
) -> None:
    smi.hold((FIRST, program, 900), (SECOND, program, 100))
    run = lab.run(config(1), RISEML_GPUS_SHARED_WITH_OTHERS="true")
    assert f"sees [PCI_BUS_ID {FIRST}]" in log_of(lab, run)


def test_jobs_of_the_home_are_not_somebody_else(lab: Lab, smi: FakeNvidiaSmi) -> None:
    """The second job gets the card on which the first one holds memory."""
    waits = "echo started $$; until [ -e $OUTPUT_DIR/go ]; do sleep 0.02; done"
    first = lab.train(config(0.5, waits), CUDA_VISIBLE_DEVICES="0").number
    lab.until(lambda: "started" in lab.log(first))
    pid = int(lab.log(first).split()[-1])
    smi.hold((FIRST, pid, 400), (SECOND, 1, 400))
    second = lab.run(config(0.5))
    lab.engine.stop(Id(number=first))
    assert f"sees [PCI_BUS_ID {FIRST}]" in log_of(lab, second)


def test_a_job_waits_until_memory_is_free_after_another(
    lab: Lab, smi: FakeNvidiaSmi
) -> None:
    """The driver frees memory some time after the processes are gone."""
    smi.hold()
    waits = f"{SEES}; until [ -e $OUTPUT_DIR/go ]; do sleep 0.02; done"
    first = lab.train(config(2, waits)).number
    lab.until(lambda: "sees" in lab.log(first))
    second = lab.train(config(2)).number
    smi.hold((FIRST, 1 << 22, 900))
    lab.engine.stop(Id(number=first))
    expected = f"that cannot be seen from here (pid {1 << 22}, {900 * MIB // 10**6} MB)"
    lab.until(lambda: expected in message(lab, second), "the job waits")
    smi.hold()
    assert lab.wait(second).state is State.FINISHED


def test_a_card_that_appears_later_is_found(lab: Lab, smi: FakeNvidiaSmi) -> None:
    """The driver was repaired after the controller had started."""
    cards = smi.folder / "cards"
    text = cards.read_text()
    cards.write_text("")
    with pytest.raises(RiseMLError, match="gpus: 1 requested, this machine has 0"):
        lab.train(config(1))
    cards.write_text(text)
    assert f"sees [PCI_BUS_ID {FIRST}]" in log_of(lab, lab.run(config(1)))
