"""The figures in the README are those that `benchmarks/run` has written, and nobody types them."""

import pytest
import readme_table

RECORD = {
    "revision": "0123456789ab",
    "machine": {
        "cores": "2",
        "processor": "AMD EPYC",
        "memory": "25 GB",
        "file system": "ext4",
        "system": "Linux 6.1",
        "python": "Python 3.11.7",
        "git": "git version 2.39.5",
        "parallel": "GNU parallel 20221122",
    },
    "figures": [
        {
            "name": "`logs`",
            "base": "cat | cat",
            "value": 3.26,
            "target": 3.0,
            "seconds": 0.0612,
            "note": "fewer rounds",
            "spread": None,
        },
        {
            "name": "idle",
            "value": 0.5,
            "unit": "/10 s",
            "target": 1.0,
            "spread": [0, 1],
        },
        {"name": "for information", "value": 1.0, "spread": None},
    ],
    "failures": {"cluster": "no argo"},
}
TABLE = """\
<!-- begin: written by benchmarks/readme_table.py -->
2 cores (AMD EPYC), 25 GB of memory, ext4, Linux 6.1, Python 3.11.7,
git version 2.39.5, GNU parallel 20221122; revision 0123456789ab.

| measurement | compared with | target | now |  | takes |
| --- | --- | --: | --: | --- | --: |
| `logs` (fewer rounds) | cat \\| cat | ≤ 3 x | 3.26 x | **over** | 61.2 ms |
| idle |  | ≤ 1 /10 s | 0.5 /10 s | ok |  |

`cluster` could not be measured: no argo.
<!-- end -->"""


def test_the_readme_shows_the_figures_of_the_file() -> None:
    readme = readme_table.README.read_text("utf-8")
    record = readme_table.read(readme_table.FIGURES)
    assert readme_table.insert(readme, readme_table.section(record)) == readme, (
        "run `.venv/bin/python benchmarks/readme_table.py`; do not edit the table"
    )


def test_a_row_for_each_figure_that_has_a_target() -> None:
    assert readme_table.section(RECORD) == TABLE


def test_earlier_figures_have_a_column() -> None:
    old = {
        "revision": "fedcba987654",
        "figures": [{"name": "`logs`", "value": 40.0, "spread": None}],
    }
    text = readme_table.section({**RECORD, "before": old})
    assert "revision 0123456789ab, before: fedcba987654." in text
    assert "| target | before | now |" in text
    assert "| ≤ 3 x | 40 x | 3.26 x | **over** |" in text
    assert "| ≤ 1 /10 s |  | 0.5 /10 s | ok |" in text


def test_the_text_around_the_section_stays() -> None:
    readme = f"before\n{readme_table.BEGIN}\nold\n{readme_table.END}\nafter\n"
    new = readme_table.insert(readme, readme_table.section({}))
    marks = f"{readme_table.BEGIN}\n{readme_table.END}"
    assert new == f"before\n{marks}\nafter\n"
    with pytest.raises(ValueError, match="has no lines"):
        readme_table.insert("without marks", "")
