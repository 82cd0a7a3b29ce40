"""What a home still holds although every run has ended."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from riseml.engines.local import protocol
from tests.storm.clients import Clients
from tests.storm.report import LEFT, Defect
from tests.storm.victims import Processes

_PATIENCE_SECONDS = 20.0
# Names of files that something had not finished.
_UNFINISHED = re.compile(r"\.part-|\.gone|\.unused-|\.tmp|^tmp_|\.unfinished|\.[0-9]+$")
_PROJECT = "project: storm\ntrain: {image: busybox, resources: {cpus: 0.01, mem: 16M}, run: 'true'}\n"


def of(home: Path, clients: Clients, work: Path) -> list[Defect]:
    """Return processes and files that are left after a controller has started anew."""
    protocol.stop_controller(home)
    project = work / "last"
    project.mkdir()
    (project / "riseml.yml").write_text(_PROJECT, encoding="utf-8")
    defects = []
    for words in (["train", "-l"], ["prune", "--older-than", "365d", "-y"]):
        done = clients.run(words, project, vulnerable=False)
        if done.status != 0:
            defects.append(Defect(LEFT, "the home", str(done)))
    _until_empty(lambda: list(_files(home)))
    for path in _files(home):
        defects.append(Defect(LEFT, str(path.relative_to(home)), _description(path)))
    protocol.stop_controller(home)
    processes = Processes(home)
    _until_empty(lambda: list(processes.all()))
    for pid, command in processes.all():
        defects.append(Defect(LEFT, f"process {pid}", command))
    return [*defects, *_mounts(home)]


def _until_empty(items: Callable[[], list[object]]) -> None:
    limit = time.monotonic() + _PATIENCE_SECONDS
    while items() and time.monotonic() < limit:
        time.sleep(0.1)


def _files(home: Path) -> Iterator[Path]:
    """Yield the folders of runs, and files that nobody will finish."""
    yield from (home / "runs").glob("*")
    for folder in ("checkouts", "store", "envs"):
        for path in (home / folder).rglob("*"):
            if _UNFINISHED.search(path.name):
                yield path
    for path in home.iterdir():
        if _UNFINISHED.search(path.name):
            yield path


def _description(path: Path) -> str:
    if not path.is_dir():
        return "a file"
    return f"a folder with {sum(1 for _ in path.rglob('*'))} entries"


def _mounts(home: Path) -> Iterator[Defect]:
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        if str(home) in line:
            yield Defect(LEFT, "a mount", line)
