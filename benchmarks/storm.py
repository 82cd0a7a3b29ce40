"""The local engine in a storm: `python -m benchmarks.storm kills --seed 1`.

    kills        800 experiments and 300 kills of controller, launcher, supervisors and commands

The exit status is 1 if anything was wrong. Then the folder with the home, the ledger and
the list of all kills is kept.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.storm import report
from tests.storm.kills import Extent, KillStorm
from tests.storm.report import Journal

Part = Callable[[Path, argparse.Namespace], Journal]


def kills(work: Path, arguments: argparse.Namespace) -> Journal:
    return KillStorm(
        work, Extent(arguments.experiments, arguments.kills, seed=arguments.seed)
    ).run()


PARTS: dict[str, Part] = {"kills": kills}
KINDS = (report.LOST, report.DUPLICATED, report.WRONG, report.LEFT, report.TRACEBACK)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--experiments", type=int, default=800)
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
