"""Start-up time of commands, compared with `python -c "import typer"`."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from homes import home
from measure import compare, environment, verdict

BARS = {"--version": 1.2, "--help": 1.5, "status": 1.75}


def main() -> None:
    work = Path(tempfile.mkdtemp())
    os.environ.update(environment(home(work / "ten", 10, ended=True)))
    riseml = [sys.executable, "-m", "riseml"]
    try:
        ratios = compare(
            {
                "import typer": [sys.executable, "-c", "import typer"],
                "python -c pass": [sys.executable, "-c", "pass"],
                "--version": [*riseml, "--version"],
                "--help": [*riseml, "--help"],
                "train --help": [*riseml, "train", "--help"],
                "status": [*riseml, "status", "-a"],
            },
            base="import typer",
            rounds=25,
        )
        for name, bar in BARS.items():
            verdict(f"riseml {name}", ratios[name], bar)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
