"""Who started runs, in lists and in details; the holder of the user's own key goes without saying."""

from datetime import UTC, datetime

from riseml.cli import detail, listing, records
from riseml.cli.terminal import Terminal
from riseml.status import ExperimentStatus, SetStatus, State

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
KEY = "system:serviceaccount:riseml-vision:riseml-user"


def run(number: int, submitter: str, *subs: int) -> SetStatus:
    experiments = [ExperimentStatus(f"{number}.{sub}", sub) for sub in subs]
    return SetStatus(
        str(number),
        user="vision",
        project="digits",
        number=number,
        state=State.FINISHED,
        created=NOW,
        is_set=bool(subs),
        submitter=submitter,
        experiments=tuple(experiments) or (ExperimentStatus(str(number)),),
    )


def last_cells(runs: list[SetStatus], *, long: bool = False) -> list[str]:
    lines = listing.lines(runs, Terminal(), NOW, long=long)
    return [line.split()[-1] for line in lines]


def test_a_team_sees_who_started_a_run() -> None:
    runs = [run(2, "oidc:ana@example.com"), run(1, KEY)]
    assert last_cells(runs) == ["BY", "oidc:ana@example.com", "Experiment"]


def test_experiments_of_a_set_have_empty_cells() -> None:
    lines = listing.lines([run(3, "ben", 1, 2)], Terminal(), NOW, long=True)
    assert [line.split()[-1] for line in lines[:2]] == ["BY", "ben"]
    assert len(lines) == 4
    assert not any("ben" in line for line in lines[2:])


def test_the_holder_of_a_key_sees_no_names() -> None:
    assert last_cells([run(2, KEY), run(1, "")])[0] == "TYPE"


def test_the_details_of_a_run_name_who_started_it() -> None:
    team = run(2, "oidc:ana@example.com")
    assert "Started by: oidc:ana@example.com" in detail.lines(
        team, team, Terminal(), NOW
    )
    own = run(1, KEY)
    lines = detail.lines(own, own, Terminal(), NOW)
    assert not any(line.startswith("Started by") for line in lines)


def test_data_has_the_name_where_it_is_known() -> None:
    record = records.record(run(2, KEY), listed=True)
    assert record.get("submitter") == KEY
    assert "submitter" not in records.record(run(1, ""), listed=True)
