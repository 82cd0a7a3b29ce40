"""Kills of podman, conmon, the runtime and the controller at random moments: every experiment runs once."""

import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from riseml.ids import Id
from riseml.status import State
from tests.contract.bench import Bench

_KILLS = 50
_SET = 6
_SEED = 7
_STALL_SECONDS = 60.0
_VICTIMS = ("conmon", "podman", "runtime", "controller")
# Half of a second is about as long as a container needs to start.
_JITTER_SECONDS = 0.5
_CONFIG = """
    resources: {cpus: 0.1, mem: 64}
    parameters: {n: {range: {min: 1, max: %d, step: 1}}}
    run:
      - echo begin >> /output/ledger
      - sleep 0.$(( {{n}} * 3 %% 7 ))
      - echo end >> /output/ledger
    """


class Storm:
    """Kills among the processes of a home; the same seed makes the same choices."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._random = random.Random(_SEED)
        self.kills = dict.fromkeys(_VICTIMS, 0)

    def kill(self) -> None:
        """Kill one process, as soon as there is one of the kind that is chosen."""
        time.sleep(self._random.uniform(0, _JITTER_SECONDS))
        limit = time.monotonic() + _STALL_SECONDS
        while time.monotonic() < limit:
            kind = self._random.choice(_VICTIMS)
            victims = list(self._find(kind))
            if victims:
                with suppress(psutil.NoSuchProcess):
                    self._random.choice(victims).kill()
                    self.kills[kind] += 1
                    return
            time.sleep(0.01)
        raise AssertionError(f"no process to kill; so far {self.kills}")

    def _find(self, kind: str) -> Iterator[psutil.Process]:
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "riseml.engines.local.controller" in words:
                if kind == "controller" and str(self._home) in words:
                    yield process
            elif words[:2] == ["sh", "-s"] and str(self._home) in words[3]:
                # All that belongs to a container of podman is below the supervisor.
                yield from self._below(process, kind)

    @staticmethod
    def _below(supervisor: psutil.Process, kind: str) -> Iterator[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            for process in supervisor.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    name = process.name()
                    if name == kind or (kind == "runtime" and name == "runc"):
                        yield process


@pytest.mark.timeout(900)
def test_no_kill_starts_a_job_twice_or_loses_one(bench: Bench) -> None:
    if bench.engine.runner == "docker":  # type: ignore[attr-defined]
        pytest.skip("the daemon serves others as well")
    storm = Storm(bench.engine.home)  # type: ignore[attr-defined]
    numbers = []
    while sum(storm.kills.values()) < _KILLS:
        numbers.append(bench.train(_CONFIG % _SET).number)
        for _ in range(_SET):
            if sum(storm.kills.values()) < _KILLS:
                storm.kill()
    defects = []
    for number in numbers:
        bench.wait(number)
        run = bench.engine.read(Id(number=number))
        folder = bench.engine.folder(Id(number=number))  # type: ignore[attr-defined]
        for experiment in run.experiments:
            sub = experiment.id.rpartition(".")[2]
            ledger = folder / sub / "ledger"
            lines = ledger.read_text() if ledger.exists() else ""
            if (lines, experiment.state) != ("begin\nend\n", State.FINISHED):
                log = bench.log(Id(number=number, sub=int(sub)))
                defects.append((experiment.id, lines, experiment.state, log))
    assert defects == [], storm.kills
    assert sum(storm.kills.values()) == _KILLS
    assert min(storm.kills.values()) > 0
