"""Start barrier for the jobs of an experiment, in the shells that images have."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from riseml.compiler import pod
from tests.unit.script_shells import SHELLS, shells, start_session

TWO = "worker.1=127.0.0.1:1 worker.2=127.0.0.1:2"


class Member:
    """One job of a gang, without its container."""

    def __init__(
        self, folder: Path, name: str, gang: str = TWO, timeout: str = "30"
    ) -> None:
        self.output, self.own = folder / "output", folder / name
        for folder in (self.output, self.own):
            folder.mkdir(exist_ok=True)
        self.meeting = self.output / ".riseml/gang/uid.0"
        self.env = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith("RISEML")
            },
            "OUTPUT_DIR": str(self.output),
            "RISEML_DIR": str(self.own),
            "RISEML_JOB": name,
            "RISEML_LOGGED": "1",
            "RISEML_GANG": gang,
            "RISEML_GANG_TIMEOUT": timeout,
            "RISEML_MEETING": str(self.meeting),
        }

    def start(self, shell: str, *lines: str) -> "subprocess.Popen[str]":
        arguments = [pod.script(gang=True), "riseml", pod.functions(), *lines]
        command = [*SHELLS[shell], "-c", *arguments]
        return start_session(command, self.env, self.own)


def end(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Wait for a job, and return its exit status and output."""
    text = process.communicate(timeout=60)[0]
    return process.returncode, text


@shells
def test_no_job_starts_before_all_have_met(shell: str, tmp_path: Path) -> None:
    first, second = (Member(tmp_path, f"worker.{index}") for index in (1, 2))
    marker = tmp_path / "second is there"
    waiting = first.start(shell, f"test -e '{marker}' && echo begun")
    while not (first.meeting / "worker.1").exists():
        assert waiting.poll() is None
    marker.touch()
    with second.start(shell, "echo begun, too") as other:
        assert end(other) == (0, "begun, too\n")
    with waiting:
        assert end(waiting) == (0, "begun\n")


@shells
def test_a_job_that_waits_in_vain_names_the_missing_jobs(
    shell: str, tmp_path: Path
) -> None:
    member = Member(tmp_path, "worker.1", f"{TWO} ps=127.0.0.1:3", timeout="0")
    with member.start(shell, "echo never") as process:
        code, text = end(process)
    assert code == 175
    assert (
        text
        == "riseml: worker.1 exits: after 0 seconds, the gang_timeout, there was no sign of worker.2 ps\n"
    )
    assert (member.own / "missing").read_text() == "there was no sign of worker.2 ps"


@shells
def test_a_job_exits_if_a_host_cannot_be_resolved(shell: str, tmp_path: Path) -> None:
    member = Member(
        tmp_path, "worker.1", "worker.1=no-such-host.invalid:1", timeout="0"
    )
    with member.start(shell, "echo never") as process:
        code, text = end(process)
    assert code == 75
    assert "there is no address of the host no-such-host.invalid" in text


@shells
def test_a_job_that_comes_after_a_failure_exits_at_once(
    shell: str, tmp_path: Path
) -> None:
    early, late = (
        Member(tmp_path, "worker.1", "worker.1=127.0.0.1:1"),
        Member(tmp_path, "worker.2", f"{TWO} ps=x:1"),
    )
    with early.start(shell, "exit 7") as process:
        assert end(process) == (7, "")
    with late.start(shell, "echo never") as process:
        code, text = end(process)
    assert code == 143
    assert (
        text
        == "riseml: worker.2 exits: worker.1 exited with status 7 before all jobs had met\n"
    )


@shells
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_waiting_job_can_be_stopped(
    shell: str, number: signal.Signals, tmp_path: Path
) -> None:
    member = Member(tmp_path, "worker.1")
    with member.start(shell, "echo never") as process:
        while not (member.meeting / "worker.1").exists():
            assert process.poll() is None
        process.send_signal(number)
        assert end(process) == (143, "")


@shells
def test_a_job_that_fails_because_of_another_one_waits_to_be_ended(
    shell: str, tmp_path: Path
) -> None:
    """The engine takes the job that ends first for the one that failed first."""
    first, second = (Member(tmp_path, name) for name in ("worker.1", "worker.2"))
    failed = tmp_path / "failed"
    waiting = second.start(
        shell, f"while [ ! -e {failed} ]; do sleep 0.1; done; exit 6"
    )
    assert end(first.start(shell, "exit 5"))[0] == 5
    failed.touch()
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1.5)
    waiting.send_signal(signal.SIGTERM)
    assert end(waiting)[0] == 6
    assert (first.meeting / "over").read_text() == "worker.1 exited with status 5\n"


@shells
def test_a_job_that_has_announced_its_failure_ends_at_once(
    shell: str, tmp_path: Path
) -> None:
    member = Member(tmp_path, "worker.1", gang="worker.1=127.0.0.1:1")
    line = 'echo "worker.1 has failed" > "$RISEML_MEETING/over"; exit 5'
    process = member.start(shell, line)
    assert process.wait(20) == 5
    end(process)


@shells
def test_all_jobs_that_wait_give_up_together_and_meet_in_the_next_round(
    shell: str, tmp_path: Path
) -> None:
    """`gang_timeout` counts from the first job, so a later one has less time."""
    three = f"{TWO} worker.3=127.0.0.1:3"
    members = [Member(tmp_path, f"worker.{i}", three, "2") for i in (1, 2, 3)]
    first = members[0].start(shell, "echo never")
    while not (members[0].meeting / "deadline").exists():
        assert first.poll() is None
    second = members[1].start(shell, "echo never")
    assert end(first)[0] == end(second)[0] == 175
    for member in members[:2]:
        assert (member.own / "missing").read_text() == "there was no sign of worker.3"
    decision = members[0].meeting / "decision"
    word, until = decision.read_text().split()
    assert word == "release"
    assert 19 <= int(until) - decision.stat().st_mtime <= 41
    decision.write_text("release 0\n")
    processes = [member.start(shell, "echo begun") for member in members]
    assert [end(process) for process in processes] == [(0, "begun\n")] * 3
    assert (members[0].meeting / "round.1/decision").read_text() == "go\n"


@shells
def test_a_job_that_gets_room_while_its_gang_makes_room_exits_at_once(
    shell: str, tmp_path: Path
) -> None:
    member = Member(tmp_path, "worker.1")
    member.meeting.mkdir(parents=True)
    (member.meeting / "decision").write_text("release 99999999999\n")
    text = "riseml: worker.1 exits: its gang has just given its resources back, and tries again soon\n"
    assert end(member.start(shell, "echo never")) == (175, text)
    assert not (member.meeting / "worker.1").exists()


@shells
def test_a_gang_that_has_begun_does_not_give_up(shell: str, tmp_path: Path) -> None:
    """One job sees that all have met just when another one's time is over."""
    member = Member(tmp_path, "worker.1", timeout="0")
    member.meeting.mkdir(parents=True)
    (member.meeting / "decision").write_text("go\n")
    process = member.start(shell, "echo begun")
    while not (member.meeting / "worker.1").exists():
        assert process.poll() is None
    (member.meeting / "worker.2").touch()
    assert end(process) == (0, "begun\n")


@shells
def test_jobs_that_a_queue_starts_together_wait_without_a_limit(
    shell: str, tmp_path: Path
) -> None:
    first, second = (Member(tmp_path, f"worker.{i}", timeout="") for i in (1, 2))
    waiting = first.start(shell, "echo begun")
    while not (first.meeting / "worker.1").exists():
        assert waiting.poll() is None
    assert end(second.start(shell, "true")) == (0, "")
    assert end(waiting) == (0, "begun\n")
    assert not (first.meeting / "deadline").exists()


@shells
def test_the_commands_of_a_gang_cannot_have_it_started_again(
    shell: str, tmp_path: Path
) -> None:
    member = Member(tmp_path, "worker.1", gang="worker.1=127.0.0.1:1")
    assert end(member.start(shell, "exit 175")) == (174, "")


@shells
def test_a_daemon_waits_for_the_next_round_where_it_is(
    shell: str, tmp_path: Path
) -> None:
    """Argo cannot start it again, so it keeps what it has, and no time runs for it."""
    server, worker = Member(tmp_path, "worker.1"), Member(tmp_path, "worker.2")
    server.env["RISEML_STAYS"] = "1"
    waiting = server.start(shell, "echo begun")
    while not (server.meeting / "worker.1").exists():
        assert waiting.poll() is None
    assert not (server.meeting / "deadline").exists()
    (server.meeting / "decision").write_text("release 0\n")
    while not (server.meeting / "round.1/worker.1").exists():
        assert waiting.poll() is None
    assert end(worker.start(shell, "true")) == (0, "")
    assert end(waiting) == (0, "begun\n")
