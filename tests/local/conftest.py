"""A RiseML home for each test, with an engine; no process may be left at its end."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent

import psutil
import pytest

from riseml import config, planner
from riseml.engines import Chunk, LogQuery, Submission, Submitted
from riseml.engines.local import protocol
from riseml.engines.local.engine import LocalEngine
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus

# Far longer than any step of a test takes, so that only a hang reaches it.
PATIENCE = 60.0


@dataclass
class Lab:
    """A project folder and an engine."""

    folder: Path
    engine: LocalEngine
    limit: int = 10_000_000_000

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))

    def train(self, text: str, **environment: str) -> Submitted:
        """Start a riseml.yml given as text below `train:`."""
        config_text = "project: lab\ntrain:\n  image: busybox\n" + "".join(
            f"  {line}\n" for line in dedent(text).strip().splitlines()
        )
        if "resources:" not in config_text:
            config_text += "  resources: {cpus: 0.01, mem: 1}\n"
        plan = planner.plan(config.load_text(config_text))
        plan = replace(plan, workdir_limit=self.limit)
        revision = self.engine.snapshot("lab", self.folder).revision
        return self.engine.start(
            Submission(plan, revision, {**os.environ, **environment})
        )

    def wait(self, run: Id | int) -> SetStatus | ExperimentStatus:
        """Wait until a run or an experiment has ended."""
        run_id = Id(number=run) if isinstance(run, int) else run
        for status in self.engine.changes(run_id):
            last = status
        return last

    def run(self, text: str, **environment: str) -> SetStatus:
        """Run to the end, and return the run in full."""
        number = self.train(text, **environment).number
        self.wait(number)
        return self.engine.read(Id(number=number))

    def log(self, run: int | Id) -> str:
        """Return all lines of a run's logs."""
        run_id = Id(number=run) if isinstance(run, int) else run
        events = self.engine.logs(LogQuery(run_id, follow=False))
        return b"".join(
            event.data for event in events if isinstance(event, Chunk)
        ).decode()

    def controller_log(self) -> str:
        """Return the log of the controller, empty before it writes one."""
        file = protocol.log_file(self.engine.home)
        return file.read_text() if file.exists() else ""

    def output(self, number: int, sub: int | None = None) -> Path:
        folder = self.engine.folder(Id(number=number))
        return folder / str(sub) if sub else folder

    def until(self, happened: Callable[[], object], what: str = "") -> None:
        """Wait for a condition."""
        limit = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < limit, f"did not happen: {what or happened}"
            time.sleep(0.02)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    home, folder = tmp_path / "home", tmp_path / "project"
    folder.mkdir()
    monkeypatch.setenv("RISEML_HOME", str(home))
    monkeypatch.setenv("RISEML_CPUS", "4")
    lab = Lab(folder, LocalEngine(home, "me"))
    yield lab
    if (home / "riseml.db").exists():
        try:
            for number in lab.engine.reader.store().unfinished():
                lab.engine.stop(Id(number=number), force=True)
        finally:
            protocol.stop_controller(home)
    limit = time.monotonic() + PATIENCE / 4
    while (remaining := processes_of(home)) and time.monotonic() < limit:
        protocol.stop_controller(
            home
        )  # the end of a job may have started another controller
        time.sleep(0.02)
    descriptions = [
        process.as_dict(["pid", "ppid", "cmdline", "status"]) for process in remaining
    ]
    for process in remaining:
        process.kill()
    assert not remaining, f"left behind: {descriptions}"


def processes_of(home: Path) -> list[psutil.Process]:
    """Return the processes that belong to a home: its controller, its launcher, its jobs."""
    processes = []
    for process in psutil.process_iter():
        try:
            words = [
                *process.cmdline(),
                process.environ().get("ARGO_PROGRESS_FILE", ""),
            ]
            if process.pid != os.getpid() and any(str(home) in word for word in words):
                processes.append(process)
        except psutil.Error:
            continue
    return processes


def commands_of(home: Path) -> list[str]:
    """Return the command lines of the processes that belong to a home."""
    lines = []
    for process in processes_of(home):
        # A process may end while it is examined.
        with suppress(psutil.Error):
            lines.append(" ".join(process.cmdline()))
    return lines
