"""Cost of `riseml retry` of a set of 1,000 experiments of which 10 have failed, compared with a set of these 10 alone.

Each round takes the command until it returns, and the time until the 10 have ended again.

    .venv/bin/python benchmarks/repeats.py [ROUNDS]
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import compare, environment, verdict

from riseml.engines.local import protocol

RISEML = [sys.executable, "-m", "riseml"]
FAILED = 10
TRAIN = """\
project: many
train:
  image: busybox
  resources: {{cpus: 0.02, mem: 1M}}
  concurrency: 50
  parameters: {{n: {{range: {{min: 1, max: {count}, step: 1}}}}}}
  run: test $(( {{{{n}}}} % {every} )) != 0
"""


class Lab:
    """A home with a set of `count` experiments, FAILED of which have failed."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.home = folder, folder / "home"
        folder.mkdir()
        text = TRAIN.format(count=count, every=count // FAILED)
        (folder / "riseml.yml").write_text(text)
        self.run("train", "-o", "name")
        self.run("wait", "1", status=100)

    def run(self, *words: str, status: int = 0) -> str:
        """Run a command that has to exit with a status; return its output."""
        done = subprocess.run(
            [*RISEML, *words],
            cwd=self.folder,
            env=environment(self.home),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stderr
        return done.stdout

    def retry(self) -> float:
        """Return the seconds of `riseml retry`."""
        begun = time.perf_counter()
        written = self.run("retry", "1", "-o", "json")
        taken = time.perf_counter() - begun
        assert written.count('"1.') == FAILED, written
        self.run("wait", "1", status=100)
        return taken

    def retry_to_the_end(self) -> float:
        """Return the seconds of `riseml retry` and `riseml wait`."""
        begun = time.perf_counter()
        self.run("retry", "1", "-o", "json")
        self.run("wait", "1", status=100)
        return time.perf_counter() - begun


def main() -> None:
    os.environ["RISEML_CPUS"] = "50"
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    work = Path(tempfile.mkdtemp())
    labs = []
    try:
        for count in (FAILED, 1000):
            labs.append(Lab(work / str(count), count))
        few, many = labs
        for what, name in (("retry", "retry"), ("retry and wait", "retry_to_the_end")):
            commands = {
                f"{what}, set of 10": getattr(few, name),
                f"{what}, set of 1,000": getattr(many, name),
            }
            ratios = compare(commands, base=f"{what}, set of 10", rounds=rounds)
            verdict(f"{what}: 1,000 to 10", ratios[f"{what}, set of 1,000"], 1.5)
    finally:
        for lab in labs:
            protocol.stop_controller(lab.home)
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
