"""The local engine in a storm: `python -m benchmarks.storm kills --seed 1`.

    kills        800 experiments and 300 kills of controller, launcher, supervisors and commands
    interrupted  50 `riseml kill` that are interrupted by the death of a process
    disk         a disk that fills 20 times; it needs `unshare --mount`
    fuzz         20,000 mutated riseml.yml, 8,000 settings files, and 2,000 of every other kind

The exit status is 1 if anything was wrong. Then the folder with the home, the ledger and
the list of all kills is kept.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.storm import full_disk, report
from tests.storm.full_disk import FullDisks
from tests.storm.fuzz import fuzz
from tests.storm.interrupted import InterruptedKills
from tests.storm.kills import Extent, KillStorm
from tests.storm.report import Journal
from tests.storm.targets import SUBJECTS

Part = Callable[[Path, argparse.Namespace], Journal]


def kills(work: Path, arguments: argparse.Namespace) -> Journal:
    return KillStorm(
        work, Extent(arguments.experiments, arguments.kills, seed=arguments.seed)
    ).run()


def interrupted(work: Path, arguments: argparse.Namespace) -> Journal:
    return InterruptedKills(work, arguments.rounds or 50, arguments.seed).run()


def disk(work: Path, arguments: argparse.Namespace) -> Journal:
    return FullDisks(work, arguments.rounds or 20, arguments.seed).run()


def fuzz_files(work: Path, arguments: argparse.Namespace) -> Journal:
    journal = Journal()
    for subject in SUBJECTS.values():
        folder = work / subject.name.replace(" ", "-")
        folder.mkdir()
        count = FILES.get(subject.name, OTHER_FILES)
        part = fuzz(
            subject, folder, count, seed=arguments.seed, seconds=arguments.seconds
        )
        journal.defects += part.defects
        for figure, amount in part.figures.items():
            journal.count(f"{subject.name}: {figure}", amount)
    return journal


OWN_MOUNTS = "STORM_HAS_ITS_OWN_MOUNTS"
FILES = {"riseml.yml": 20_000, "settings": 8_000}
OTHER_FILES = 2_000
PARTS: dict[str, Part] = {
    "kills": kills,
    "interrupted": interrupted,
    "disk": disk,
    "fuzz": fuzz_files,
}
KINDS = (
    *(report.LOST, report.DUPLICATED, report.WRONG, report.LEFT),
    *(report.HALF_DONE, report.UNREADABLE, report.TRACEBACK),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS], default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--experiments", type=int, default=800)
    parser.add_argument("--seconds", type=float, default=0, help="of each kind of file")
    parser.add_argument("--rounds", type=int, default=0, help="of interrupted, disk")
    parser.add_argument("--kills", type=int, default=300)
    arguments = parser.parse_args()
    if arguments.parts in ([], ["disk"]) and not os.environ.get(OWN_MOUNTS):
        words = [sys.executable, "-m", "benchmarks.storm", *sys.argv[1:]]
        environment = {**os.environ, OWN_MOUNTS: "1"}
        return subprocess.run(
            full_disk.command(words), env=environment, check=False
        ).returncode
    status = 0
    for name in arguments.parts or PARTS:
        work = Path(tempfile.mkdtemp(prefix=f"storm-{name}-"))
        journal = PARTS[name](work, arguments)
        print(f"{name}, seed {arguments.seed}, {journal.seconds:.0f} s")
        for line in journal.lines(KINDS):
            print(f"  {line}")
        if journal.defects:
            print(f"  kept: {work}")
            status = 1
        else:
            shutil.rmtree(work)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
