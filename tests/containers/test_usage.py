"""What jobs in containers use is measured as that of processes is."""

import time

from riseml.engines.capabilities import Monitors
from riseml.ids import Id
from tests.contract.bench import Bench

MB = 1_000_000
HOG = """
import os, time
data = os.urandom(1_000_000) * 200
end = time.time() + 20
while time.time() < end:
    sum(range(10_000))
"""


def test_a_job_in_a_container_is_measured(bench: Bench) -> None:
    bench.write({"hog.py": HOG})
    number = bench.train("""
        run: python3 hog.py
        resources: {cpus: 0.5, mem: 500}
        """).number
    assert isinstance(bench.engine, Monitors)
    view = bench.engine.usage(Id(number=number))
    limit = time.monotonic() + 60
    while True:
        usages = view.read()
        assert time.monotonic() < limit, usages
        if usages and (usages[0].mem or 0) > 190 * MB and usages[0].cpu:
            break
        time.sleep(0.2)
    view.close()
    (usage,) = usages
    assert usage.mem is not None
    assert usage.mem < 300 * MB
    # A container has a network of its own.
    assert usage.net_received is not None
    assert usage.note == ""
    for run in bench.engine.changes(Id(number=number)):
        ended = run
    assert ended.state == "FINISHED"
    (experiment,) = bench.engine.read(Id(number=number)).experiments
    recorded = experiment.jobs[0].usage
    assert recorded is not None
    assert recorded.mem_peak is not None
    assert 190 * MB < recorded.mem_peak < 300 * MB
