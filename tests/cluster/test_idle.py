"""Pods whose GPUs are idle: marked by `status`, and stopped after `idle_timeout`.

A node without a GPU is told to have one, and the image's PATH finds a program nvidia-smi of the project.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from riseml import config, planner
from riseml.cluster.api import Api, path
from riseml.engines import Submission
from riseml.ids import Id
from riseml.status import JobStatus, State
from tests.cluster.user_namespace import wait_until
from tests.contract import cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(280)]

GPU = "nvidia.com/gpu"
CONFIG = """
project: idle
train:
  image: {image}
  resources: {{cpus: 0.02, mem: 64, gpus: 1}}
  idle_timeout: 30s
  retries: 2
  env: {{PATH: "/code/programs:/usr/local/bin:/usr/bin:/bin"}}
  run: "trap 'echo saved; exit' TERM; while :; do sleep 0.2; done"
"""
PROGRAM = """\
#!/bin/sh
[ "$1" = pmon ] || echo '0, GPU-0, 1, 0, [N/A]'
"""


@pytest.fixture
def gpu() -> Iterator[None]:
    """Let the first node have a GPU, unless it has one."""
    api: Api = cluster.administrator()
    node = next(iter(api.items(path("nodes"))))
    if GPU in node["status"]["capacity"]:
        yield
        return
    status = f"{path('nodes')}/{node['metadata']['name']}/status"
    api.patch(status, {"status": {"capacity": {GPU: "1"}}})
    api.patch(status, {"status": {"allocatable": {GPU: "1"}}})
    yield
    for amounts in ("capacity", "allocatable"):
        api.patch(status, {"status": {amounts: {GPU: None}}})


@pytest.mark.usefixtures("gpu")
def test_an_idle_pod_is_marked_and_then_stopped_and_not_retried(tmp_path: Path) -> None:
    engine = cluster.engine(tmp_path / "home")
    project = tmp_path / "project"
    (project / "programs").mkdir(parents=True)
    program = project / "programs" / "nvidia-smi"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    plan = planner.plan(config.load_text(CONFIG.format(image=cluster.IMAGE)))
    revision = engine.snapshot("idle", project).revision
    number = engine.start(Submission(plan, revision, {})).number

    def job() -> JobStatus:
        return engine.read(Id(number=number)).experiments[0].jobs[0]

    wait_until(lambda: job().reason == "IDLE", 120, "the mark")
    marked = job()
    if marked.state is State.RUNNING:
        assert marked.message.startswith("its GPUs have been idle for ")
    # The changes end with the run.
    for _ in engine.changes(Id(number=number)):
        pass
    ended = job()
    assert (ended.state, ended.reason, ended.exit_code) == (State.FAILED, "IDLE", 79)
    assert ended.message == "its GPUs were idle for 30 s (`idle_timeout`)"
    assert ended.attempt == 0
