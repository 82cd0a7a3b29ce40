"""The command line on the local engine, from `train` to `delete`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from riseml import cli
from riseml.engines.local import protocol
from tests.local.conftest import Lab

Command = Callable[[str], tuple[int, str, str]]
CONFIG = """\
project: lab
train:
  image: busybox
  resources: {cpus: 0.01, mem: 64}
  parameters: {n: [1, 2, 3]}
  concurrency: 2
  run:
    - |
      echo '{"acc": 0.{{n}}}' >> $RESULT_FILE
    - echo "experiment {{n}}"
    - test {{n}} != 2
"""
SLOW = "project: lab\ntrain: {image: busybox, resources: {cpus: 0.01, mem: 64}, run: [echo up, sleep 600]}\n"


@pytest.fixture
def riseml(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.chdir(lab.folder)
    monkeypatch.setenv("LOGNAME", "me")

    def run(line: str) -> tuple[int, str, str]:
        status = cli.main(line.split())
        out, err = capfd.readouterr()
        return status, out, err

    return run


def test_a_set_from_train_to_delete(riseml: Command) -> None:
    Path("riseml.yml").write_text(CONFIG)
    status, out, err = riseml("train -l")
    assert status == 100
    assert {f"1.{n}.train | experiment {n}" for n in (1, 2, 3)} <= set(out.splitlines())
    assert err.splitlines()[-1].startswith("Set 1 FAILED after ")
    assert err.splitlines()[-1].endswith(": 2 finished, 1 failed (1.2).")
    assert riseml("wait 1.1 1.3")[0] == 0
    assert riseml("wait --timeout 60s")[0] == 100
    results = json.loads(riseml("results 1 --sort acc -o json")[1])
    assert (results["best"], [row["id"] for row in results["experiments"]]) == (
        "1.3",
        ["1.3", "1.2", "1.1"],
    )
    assert riseml("logs 1.2.train -f")[1].splitlines()[0] == "experiment 2"
    assert riseml("logs 1 --grep 3$ --no-follow")[1] == "1.3.train | experiment 3\n"
    run = json.loads(riseml("status 1 -o json")[1])
    assert (run["state"], run["counts"]) == ("FAILED", {"FINISHED": 2, "FAILED": 1})
    assert riseml("status -a -o name")[1] == "1\n"
    assert riseml("delete 1 -y")[:2] == (0, "deleted 1\n")
    assert riseml("status 1")[0] == 4


def test_waiting_watching_and_killing(riseml: Command) -> None:
    Path("riseml.yml").write_text(SLOW)
    number = riseml("train -o name")[1].strip()
    status, _, err = riseml("wait --timeout 0.1s")
    assert status == 124
    assert f"timed out waiting for {number} (still " in err
    assert riseml(f"delete {number} -y")[0] == 1
    assert riseml("kill")[:2] == (0, f"killed experiment {number}\n")
    status, out, _ = riseml(f"status {number} -w")
    assert (status, out.splitlines()[-1].split()[1]) == (0, "KILLED")
    assert riseml(f"wait {number} --timeout 60s")[0] == 103
    assert riseml("kill")[0] == 4
    assert riseml("prune --older-than 0s -y")[1] == f"deleted {number}\n"


def test_a_lost_list_of_runs_is_named_and_repaired(riseml: Command, lab: Lab) -> None:
    Path("riseml.yml").write_text(CONFIG)
    assert riseml("train -l")[0] == 100
    before = riseml("results 1 -o json")[1]
    protocol.stop_controller(lab.engine.home)
    for file in lab.engine.home.glob("riseml.db*"):
        file.unlink()
    for line in ("status", "status 1", "logs", "results 1", "kill", "delete 1 -y"):
        status, out, err = riseml(line)
        assert (status, out) == (1, "")
        assert f"{lab.engine.home}/riseml.db does not exist" in err
        assert "riseml doctor --repair" in err
    status, out, err = riseml("doctor")
    assert (status, "riseml doctor --repair" in out) == (1, True)
    assert "1 failed" in err
    status, out, err = riseml("doctor --repair")
    assert (status, "Restored 1 run from their run.json: 1." in out) == (0, True)
    assert riseml("results 1 -o json")[1] == before
    assert riseml("doctor --repair")[1] == "Nothing is wrong with the list of runs.\n"


def test_a_running_set_is_killed_and_deleted(riseml: Command, lab: Lab) -> None:
    Path("riseml.yml").write_text(SLOW.replace("run:", "parameters: {n: [1, 2]}, run:"))
    number = riseml("train -o name")[1].strip()
    lab.until(lambda: "up" in riseml(f"logs {number} --no-follow")[1])
    status, _, err = riseml(f"delete {number} -y")
    assert (status, err.splitlines()[1]) == (
        1,
        f"`riseml kill {number}` ends it, or `riseml delete --kill {number}`.",
    )
    assert riseml(f"delete {number} --kill -y")[:2] == (0, f"deleted {number}\n")
    assert riseml(f"status {number}")[0] == 4


BUILD = """\
project: lab
train:
  install:
    - echo first
    - echo Collecting torch; until test -e {go}; do sleep 0.05; done
  resources: {{cpus: 0.01, mem: 64}}
  run: 'true'
"""


@pytest.mark.parametrize("parameters", ["", "  parameters: {n: [1, 2]}\n"])
def test_a_build_shows_its_step(
    parameters: str, riseml: Command, lab: Lab, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    Path("riseml.yml").write_text(BUILD.format(go=go) + parameters)
    assert riseml("train -o name")[1] == "1\n"
    lab.until(lambda: "Collecting torch" in riseml("logs 1.build --no-follow")[1])
    step = f"step 2 of 2: echo Collecting torch; until test -e {go}"[:60]
    end = ["  | Collecting torch", "  → `riseml logs 1.build` shows the full log."]
    for command in ("status 1", "status"):
        lines = riseml(command)[1].splitlines()
        assert lines[-3].startswith("1.build has run for ")
        assert step in lines[-3]
        assert lines[-2:] == end
    lines = riseml("why 1")[1].splitlines()
    assert lines[0].startswith(
        f"1.build ● RUNNING: the environment is being installed: {step}"
    )
    assert lines[-2:] == end
    go.touch()
    assert riseml("wait 1")[0] == 0
