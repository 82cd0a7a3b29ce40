"""Networks of experiments: `isolate_network`."""

import os
import shutil
import sys

import pytest

from riseml.config import load_text
from riseml.engines.local.controller import networks
from riseml.engines.local.jobs import network
from riseml.errors import UnsupportedError
from riseml.ids import Id
from riseml.planner import plan
from tests.local.conftest import Lab

LISTEN = """\
import os, socket, time
server = socket.create_server(("127.0.0.1", 29500))
print("bound", flush=True)
folder = os.environ["MEETING"]
open(os.path.join(folder, os.environ["RISEML_EXPERIMENT"]), "w").close()
while len(os.listdir(folder)) < 2:
    time.sleep(0.05)
"""
# One job of the experiment connects to the other one, whose port all experiments share.
MEET = """\
import os, socket, time
if os.environ["RISEML_JOB"] == "master":
    server = socket.create_server(("127.0.0.1", 29501))
    print(server.accept()[0].recv(100).decode())
else:
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", 29501))
            break
        except OSError:
            time.sleep(0.05)
    connection.sendall(os.environ["RISEML_EXPERIMENT"].encode())
"""
pytestmark = pytest.mark.skipif(
    not network.supported(), reason="no network namespaces here"
)


def test_experiments_may_listen_at_the_same_port(lab: Lab) -> None:
    lab.write({"listen.py": LISTEN})
    meeting = lab.folder.parent / "meeting"
    meeting.mkdir()
    run = lab.run(
        f"""
        parameters: {{i: [1, 2]}}
        concurrency: 2
        isolate_network: true
        env: {{MEETING: {meeting}}}
        run: {sys.executable} listen.py
        """
    )
    assert [experiment.state for experiment in run.experiments] == ["FINISHED"] * 2
    assert lab.log(Id(number=1)).count("bound") == 2


def test_jobs_of_an_experiment_reach_each_other_only(lab: Lab) -> None:
    lab.write({"meet.py": MEET})
    run = lab.run(
        f"""
        parameters: {{i: [1, 2]}}
        concurrency: 2
        isolate_network: true
        framework: pytorch
        pytorch: {{workers: 2}}
        run: {sys.executable} meet.py
        """
    )
    assert run.state == "FINISHED"
    for sub in (1, 2):
        assert lab.log(Id(number=1, sub=sub, type="master")) == f"1.{sub}\n"


def test_a_job_keeps_its_user_and_its_mounts(lab: Lab) -> None:
    run = lab.run(
        """
        isolate_network: true
        run:
        - id -u; id -g
        - grep -o lo /proc/net/dev
        - cd /code; echo kept > /output/result.txt
        """
    )
    assert run.state == "FINISHED"
    assert lab.log(1).split() == [str(os.geteuid()), str(os.getegid()), "lo"]
    assert (lab.output(1) / "result.txt").read_text() == "kept\n"


def test_a_machine_without_namespaces_refuses_at_submission(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "project: lab\ntrain: {image: x, resources: {cpus: 1, mem: 99}, run: x, isolate_network: true}\n"
    monkeypatch.setattr(network, "_probed", [False])
    with pytest.raises(UnsupportedError, match="does not allow `isolate_network`"):
        networks.check(plan(load_text(text)))
    networks.check(plan(load_text(text.replace("true", "false"))))
    monkeypatch.setattr(network, "_probed", [True])
    networks.check(plan(load_text(text)))


def test_a_killed_job_leaves_no_network(lab: Lab) -> None:
    started = lab.train("isolate_network: true\nrun: echo up; sleep 600 & sleep 600")
    lab.until(lambda: "up" in lab.log(started.number))
    lab.engine.stop(Id(number=started.number), force=True)
    assert lab.wait(started.number).state == "KILLED"


def test_a_gateway_that_does_not_work_is_named(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = lab.folder.parent / "bin" / "pasta"
    gateway.parent.mkdir()
    gateway.write_text("#!/bin/sh\nexit 1\n")
    gateway.chmod(0o755)
    monkeypatch.setenv("PATH", f"{gateway.parent}:{os.environ['PATH']}")
    run = lab.run("isolate_network: true\nrun: echo done")
    assert run.state == "FINISHED"
    assert lab.log(1) == (
        "riseml: pasta does not work here, so this job reaches only its own experiment\ndone\n"
    )


@pytest.mark.skipif(shutil.which("pasta") is None, reason="no pasta here")
def test_pasta_connects_an_experiment_and_ends_with_it(lab: Lab) -> None:
    run = lab.run("isolate_network: true\nrun: cat /proc/net/route")
    assert run.state == "FINISHED"
    assert len(lab.log(1).splitlines()) > 1


def test_a_machine_without_a_gateway_says_so_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if shutil.which("pasta"):
        pytest.skip("pasta is installed")
    notes = [lab.train("isolate_network: true\nrun: 'true'").notes for _ in range(2)]
    assert notes[0][-1] == networks.NOTE
    assert networks.NOTE not in notes[1]
