"""Write the figures of `benchmarks/figures.json` into the section Performance of the README.

    benchmarks/run -o benchmarks/figures.json && .venv/bin/python benchmarks/readme_table.py

After `benchmarks/run --compare OLD.json`, the table has a column with the earlier figures.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from measure import ROOT, Figure, amount, duration, earlier_figures, from_data

FIGURES = ROOT / "benchmarks/figures.json"
README = ROOT / "README.md"
BEGIN = "<!-- begin: written by benchmarks/readme_table.py -->"
END = "<!-- end -->"


def read(file: Path) -> dict[str, Any]:
    """Return what `benchmarks/run -o` wrote; empty before the first run."""
    if not file.exists():
        return {}
    record: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return record


def section(record: Mapping[str, Any]) -> str:
    """Return the lines between both marks: the machine, and a row for each figure that has a target."""
    if not record:
        return f"{BEGIN}\n{END}"
    earlier = earlier_figures(record)
    figures = [from_data(one) for one in record["figures"]]
    header = ["measurement", "compared with", "target", "before", "now", "", "takes"]
    rows = [header, ["---", "---", "--:", "--:", "--:", "---", "--:"]]
    for figure in figures:
        if figure.target is not None:
            rows.append(_cells(figure, earlier.get(figure.name)))
    if not earlier:
        rows = [cells[:3] + cells[4:] for cells in rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return f"{BEGIN}\n{_machine(record)}\n\n{table}\n{_gaps(record)}{END}"


def _cells(figure: Figure, before: Figure | None) -> list[str]:
    few = f" ({figure.note})" if figure.note else ""
    return [
        figure.name + few,
        figure.base.replace("|", "\\|"),
        f"≤ {amount(figure.target or 0, figure.unit)}",
        amount(before.value, before.unit) if before else "",
        amount(figure.value, figure.unit),
        "ok" if figure.ok else "**over**",
        duration(figure.seconds),
    ]


def _machine(record: Mapping[str, Any]) -> str:
    machine = record["machine"]
    earlier = record.get("before")
    before = f", before: {earlier['revision']}" if earlier else ""
    return (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory']} of memory,"
        f" {machine['file system']}, {machine['system']}, {machine['python']},\n"
        f"{machine['git']}, {machine['parallel']}; revision {record['revision']}{before}."
    )


def _gaps(record: Mapping[str, Any]) -> str:
    """Return a sentence about scripts that could not be measured; empty if there are none."""
    lines = [
        f"\n`{script}` could not be measured: {reason}."
        for script, reason in record["failures"].items()
    ]
    return "\n".join([*lines, ""]) if lines else ""


def insert(readme: str, text: str) -> str:
    """Return a README with the section between its marks replaced.

    Raises:
        ValueError: It has no marks.
    """
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README has no lines {BEGIN} and {END}")
    return head + text + tail


def main() -> None:
    """Write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", type=Path, nargs="?", default=FIGURES)
    arguments = parser.parse_args()
    README.write_text(
        insert(README.read_text("utf-8"), section(read(arguments.figures))), "utf-8"
    )


if __name__ == "__main__":
    main()
