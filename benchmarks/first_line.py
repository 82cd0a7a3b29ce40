"""Time from the command to the first line in the job's log, compared with a one-step `metaflow run`.

Metaflow is installed into a virtual environment of its own the first time (benchmarks/.metaflow).
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import compare, environment, verdict

from riseml.engines.local import protocol

FLOW = """
from metaflow import FlowSpec, step

class One(FlowSpec):
    @step
    def start(self):
        print("first line", flush=True)
        self.next(self.end)
    @step
    def end(self):
        pass

if __name__ == "__main__":
    One()
"""


def metaflow() -> Path:
    venv = Path(__file__).with_name(".metaflow")
    if not (venv / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([venv / "bin/pip", "install", "--quiet", "metaflow"], check=True)
        (venv / "ready").touch()
    return venv / "bin/python"


def first_of_metaflow(python: Path, work: Path) -> float:
    begun = time.perf_counter()
    env = {**environment(work), "METAFLOW_HOME": str(work), "USERNAME": "me"}
    with subprocess.Popen(
        [python, "flow.py", "run"],
        cwd=work,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if line.rstrip().endswith("first line"):
                taken = time.perf_counter() - begun
        process.wait()
    return taken


def first_of_riseml(work: Path, home: Path) -> float:
    """Measure until the line is in the log file. The job records that time itself right after printing."""
    mark = work / "mark"
    mark.unlink(missing_ok=True)
    begun = time.time()
    train = [sys.executable, "-m", "riseml", "train"]
    subprocess.run(
        train,
        cwd=work / "project",
        env=environment(home),
        check=True,
        capture_output=True,
    )
    while not mark.exists() or not mark.read_text().strip():
        time.sleep(0.001)
    return float(mark.read_text()) - begun


def main() -> None:
    work = Path(tempfile.mkdtemp())
    home = work / "home"
    (work / "flow.py").write_text(FLOW)
    (work / "project").mkdir()
    (work / "project/riseml.yml").write_text(
        "project: first\ntrain:\n  image: busybox\n  resources: {cpus: 0.1, mem: 1}\n"
        f"  run: echo first line; date +%s.%N > {work}/mark\n"
    )
    try:
        python = metaflow()
        ratios = compare(
            {
                "metaflow run: first line": lambda: first_of_metaflow(python, work),
                "riseml train: first line": lambda: first_of_riseml(work, home),
            },
            base="metaflow run: first line",
        )
        verdict("first line against metaflow", ratios["riseml train: first line"], 0.5)
    finally:
        protocol.stop_controller(home)
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
