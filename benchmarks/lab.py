"""A temporary folder with a home and projects, for benchmarks of the local engine."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import RISEML, environment

from riseml.engines.local import protocol

ONE_JOB = """\
project: {name}
train:
  image: busybox
  resources: {{cpus: 0.1, mem: 1}}
  run: {run}
"""
GRID = """\
project: {name}
train:
  image: busybox
  resources: {{cpus: {cpus}, mem: 1M}}
  parameters: {{n: {{range: {{min: 1, max: {count}, step: 1}}}}}}
  concurrency: {concurrency}
  run: {run}
"""


def write_project(folder: Path, text: str, modules: int) -> Path:
    """Make a project of a riseml.yml and some files of 400 to 600 bytes."""
    folder.mkdir(parents=True)
    for number in range(modules):
        code = f"VALUE = {number}\n" * 40
        (folder / f"module_{number}.py").write_text(code)
    (folder / "riseml.yml").write_text(text)
    return folder


class Lab:
    """A home and the folder around it.

    Attributes:
        folder: Everything that the benchmark writes.
        home: The home, which commands make.
        variables: The environment of commands.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.variables = environment(self.home)

    def project(self, name: str, text: str, *, modules: int = 0) -> Path:
        """Make a project of a riseml.yml and some modules."""
        return write_project(self.folder / name, text, modules)

    def one_job(self, name: str, run: str) -> Path:
        """Make a project with one job."""
        return self.project(name, ONE_JOB.format(name=name, run=run))

    def grid(
        self,
        name: str,
        count: int,
        run: str,
        *,
        concurrency: int = 2,
        cpus: float = 0.1,
        modules: int = 0,
    ) -> Path:
        """Make a project with a set of experiments."""
        text = GRID.format(
            name=name, count=count, run=run, concurrency=concurrency, cpus=cpus
        )
        return self.project(name, text, modules=modules)

    def riseml(self, *words: str, folder: Path | None = None, status: int = 0) -> str:
        """Run a command that has to exit with a status, and return its output.

        Raises:
            RuntimeError: It exits with another one.
        """
        done = subprocess.run(
            [*RISEML, *words],
            cwd=folder or self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != status:
            command = " ".join(["riseml", *words])
            raise RuntimeError(f"{command} exits {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def train(self, folder: Path) -> str:
        """Start a run, and return its number."""
        return self.riseml("train", "-o", "name", folder=folder)

    def to_the_end(self, folder: Path) -> float:
        """Return the wall time of `train` and `wait`."""
        begun = time.perf_counter()
        self.riseml("wait", self.train(folder), folder=folder)
        return time.perf_counter() - begun

    def output(self, folder: Path, number: str) -> Path:
        """Return the output folder of a run."""
        (output,) = self.home.glob(f"output/*/{folder.name}/{number}")
        return output

    def close(self) -> None:
        """Stop what still runs, and remove the folder."""
        try:
            if self.home.exists():
                # A benchmark that was interrupted leaves a run.
                for number in self.riseml("status", "-o", "name").split():
                    self.riseml("kill", "--force", number)
        finally:
            protocol.stop_controller(self.home)
            shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def lab() -> Iterator[Lab]:
    """Make a lab, and remove it with all that runs in it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="riseml-bench-"))
    created = Lab(folder)
    try:
        yield created
    finally:
        created.close()
