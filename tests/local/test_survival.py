"""Failures that a home survives: killed controllers, restarts of the machine, damaged records, invalid requests."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from riseml.engines.local import protocol, secrets
from riseml.engines.local.engine import LocalEngine
from riseml.engines.local.jobs.processes import boot_id
from riseml.errors import HomeError, RiseMLError
from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab, commands_of, processes_of


def controller(home: Path) -> int:
    return int((home / "controller.lock").read_text().split()[0])


def kill_controller(home: Path) -> None:
    """Kill the controller with SIGKILL, and wait until it is gone."""
    pid = controller(home)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    while (
        Path(f"/proc/{pid}/stat").exists()
        and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    ):
        time.sleep(0.001)


def test_a_set_ends_correctly_however_often_its_controller_is_killed(
    lab: Lab, tmp_path: Path
) -> None:
    """After twenty kills at random times, every experiment has run once and has its true state and result."""
    seed = random.Random(20)
    number = lab.train(
        f"""
        parameters: {{n: {{range: {{min: 1, max: 40, step: 1}}}}}}
        concurrency: 4
        run: |
          echo begun >> {tmp_path}/ran-{{{{n}}}}
          python3 -S -c "import time; time.sleep({{{{n}}}} % 7 / 50)"
          echo '{{"value": {{{{n}}}}}}' >> $RESULT_FILE
          exit $(( {{{{n}}}} % 5 == 0 ))
        """
    ).number
    for _ in range(20):
        time.sleep(seed.uniform(0, 0.12))
        kill_controller(lab.engine.home)
        # This starts a new controller, and must not show an outdated state.
        run = lab.engine.read(Id(number=number))
        for experiment in run.experiments:
            mark = tmp_path / f"ran-{experiment.sub}"
            if experiment.state in (State.FINISHED, State.FAILED):
                assert mark.exists()
                assert (experiment.state is State.FAILED) == (experiment.sub % 5 == 0)  # type: ignore[operator]
    lab.wait(number)
    run = lab.engine.read(Id(number=number))
    expected = [State.FAILED if n % 5 == 0 else State.FINISHED for n in range(1, 41)]
    assert [e.state for e in run.experiments] == expected
    assert [e.result for e in run.experiments] == [{"value": n} for n in range(1, 41)]
    assert {
        n: (tmp_path / f"ran-{n}").read_text() for n in range(1, 41)
    } == dict.fromkeys(range(1, 41), "begun\n")


def test_a_set_continues_without_commands_after_its_controller_was_killed(
    lab: Lab, tmp_path: Path
) -> None:
    """The end of a job starts a controller again."""
    lab.train(
        f"""
        parameters: {{n: [1, 2, 3]}}
        run: "touch {tmp_path}/on-{{{{n}}}}; until test -e {tmp_path}/go; do sleep 0.05; done"
        """
    )
    # The first job runs until `go` exists, so the kill cannot come after the last job.
    lab.until((tmp_path / "on-1").exists, "the first experiment")
    kill_controller(lab.engine.home)
    (tmp_path / "go").touch()
    lab.until((tmp_path / "on-3").exists, "the third experiment")


def test_the_machine_restarts_in_the_middle_of_a_set(lab: Lab, tmp_path: Path) -> None:
    number = lab.train(
        f"""
        parameters: {{n: [1, 2, 3]}}
        run: "if [ {{{{n}}}} = 1 ]; then touch {tmp_path}/on; sleep 600; fi"
        """
    ).number
    lab.until((tmp_path / "on").exists)
    home = lab.engine.home
    while processes := processes_of(home):
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.kill()
    for pid in home.glob("runs/*/*/pid"):
        # As if it had been written before the machine's last start.
        pid.write_text(pid.read_text().replace(boot_id(), "0" * len(boot_id())))
    lab.wait(number)
    first, *others = lab.engine.read(Id(number=number)).experiments
    assert first.state is State.FAILED
    assert "machine restarted" in first.message
    assert [e.state for e in others] == [State.FINISHED, State.FINISHED]


def test_twenty_starts_at_once_have_twenty_consecutive_numbers(lab: Lab) -> None:
    (lab.folder / "riseml.yml").write_text(
        "project: lab\ntrain: {image: busybox, resources: {cpus: 0.01, mem: 1}, run: 'echo $RISEML_EXPERIMENT'}\n"
    )

    def train(_: int) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "riseml", "train", "-o", "json"],
            cwd=lab.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return str(json.loads(done.stdout)["id"])

    with ThreadPoolExecutor(20) as pool:
        ids = sorted(pool.map(train, range(20)), key=int)
    assert ids == [str(n) for n in range(1, 21)]
    for number in range(1, 21):
        assert lab.wait(number).state is State.FINISHED
        assert lab.log(number) == f"{number}\n"


def test_a_home_that_is_not_writable_is_reported(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engine = LocalEngine(tmp_path / "file" / "home", "me")
    with pytest.raises(HomeError) as caught:
        engine.submit({})
    assert "RISEML_HOME" in caught.value.advice


def test_a_home_of_another_schema_is_refused(lab: Lab) -> None:
    lab.run("run: 'true'")
    protocol.stop_controller(lab.engine.home)
    with sqlite3.connect(lab.engine.home / "riseml.db") as db:
        db.execute("PRAGMA user_version = 99")
    for act in (
        lambda: LocalEngine(lab.engine.home, "me").latest(),
        lambda: lab.train("run: 'true'"),
    ):
        with pytest.raises(HomeError, match="schema 99"):
            act()
    with sqlite3.connect(lab.engine.home / "riseml.db") as db:
        db.execute("PRAGMA user_version = 1")


def test_a_damaged_run_does_not_affect_others(lab: Lab, tmp_path: Path) -> None:
    bad = lab.train("run: sleep 600").number
    good = lab.train(f"run: 'until test -e {tmp_path}/go; do sleep 0.05; done'").number
    kill_controller(lab.engine.home)
    with sqlite3.connect(lab.engine.home / "riseml.db") as db:
        db.execute(
            "UPDATE runs SET document = '{\"metadata\"' WHERE number = ?", (bad,)
        )
    with pytest.raises(RiseMLError, match=f"run {bad} is damaged"):
        lab.engine.read(Id(number=bad))
    (tmp_path / "go").touch()
    assert lab.wait(good).state is State.FINISHED
    lab.until(
        lambda: all("sleep 600" not in line for line in commands_of(lab.engine.home)),
        "the end of the damaged run's job",
    )


def test_an_idle_controller_exits_and_is_started_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISEML_IDLE", "0.2")
    lab.run("run: 'true'")
    lab.until(lambda: not protocol.answers(lab.engine.home))
    assert lab.run("run: 'true'").state is State.FINISHED


def test_an_adopted_job_has_its_true_state_and_times(lab: Lab, tmp_path: Path) -> None:
    """That holds even if its secret is gone and its controller was killed."""
    secrets.change(lab.engine.home, "TOKEN", "s3cr3t")
    number = lab.train(
        f"secrets: [TOKEN]\nrun: 'touch {tmp_path}/on; sleep 1; date +%s.%N > {tmp_path}/end'"
    ).number
    lab.until((tmp_path / "on").exists)
    secrets.change(lab.engine.home, "TOKEN", None)
    os.kill(controller(lab.engine.home), signal.SIGSTOP)
    lab.until((tmp_path / "end").exists)
    time.sleep(1.5)
    kill_controller(lab.engine.home)
    lab.wait(number)
    (job,) = lab.engine.read(Id(number=number)).experiments[0].jobs
    assert job.state is State.FINISHED
    assert job.finished is not None
    assert abs(job.finished.timestamp() - float((tmp_path / "end").read_text())) < 1


def test_a_log_that_cannot_be_indexed_does_not_stop_its_run(
    lab: Lab, tmp_path: Path
) -> None:
    number = lab.train(
        f"""
        run:
          - mkdir $OUTPUT_DIR/.riseml/logs/train.0.log.times
          - touch {tmp_path}/on
          - "until test -e {tmp_path}/go; do echo more; sleep 0.1; done"
        """
    ).number
    lab.until((tmp_path / "on").exists)
    first = controller(lab.engine.home)
    time.sleep(2.5)
    (tmp_path / "go").touch()
    assert lab.wait(number).state is State.FINISHED
    assert controller(lab.engine.home) == first


def test_invalid_requests_do_not_affect_runs(lab: Lab) -> None:
    number = lab.train("run: sleep 0.5").number
    for nonsense in (
        b"[1]\n",
        b"{}\n",
        b"\xff\n",
        b'{"act": "start"}\n',
        b'{"act": "fly"}\n',
    ):
        with protocol.connection(lab.engine.home) as channel:
            channel.sendall(nonsense)
            assert b"error" in channel.recv(1 << 16)
    assert lab.wait(number).state is State.FINISHED
