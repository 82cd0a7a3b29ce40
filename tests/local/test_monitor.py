"""What real jobs use, as `riseml monitor` measures it."""

import json
import time
from collections.abc import Callable

from riseml.client.client import Client
from riseml.ids import Id
from riseml.readings import JobUsage
from tests.local.conftest import Lab

MB = 1_000_000
# Holds 200 MB that a forked process shares, and computes.
HOG = """
import os, time
data = os.urandom(1_000_000) * 200
if os.fork() == 0:
    time.sleep(120)
    os._exit(0)
while True:
    sum(range(10_000))
"""
# Allocates 200 MB for a moment.
PEAK = """
import os
data = os.urandom(1_000_000) * 200
"""


def until(
    client: Client, condition: Callable[[list[JobUsage]], object]
) -> list[JobUsage]:
    """Read until a condition holds."""
    limit = time.monotonic() + 60
    for usages in client.monitor(interval=0.1):
        if condition(usages):
            return usages
        assert time.monotonic() < limit, usages
    raise AssertionError


def test_the_end_of_a_job_records_what_it_used(lab: Lab) -> None:
    lab.write({"peak.py": PEAK})
    run = lab.run("""
        run: python3 peak.py
        resources: {cpus: 0.5, mem: 128}
    """)
    (experiment,) = run.experiments
    usage = experiment.jobs[0].usage
    assert usage is not None
    assert usage.mem_peak is not None
    assert 200 * MB < usage.mem_peak < 260 * MB
    assert usage.cpu_mean is not None
    assert 0 < usage.cpu_mean < 1.2
    assert usage.gpu_util_mean is None
    (note,) = experiment.notes
    assert note.startswith("used 2")
    assert note.endswith(" of memory, asked for 128 MB: a cluster may kill such a job")
    # The record beside the outputs has it as well.
    record = json.loads((lab.output(int(run.id)) / "run.json").read_text())
    assert record["experiments"][0]["jobs"][0]["usage"]["mem_peak"] == usage.mem_peak


def test_memory_that_a_fork_shares_counts_once(lab: Lab) -> None:
    lab.write({"hog.py": HOG})
    number = lab.train("""
        run: python3 hog.py
        resources: {cpus: 0.5, mem: 128}
    """).number
    client = Client(engine=lab.engine)
    (usage,) = until(
        client,
        lambda usages: (
            usages and (usages[0].mem or 0) > 205 * MB and (usages[0].cpu or 0) > 0.2
        ),
    )
    assert usage.id == f"{number}.train"
    assert usage.mem is not None
    assert usage.mem < 300 * MB
    assert usage.cpu is not None
    assert usage.cpu < 1.5
    assert usage.requested is not None
    assert (usage.requested.mem, usage.gpus) == (128 * MB, ())
    assert usage.net_received is None
    assert "isolate_network" in usage.note
    # The controller has taken samples as well.
    limit = time.monotonic() + 60
    while not (notes := lab.engine.read(Id(number=number)).experiments[0].notes):
        assert time.monotonic() < limit
        time.sleep(0.1)
    assert notes[0].startswith("used 2")
    lab.engine.stop(Id(number=number), force=True)
    lab.wait(number)
    assert list(client.monitor(str(number))) == []
