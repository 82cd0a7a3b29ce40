"""`resources.enforce`: what a job requests is all that it may use on this machine."""

import json
import os
import re
import signal

import pytest

import riseml
from riseml.engines.local.controller import job_groups, job_limits
from riseml.status import SetStatus, State
from tests.local.conftest import Lab

GROUPS = job_groups.find()
needs_groups = pytest.mark.skipif(
    GROUPS is None, reason="control groups cannot be made here"
)
MEGABYTE = 1_000_000
# Touches each page, 8 MB at a time.
GREEDY = """\
import sys
import time
parts = []
for _ in range(int(sys.argv[1]) // 8):
    parts.append(bytearray(b"x" * 8_000_000))
print("has it all", flush=True)
time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)
"""


@pytest.fixture
def client(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> riseml.Client:
    monkeypatch.setenv("RISEML_RESOURCES_ENFORCE", "true")
    lab.write({"greedy.py": GREEDY})
    return riseml.Client(lab.engine.home)


def finish(lab: Lab, client: riseml.Client, text: str) -> SetStatus:
    return client.read(client.wait(start(lab, client, text))[0].id)


def start(lab: Lab, client: riseml.Client, text: str) -> str:
    lines = "".join(f"  {line}\n" for line in text.splitlines())
    lab.write({"riseml.yml": f"project: lab\ntrain:\n  image: busybox\n{lines}"})
    return client.train(lab.folder / "riseml.yml").id


def groups_of(names: set[str]) -> set[str]:
    """Return which of these groups exist."""
    assert GROUPS
    parents = {GROUPS.memory, GROUPS.cpu or GROUPS.memory}
    return {name for parent in parents for name in names if (parent / name).exists()}


@needs_groups
def test_a_job_that_needs_more_memory_than_it_requests_fails_as_on_a_cluster(
    lab: Lab, client: riseml.Client
) -> None:
    run = finish(
        lab,
        client,
        "resources: {cpus: 1, mem: 64}\nrun: python3 greedy.py 400",
    )
    (job,) = run.experiments[0].jobs
    assert (run.state, job.reason, job.exit_code) == (State.FAILED, "OOM", 137)
    assert job.message == "main: OOMKilled (exit code 137)"
    assert "has it all" not in lab.log(1)
    (file,) = lab.output(1).glob(".riseml/logs/*.limit")
    record = json.loads(file.read_text())
    assert (record["limit"], record["is_group"]) == (64 * MEGABYTE, True)
    assert 50 * MEGABYTE < record["peak"] <= 64 * MEGABYTE
    (cause,) = client.why("1")
    assert cause.kind == "OOM"
    assert cause.explanation == (
        "it ran out of memory: it used 64 MB of the 64 MB that it requests, and `resources.enforce` allows no more"
    )


@needs_groups
def test_all_processes_of_a_job_share_its_limit(
    lab: Lab, client: riseml.Client
) -> None:
    # The first one keeps its memory until the second one has started.
    greedy = "python3 greedy.py 64 10"
    text = (
        f"resources: {{cpus: 1, mem: 100}}\nrun: {greedy} & {greedy} & wait $! && wait"
    )
    run = finish(
        lab, client, f"{text}; test $(grep -c all $OUTPUT_DIR/.riseml/logs/*.log) = 2"
    )
    assert (run.state, run.experiments[0].reason) == (State.FAILED, "OOM")


@needs_groups
def test_a_retry_after_oom_gets_a_new_group_and_all_groups_are_removed(
    lab: Lab, client: riseml.Client
) -> None:
    run = finish(
        lab,
        client,
        "resources: {cpus: 1, mem: 64}\nretries: {count: 1, on: oom}\n"
        "run:\n  - grep memory /proc/self/cgroup\n  - test $RISEML_ATTEMPT = 1 || python3 greedy.py 400",
    )
    (job,) = run.experiments[0].jobs
    assert (run.state, job.attempt, job.reason) == (State.FINISHED, 1, "COMPLETED")
    assert [attempt.reason for attempt in job.attempts] == ["OOM", "COMPLETED"]
    groups = set(re.findall(rf"{job_groups.PREFIX}\S+", lab.log(1)))
    assert len(groups) == 2
    lab.until(lambda: not groups_of(groups), "the groups are removed")


@needs_groups
def test_a_killed_controller_leaves_no_group(lab: Lab, client: riseml.Client) -> None:
    start(
        lab,
        client,
        "resources: {cpus: 1, mem: 64}\nrun: cat /proc/self/cgroup && sleep 600",
    )
    lab.until(lambda: job_groups.PREFIX in lab.log(1))
    groups = set(re.findall(rf"{job_groups.PREFIX}\S+", lab.log(1)))
    assert groups_of(groups) == groups
    os.kill(int((lab.engine.home / "controller.lock").read_text()), signal.SIGKILL)
    client.kill("1", force=True)
    client.wait("1")
    lab.until(lambda: not groups_of(groups), "the groups are removed")


@needs_groups
def test_processor_time_is_limited(lab: Lab, client: riseml.Client) -> None:
    assert GROUPS
    if GROUPS.cpu is None:
        pytest.skip("processor time cannot be limited here")
    # Time of processors and of the clock that a busy program uses.
    program = (
        "import time; begin = time.monotonic()\n"
        "while time.monotonic() < begin + 2: pass\n"
        "print('share', time.process_time() / 2)"
    )
    lab.write({"busy.py": program})
    run = finish(lab, client, "resources: {cpus: 0.2, mem: 64}\nrun: python3 busy.py")
    assert run.state is State.FINISHED
    (share,) = re.findall(r"share (\S+)", lab.log(1))
    assert float(share) < 0.35


def test_without_control_groups_each_process_is_limited(
    lab: Lab, client: riseml.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISEML_CGROUPS", "off")
    lab.write({"cpus.py": "import os; print('cpus', len(os.sched_getaffinity(0)))"})
    notes = []
    text = "resources: {cpus: 0.5, mem: 100}\nrun: [python3 cpus.py, python3 greedy.py 400]"
    lines = "".join(f"  {line}\n" for line in text.splitlines())
    lab.write({"riseml.yml": f"project: lab\ntrain:\n  image: busybox\n{lines}"})
    notes = [*client.train(lab.folder / "riseml.yml").notes]
    notes += client.train(lab.folder / "riseml.yml").notes
    assert notes.count(job_limits.NOTE) == 1
    client.wait("1", "2")
    run = client.read("1")
    (job,) = run.experiments[0].jobs
    assert (run.state, job.reason, job.exit_code) == (State.FAILED, "ERROR", 1)
    assert "cpus 1\n" in lab.log(1)
    (cause,) = client.why("1")
    assert cause.kind == "OOM"
    assert cause.explanation == (
        "it could not allocate memory: with `resources.enforce`, each of its processes may allocate the 100 MB"
        " that it requests, whether or not it uses them"
    )


def test_without_the_setting_nothing_is_limited(
    lab: Lab, client: riseml.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RISEML_RESOURCES_ENFORCE")
    run = finish(
        lab,
        client,
        "resources: {cpus: 1, mem: 64}\n"
        "run: [cat /proc/self/cgroup, ulimit -d, python3 greedy.py 400]",
    )
    assert run.state is State.FINISHED
    log = lab.log(1)
    assert job_groups.PREFIX not in log
    assert "unlimited\nhas it all" in log
