"""Screen of `riseml usage`."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from riseml.consumption import Disk, DiskUse
from riseml.plan import Resources
from riseml.status import SetStatus, State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, ago, single

GIB = 1 << 30


def used(number: int, project: str, *, gpus: int, hours: float) -> SetStatus:
    """Return a run that has ended, with one job that ran for some hours with two cores."""
    run = single(number, State.FINISHED)
    (experiment,) = run.experiments
    (job,) = experiment.jobs
    job = replace(
        job,
        exit_code=0,
        started=ago(hours=hours + 1),
        finished=ago(hours=1),
        resources=Resources(Decimal(2), 512_000_000, gpus),
    )
    experiment = replace(experiment, jobs=(job,))
    return replace(run, project=project, experiments=(experiment,))


@pytest.fixture(autouse=True)
def _runs(engine: FakeEngine) -> None:
    engine.runs = [
        used(4, "digits", gpus=1, hours=3),
        used(3, "faces", gpus=0, hours=5),
        used(1, "digits", gpus=2, hours=0.5),
    ]
    engine.space = DiskUse(
        outputs={"4": 3 * GIB, "3": GIB, "1": 0},
        code={"digits": 2 << 20, "old": 1 << 20},
        builds=2 * GIB,
        build_count=3,
        other=1 << 20,
        last_number=4,
        freed=Disk(outputs=GIB, builds=GIB),
        unused_builds=1,
    )


def test_hours_and_space_by_project_and_run(riseml: Riseml) -> None:
    assert riseml("usage").out == (
        "PROJECT RUNS GPU HOURS CPU HOURS OUTPUTS   CODE\n"
        "digits     2      4.00      7.00  3.0 GB 2.0 MB\n"
        "faces      1      0.00     10.00  1.0 GB    0 B\n"
        "old        0      0.00      0.00     0 B 1.0 MB\n"
        "all        3      4.00     17.00  4.0 GB 3.0 MB\n"
        "\n"
        "ID     PROJECT STATE     GPU HOURS CPU HOURS OUTPUTS\n"
        "4      digits  FINISHED       3.00      6.00  3.0 GB\n"
        "1      digits  FINISHED       1.00      1.00     0 B\n"
        "3      faces   FINISHED       0.00     10.00  1.0 GB\n"
        "\n"
        "Disk: 6.0 GB (4.0 GB outputs, 3.0 MB code, 2.0 GB environments, 1.0 MB other)\n"
        "`riseml prune --older-than 30d` would free 2.0 GB:\n"
        "3 runs (1.0 GB), 1 environment (1.0 GB)\n"
        "1 run was deleted; what deleted runs have used is not counted.\n"
    )


def test_what_prune_would_free_is_listed_without_zeros(
    engine: FakeEngine, riseml: Riseml
) -> None:
    engine.space = replace(
        engine.space, freed=Disk(code=3 << 20, outputs=1 << 20), unused_builds=0
    )
    assert riseml("usage", "--older-than", "1h").out.splitlines()[-3:-1] == [
        "`riseml prune --older-than 1h` would free 4.0 MB:",
        "3 runs (1.0 MB), unused code (3.0 MB)",
    ]


def test_a_project_has_its_own_runs_and_space(riseml: Riseml) -> None:
    assert riseml("usage", "--project", "faces").out.splitlines() == [
        "PROJECT RUNS GPU HOURS CPU HOURS OUTPUTS CODE",
        "faces      1      0.00     10.00  1.0 GB  0 B",
        "",
        "ID     PROJECT STATE     GPU HOURS CPU HOURS OUTPUTS",
        "3      faces   FINISHED       0.00     10.00  1.0 GB",
        "",
        "Disk: 1.0 GB (1.0 GB outputs)",
    ]
    missing = riseml("usage", "--project", "nothing")
    assert missing.status == 4
    assert "no run belongs to a project nothing" in missing.err


def test_since_cuts_the_hours_and_leaves_the_space(riseml: Riseml) -> None:
    # The jobs ended an hour ago.
    usage = json.loads(riseml("usage", "--since", "2h", "-o", "json").out)
    assert usage["since"] == "2018-01-31T10:00:00Z"
    assert [run["gpu_hours"] for run in usage["runs"]] == [1.0, 0.0, 1.0]
    assert [run["cpu_hours"] for run in usage["runs"]] == [2.0, 2.0, 1.0]
    assert usage["disk"]["outputs"] == 4 * GIB
    assert usage["prune"]["runs"] == ["1", "3", "4"]
    assert usage["prune"]["older_than"] == 30 * 86_400


def test_a_long_list_is_cut_on_the_screen_only(
    engine: FakeEngine, riseml: Riseml
) -> None:
    engine.runs = [used(n, "digits", gpus=1, hours=n) for n in range(30, 0, -1)]
    lines = riseml("usage").out.splitlines()
    assert "and 20 more runs; `-o wide` lists all" in lines
    first = lines.index("ID     PROJECT STATE     GPU HOURS CPU HOURS OUTPUTS") + 1
    listed = [line.split()[0] for line in lines[first : first + 10]]
    assert listed == [str(number) for number in range(30, 20, -1)]
    assert len(riseml("usage", "-o", "wide").out.splitlines()) == len(lines) + 19
    assert len(riseml("usage", "-o", "csv").out.splitlines()) == 31
