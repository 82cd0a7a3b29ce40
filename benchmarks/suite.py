"""Run the benchmarks one after another, print one table, and write it as JSON.

    benchmarks/run --only jobs first_line -o after.json --compare before.json

The exit status is 1 if a measurement cannot be made, also if that is for want of a tool. It is 0 if targets are
missed; the last lines say which.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import ROOT, Figure, earlier_figures, end_on_term, from_data, table
from peer_tools import PARALLEL_VERSION

FOLDER = ROOT / "benchmarks"
CLUSTER = "KUBECONFIG is not set, which names the cluster"
# Scripts in the order of the table, and what each is left out without.
SCRIPTS: dict[str, str] = {
    "jobs": "",
    "scaling": "",
    "first_line": "",
    "startup": "",
    "listing": "",
    "idle": "",
    "compile": "",
    "snapshot": "",
    "logs": "",
    "prompt": "",
    "install": "",
    "cluster": CLUSTER,
    "results": "",
    "output": "",
    "first_sync": "",
    "repeats": "",
    "report": "",
    "monitor": "",
}
# Those that take long, or measure something other than speed.
BY_HAND = {
    "peers": "needs a cluster; 15 minutes",
    "search": "the quality of searches; 10 minutes",
    "early_stops": "the quality of early stops; 10 minutes",
    "storm": "kills, full disks and damaged files",
    "gpu.sh": "needs a machine with a GPU",
}


@dataclass(frozen=True)
class Outcome:
    """What a script has measured.

    Attributes:
        script: Its name.
        figures: Rows of the table.
        failure: Why something is missing; empty if nothing is.
        seconds: Wall time of the script.
    """

    script: str
    figures: Sequence[Figure]
    failure: str
    seconds: float


def run(script: str, arguments: argparse.Namespace) -> Outcome:
    """Run a script with the measured Python and checkout."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        python = str(arguments.python)
        command = [python, str(FOLDER / f"{script}.py"), "-o", str(file)]
        if arguments.rounds:
            command += ["--rounds", str(arguments.rounds)]
        status = _wait(
            subprocess.Popen(
                command,
                env=environment(arguments.checkout),
                stdout=subprocess.DEVNULL,
            )
        )
        if file.exists():
            record = json.loads(file.read_text())
        else:
            failure = f"{script}.py exits {status}; see above"
            record = {"figures": [], "failure": failure}
    figures = [from_data(one) for one in record["figures"]]
    return Outcome(script, figures, record["failure"], time.monotonic() - begun)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Return the exit status of a script; if this process is interrupted, let the script clean up."""
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


def environment(checkout: Path) -> dict[str, str]:
    """Return the environment of scripts that measure a checkout."""
    variables = {**os.environ, "PYTHONPATH": str(checkout), "NO_COLOR": "1"}
    for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "RISEML_HOME"):
        variables.pop(name, None)
    return variables


def machine(python: str) -> dict[str, str]:
    """Describe the machine and the versions of what RiseML is compared with."""
    return {
        "cores": str(os.cpu_count()),
        "processor": _field(Path("/proc/cpuinfo"), "model name"),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.0f} GB",
        "file system": _version(["stat", "-f", "-c", "%T", tempfile.gettempdir()]),
        "system": f"{platform.system()} {platform.release()}",
        "python": _version([python, "--version"]),
        "git": _version(["git", "--version"]),
        "parallel": f"GNU parallel {PARALLEL_VERSION}",
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def _field(file: Path, name: str) -> str:
    for line in file.read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return ""


def _version(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "missing"
    return done.stdout.partition("\n")[0]


def revision(checkout: Path) -> str:
    """Return the commit of a checkout, with `+` if it has changes."""
    git = ["git", "-C", str(checkout)]
    changes = _version([*git, "status", "--porcelain", "--untracked-files=no"])
    return _version([*git, "rev-parse", "--short=12", "HEAD"]) + "+" * bool(changes)


def left_out(chosen: Sequence[str], variables: Mapping[str, str]) -> dict[str, str]:
    """Return chosen scripts that cannot run, and those that are run by hand, with the reasons."""
    reasons = {}
    for script in chosen:
        need = SCRIPTS[script]
        if need and not variables.get("KUBECONFIG"):
            reasons[script] = need
    return {**reasons, **BY_HAND}


def main() -> int:
    """Run what is chosen."""
    arguments = _arguments()
    end_on_term()
    chosen = arguments.only or list(SCRIPTS)
    skipped = left_out(chosen, os.environ)
    record: dict[str, Any] = {
        "revision": revision(arguments.checkout),
        "machine": machine(str(arguments.python)),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "figures": [],
        "failures": {},
        "seconds": {},
        "left_out": skipped,
    }
    if arguments.compare:
        old = json.loads(arguments.compare.read_text())
        record["before"] = {key: old[key] for key in ("revision", "figures")}
    _compile_byte_code(arguments)
    for script in SCRIPTS:
        if script in skipped or script not in chosen:
            continue
        print(f"== {script}", file=sys.stderr, flush=True)
        outcome = run(script, arguments)
        record["figures"] += [one.data(script) for one in outcome.figures]
        record["seconds"][script] = round(outcome.seconds, 1)
        if outcome.failure:
            record["failures"][script] = outcome.failure
        if arguments.o:
            # After each script, so that an interrupted run leaves what it has measured.
            arguments.o.write_text(json.dumps(record, indent=1) + "\n")
    _print(record)
    return 1 if record["failures"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", nargs="+", choices=SCRIPTS, metavar="NAME", help="run only these"
    )
    parser.add_argument("--rounds", type=int, help="pairs instead of each script's own")
    parser.add_argument("-o", type=Path, metavar="FILE.json", help="write figures here")
    parser.add_argument(
        "--compare", type=Path, metavar="OLD.json", help="show these figures beside"
    )
    parser.add_argument(
        "--checkout", type=_folder, default=ROOT, help="measure this checkout of RiseML"
    )
    parser.add_argument(
        "--python", type=Path, default=sys.executable, help="with this Python"
    )
    return parser.parse_args()


def _folder(text: str) -> Path:
    folder = Path(text).resolve()
    if not (folder / "riseml/__main__.py").exists():
        raise argparse.ArgumentTypeError(f"{text} is not a checkout of RiseML")
    return folder


def _compile_byte_code(arguments: argparse.Namespace) -> None:
    package = str(arguments.checkout / "riseml")
    subprocess.run([arguments.python, "-m", "compileall", "-q", package], check=False)


def _print(record: Mapping[str, Any]) -> None:
    """Print the table, and what it lacks."""
    figures = [from_data(one) for one in record["figures"]]
    print(f"revision {record['revision']}")
    print(", ".join(f"{name}: {text}" for name, text in record["machine"].items()))
    print(table(figures, earlier_figures(record)))
    chosen = record["seconds"]
    others = [name for name in SCRIPTS if name not in {**chosen, **record["left_out"]}]
    if others:
        print(f"not chosen: {', '.join(others)}")
    for script, reason in record["left_out"].items():
        print(f"left out: {script} ({reason})")
    for script, reason in record["failures"].items():
        print(f"cannot measure: {script}: {reason}")
    missed = [figure.name for figure in figures if not figure.ok]
    judged = [figure for figure in figures if figure.target is not None]
    minutes = sum(record["seconds"].values()) / 60
    print(
        f"{len(figures)} figures in {minutes:.0f} minutes; {len(judged)} have a target,"
        f" {len(missed)} miss it{': ' if missed else ''}{'; '.join(missed)}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
