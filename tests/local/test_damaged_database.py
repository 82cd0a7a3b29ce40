"""A damaged or lost database: it is named, `doctor --repair` rebuilds it, and no number is reused."""

import json
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from riseml.engines import Query
from riseml.engines.local import checks, protocol
from riseml.engines.local.engine import LocalEngine
from riseml.engines.local.tables import SCHEMA
from riseml.errors import DamagedDatabaseError, HomeError, RiseMLError
from riseml.ids import Id
from riseml.settings import Settings
from riseml.status import SetStatus, State
from tests.local.conftest import PATIENCE, Lab

Damage = Callable[[Path], None]
EVERYTHING = Query(all=True, experiments=True)


class Ended(NamedTuple):
    """A home with ended runs, whose controller has exited, and how they were shown."""

    home: Path
    listed: list[SetStatus]
    read: list[SetStatus]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    folder = tmp_path_factory.mktemp("ended")
    (folder / "project").mkdir()
    lab = Lab(folder / "project", LocalEngine(folder / "home", "me"))
    lab.run('run: \'echo "{\\"acc\\": 0.5}" > $RESULT_FILE\'')
    lab.run("parameters: {n: [1, 2]}\nrun: test {{n}} = 1")
    lab.run("results: {loss: min}\nrun: echo loss=3")
    protocol.stop_controller(lab.engine.home)
    return Ended(lab.engine.home, *shown(lab.engine.home))


@pytest.fixture
def home(ended: Ended, tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    shutil.copytree(ended.home, home, ignore=shutil.ignore_patterns("*.sock"))
    yield home
    protocol.stop_controller(home)


def database(home: Path) -> Path:
    return home / "riseml.db"


def remove(home: Path) -> None:
    for file in home.glob("riseml.db*"):
        file.unlink()


def empty(home: Path) -> None:
    remove(home)
    database(home).touch()


def folder(home: Path) -> None:
    remove(home)
    database(home).mkdir()


def pipe(home: Path) -> None:
    remove(home)
    os.mkfifo(database(home))


def truncate(home: Path) -> None:
    os.truncate(database(home), 3 * 4096)


def zero_header(home: Path) -> None:
    overwrite(home, 0, bytes(100))


def zero_pages(home: Path) -> None:
    overwrite(home, 4096, bytes(database(home).stat().st_size - 4096))


def random_bytes(home: Path) -> None:
    size = database(home).stat().st_size
    database(home).write_bytes(random.Random(5).randbytes(size))


def text(home: Path) -> None:
    remove(home)
    database(home).write_text("Dear diary,\n" * 1000)


def drop_table(home: Path) -> None:
    execute(home, "DROP TABLE nodes")


def drop_column(home: Path) -> None:
    execute(home, "ALTER TABLE runs DROP COLUMN counts")


def corrupt_index(home: Path) -> None:
    execute(
        home,
        "PRAGMA writable_schema=ON;"
        "UPDATE sqlite_schema SET rootpage=2 WHERE name='unfinished'",
    )


def overwrite(home: Path, offset: int, data: bytes) -> None:
    with database(home).open("r+b") as file:
        file.seek(offset)
        file.write(data)


def execute(home: Path, script: str) -> None:
    with closing(sqlite3.connect(database(home))) as connection:
        connection.executescript(script)


DAMAGES: dict[Damage, str] = {
    remove: "does not exist, but there is output of 3 runs (the newest is 3)",
    empty: "is empty, but there is output of 3 runs",
    folder: "is a folder, not a database",
    pipe: "is not a regular file, not a database",
    truncate: "malformed",
    zero_header: "file is not a database",
    zero_pages: "btreeInitPage() returns error code 11",
    random_bytes: "file is not a database",
    text: "file is not a database",
    drop_table: "no such table: nodes",
    drop_column: "no such column: counts",
    corrupt_index: "malformed",
}


def doctor(home: Path) -> tuple[str, str, str]:
    (check,) = (
        check
        for check in checks.engine_checks(Settings(user="me", home=home))
        if check.title == "The list of runs"
    )
    finding = check.run()
    return finding.result, finding.detail, finding.fix


def shown(home: Path) -> tuple[list[SetStatus], list[SetStatus]]:
    """Return the list of runs, and each of them in full, the newest first."""
    engine = LocalEngine(home, "me")
    runs = engine.list(EVERYTHING)
    # The times of a list are those of its rows, a few milliseconds beside the run's.
    listed = [replace(run, created=None, finished=None) for run in runs]
    return listed, [engine.read(Id(number=run.number)) for run in runs]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_named_and_repaired(damage: Damage, home: Path, ended: Ended) -> None:
    damage(home)
    result, detail, fix = doctor(home)
    assert result == "failed"
    assert str(database(home)) in detail
    assert DAMAGES[damage] in detail
    assert "riseml doctor --repair" in fix
    with suppress(DamagedDatabaseError):
        # What is damaged may not be what this reads.
        assert shown(home)[0] == ended.listed

    sentences = LocalEngine(home, "me").repair()
    assert "Restored 3 runs from their run.json: 1-3." in sentences
    assert "The next run will be 4." in sentences
    assert doctor(home) == ("ok", f"{database(home)}: 3 runs", "")
    assert shown(home) == (ended.listed, ended.read)
    assert database(home).stat().st_mode & 0o777 == 0o600
    aside = list(home.glob("riseml.db.damaged-*"))
    assert bool(aside) == (damage is not remove)
    if aside:
        # Its side files have longer names.
        name = min(map(str, aside), key=len)
        assert f"The old file is kept as {name}." in sentences
    assert LocalEngine(home, "me").repair() == []


@pytest.mark.parametrize(
    "damage", [remove, empty, folder, zero_header], ids=lambda damage: damage.__name__
)
def test_a_command_that_reads_names_the_damage_and_the_repair(
    damage: Damage, home: Path
) -> None:
    damage(home)
    engine = LocalEngine(home, "me")
    reads: tuple[Callable[[], object], ...] = (
        lambda: engine.list(Query()),
        lambda: engine.read(Id(number=1)),
        engine.latest,
        lambda: engine.delete(Id(number=1)),
    )
    for read in reads:
        with pytest.raises(DamagedDatabaseError) as caught:
            read()
        assert str(database(home)) in str(caught.value)
        assert "riseml doctor --repair" in caught.value.advice
    assert (home / "output/me/lab/1/run.json").exists()


def test_a_database_of_a_newer_version_is_left_alone(home: Path) -> None:
    execute(home, f"PRAGMA user_version={SCHEMA + 1}")
    before = database(home).read_bytes()
    result, detail, fix = doctor(home)
    assert (result, "schema 2" in detail) == ("failed", True)
    assert "version" in fix
    with pytest.raises(HomeError, match="schema 2"):
        LocalEngine(home, "me").repair()
    assert database(home).read_bytes() == before


def test_a_damaged_record_is_restored_and_the_others_stay(
    home: Path, ended: Ended
) -> None:
    execute(home, "UPDATE runs SET status='{', counts='x' WHERE number=2")
    result, detail, _ = doctor(home)
    assert (result, "run 2 is damaged" in detail) == ("failed", True)
    with pytest.raises(HomeError, match="run 2 is damaged"):
        LocalEngine(home, "me").list(Query(all=True))
    sentences = LocalEngine(home, "me").repair()
    assert "Restored 1 run from their run.json: 2." in sentences
    assert shown(home) == (ended.listed, ended.read)


def test_what_cannot_be_restored_is_said(home: Path) -> None:
    outputs = home / "output/me/lab"
    (outputs / "2/run.json").unlink()
    (outputs / "3/run.json").write_text("[1, 2")
    (home / "output/me/other/1").mkdir(parents=True)
    remove(home)
    sentences = "\n".join(LocalEngine(home, "me").repair())
    assert "Restored 1 run from their run.json: 1." in sentences
    assert "Run 2 is listed as FAILED, with its output only: it has no" in sentences
    assert "Run 3 is listed as FAILED, with its output only:" in sentences
    assert f"{home}/output/me/other/1 is not listed: another run has" in sentences
    runs = LocalEngine(home, "me").list(Query(all=True))
    assert [(run.number, run.state) for run in runs] == [
        (3, State.FAILED),
        (2, State.FAILED),
        (1, State.FINISHED),
    ]
    assert runs[1].is_set
    LocalEngine(home, "me").delete(Id(number=2))
    assert not (outputs / "2").exists()


def test_output_that_is_not_listed_is_found(home: Path, ended: Ended) -> None:
    execute(home, "DELETE FROM runs WHERE number=1")
    result, detail, _ = doctor(home)
    assert (result, f"{home}/output/me/lab/1" in detail) == ("warning", True)
    LocalEngine(home, "me").repair()
    assert shown(home)[1] == ended.read


@pytest.mark.parametrize("damage", [remove, empty], ids=lambda damage: damage.__name__)
def test_the_next_run_lists_the_runs_of_a_lost_database(
    damage: Damage, home: Path, ended: Ended, tmp_path: Path
) -> None:
    damage(home)
    (tmp_path / "project").mkdir()
    lab = Lab(tmp_path / "project", LocalEngine(home, "me"))
    assert lab.train("run: 'true'").number == 4
    lab.wait(4)
    assert shown(home)[1][1:] == ended.read


@pytest.mark.parametrize("seed", range(12))
def test_no_damage_leads_to_another_error(seed: int, home: Path, ended: Ended) -> None:
    chance = random.Random(seed)
    size = database(home).stat().st_size
    for _ in range(chance.randint(1, 8)):
        length = chance.choice((1, 8, 512, 4096))
        data = chance.choice((bytes(length), chance.randbytes(length)))
        overwrite(home, chance.randrange(size), data)
    with suppress(RiseMLError):
        shown(home)
    result, detail, _ = doctor(home)
    assert "the check itself failed" not in detail
    if "schema" in detail:
        return
    LocalEngine(home, "me").repair()
    numbers = {run.number for run in shown(home)[0]}
    assert numbers >= {1, 2, 3}
    if result != "ok":
        assert [run for run in shown(home)[1] if run.number in (1, 2, 3)] == ended.read


def test_an_interrupted_repair_loses_nothing(home: Path, ended: Ended) -> None:
    chance = random.Random(7)
    for _ in range(25):
        if database(home).exists():
            overwrite(home, 0, bytes(100))
        pid = os.fork()
        if not pid:
            with suppress(BaseException):
                LocalEngine(home, "me").repair()
            os._exit(0)
        time.sleep(chance.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    LocalEngine(home, "me").repair()
    assert shown(home) == (ended.listed, ended.read)
    protocol.ensure(home)
    limit = time.monotonic() + PATIENCE
    while list(home.glob(".riseml-*")):
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_run_json_of_any_content_is_survived(home: Path) -> None:
    file = home / "output/me/lab/1/run.json"
    complete = json.loads(file.read_text())
    values: list[object] = [None, [], {}, "x", 7, [[[]]], {"a": {}}]
    for name in complete:
        for value in values:
            file.write_text(json.dumps({**complete, name: value}))
            remove(home)
            sentences = LocalEngine(home, "me").repair()
            assert "The next run will be 4." in sentences, (name, value)
            shown(home)
