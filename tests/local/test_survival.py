"""What the home survives: killed controllers, restarted machines, many commands at once, full and foreign homes."""

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
    """Kill the controller without a warning, and wait until it is gone."""
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


def test_a_set_ends_truly_however_often_its_controller_is_killed(
    lab: Lab, tmp_path: Path
) -> None:
    """Twenty kills at random moments: every cell runs exactly once, and ends with its true state and result."""
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
        whole = lab.engine.read(
            Id(number=number)
        )  # brings a new one up, and must not tell tales
        for experiment in whole.experiments:
            mark = tmp_path / f"ran-{experiment.sub}"
            if experiment.state in (State.FINISHED, State.FAILED):
                assert mark.exists()
                assert (experiment.state is State.FAILED) == (experiment.sub % 5 == 0)  # type: ignore[operator]
    lab.wait(number)
    whole = lab.engine.read(Id(number=number))
    wanted = [State.FAILED if n % 5 == 0 else State.FINISHED for n in range(1, 41)]
    assert [e.state for e in whole.experiments] == wanted
    assert [e.result for e in whole.experiments] == [{"value": n} for n in range(1, 41)]
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
    while left := processes_of(home):
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
    for pid in home.glob(
        "runs/*/*/pid"
    ):  # as if written before the machine's last start
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


def test_a_home_that_cannot_be_written_is_said(lab: Lab, tmp_path: Path) -> None:
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


def test_a_damaged_run_harms_no_other(lab: Lab, tmp_path: Path) -> None:
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


def test_the_controller_leaves_when_idle_and_comes_back(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISEML_IDLE", "0.2")
    lab.run("run: 'true'")
    lab.until(lambda: not protocol.answers(lab.engine.home))
    assert lab.run("run: 'true'").state is State.FINISHED


def test_a_job_taken_up_keeps_its_state_times_and_control(
    lab: Lab, tmp_path: Path
) -> None:
    """Its secret is gone, its controller was killed: it is followed all the same, and its times are its own."""
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


def test_a_log_that_cannot_be_indexed_stops_nobody(lab: Lab, tmp_path: Path) -> None:
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


def test_nonsense_on_the_socket_harms_nobody(lab: Lab) -> None:
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


def test_the_home_is_its_owners_alone(lab: Lab) -> None:
    lab.engine.home.mkdir(mode=0o755)
    lab.run("run: 'true'")
    assert lab.engine.home.stat().st_mode & 0o077 == 0
