"""Cost of listing a home with 10,000 runs, compared with one of 10."""

import shutil
import sys
import tempfile
from pathlib import Path

from homes import home
from measure import compare, environment, verdict


def main() -> None:
    work = Path(tempfile.mkdtemp())
    try:
        few, many = (
            home(work / "few", 10, ended=True),
            home(work / "many", 10_000, ended=True),
        )
        status = [sys.executable, "-m", "riseml", "status", "-a"]

        def at(folder: Path, *words: str) -> list[str]:
            return [
                "env",
                *(f"{name}={value}" for name, value in environment(folder).items()),
                *status,
                *words,
            ]

        ratios = compare(
            {
                "10 runs, the newest 20": at(few, "-n", "20"),
                "10,000 runs, the newest 20": at(many, "-n", "20"),
                "10,000 runs, all": at(many, "-n", "0"),
                "10,000 runs, all, with results": at(many, "-n", "0", "-l"),
                "10,000 runs, all, as JSON": at(many, "-n", "0", "-o", "json"),
            },
            base="10 runs, the newest 20",
        )
        verdict("the newest 20 of 10,000", ratios["10,000 runs, the newest 20"], 1.5)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
