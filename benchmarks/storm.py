"""The local engine in a storm: `python -m benchmarks.storm kills --seed 1`.

    kills        800 experiments and 300 kills of controller, launcher, supervisors and commands
    fuzz         20,000 mutated riseml.yml, 8,000 settings files, and 2,000 of every other kind

The exit status is 1 if anything was wrong. Then the folder with the home, the ledger and
the list of all kills is kept.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.storm import report
from tests.storm.fuzz import fuzz
from tests.storm.kills import Extent, KillStorm
from tests.storm.report import Journal
from tests.storm.targets import SUBJECTS

Part = Callable[[Path, argparse.Namespace], Journal]


def kills(work: Path, arguments: argparse.Namespace) -> Journal:
    return KillStorm(
        work, Extent(arguments.experiments, arguments.kills, seed=arguments.seed)
    ).run()


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


FILES = {"riseml.yml": 20_000, "settings": 8_000}
OTHER_FILES = 2_000
PARTS: dict[str, Part] = {"kills": kills, "fuzz": fuzz_files}
KINDS = (report.LOST, report.DUPLICATED, report.WRONG, report.LEFT, report.TRACEBACK)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS], default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--experiments", type=int, default=800)
    parser.add_argument("--seconds", type=float, default=0, help="of each kind of file")
    parser.add_argument("--kills", type=int, default=300)
    arguments = parser.parse_args()
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
