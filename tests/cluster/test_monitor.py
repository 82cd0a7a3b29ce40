"""What jobs on the cluster of KUBECONFIG use, as a user with a key measures it."""

import time
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.errors import NotAllowedError
from riseml.status import SetStatus
from tests.cluster import installed

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("system"),
]

MB = 1_000_000
# Holds 200 MB that a forked process shares, computes, and ends when it is told.
HOG = """
import os, sys, time
data = os.urandom(1_000_000) * 200
if os.fork() == 0:
    time.sleep(20)
    os._exit(0)
end = time.time() + 25
while time.time() < end:
    sum(range(10_000))
    time.sleep(0.001)
"""
CONFIG = f"""
project: monitored
train:
  image: {installed.REGISTRY}/base:1
  resources: {{cpus: 0.2, mem: 128, gpus: 0}}
  run: python3 hog.py
"""


def test_a_job_is_measured_while_it_runs_and_recorded_at_its_end(
    client: Client, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "hog.py").write_text(HOG)
    (folder / "riseml.yml").write_text(CONFIG)
    run = client.train(str(folder / "riseml.yml"))
    limit = time.monotonic() + 120
    for usages in client.monitor(interval=1):
        assert time.monotonic() < limit, usages
        if usages and (usages[0].mem or 0) > 190 * MB and (usages[0].cpu or 0) > 0.02:
            break
    (usage,) = usages
    assert usage.id == f"{run.id}.train"
    assert usage.mem is not None
    assert usage.mem < 300 * MB
    assert usage.requested is not None
    assert usage.requested.mem == 128 * MB
    # A pod has a network of its own.
    assert usage.net_received is not None
    (ended,) = client.wait(run.id)
    assert isinstance(ended, SetStatus)
    (job,) = client.read(run.id).experiments[0].jobs
    assert job.usage is not None
    assert job.usage.mem_peak is not None
    assert 190 * MB < job.usage.mem_peak < 300 * MB
    assert job.usage.cpu_mean is not None
    assert 0.01 < job.usage.cpu_mean < 1.5
    # Here the cluster limits jobs, so there is no remark.
    assert client.read(run.id).experiments[0].notes == ()


def test_jobs_of_another_user_are_refused(client: Client) -> None:
    with pytest.raises(NotAllowedError):
        client.open_usage(".somebody.1")
