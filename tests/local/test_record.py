"""The record of an ended run: it is read without the interpreter, and says the same."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from riseml import status
from riseml.client.client import Client
from riseml.engines.local import protocol
from riseml.engines.local.engine import LocalEngine
from riseml.errors import HomeError
from riseml.ids import Id
from riseml.status import SetStatus, State
from tests.local.conftest import Lab

_READ = """
import json, sys
from pathlib import Path
from riseml.engines.local.engine import LocalEngine
from riseml.ids import Id
run = LocalEngine(Path(sys.argv[1]), "me").read(Id(number=1))
prefix = "riseml.engines.local.interpreter"
print(json.dumps([run.state, [name for name in sys.modules if name.startswith(prefix)]]))
"""
# Memory of which no job needs more, so that nothing is remarked.
_ENOUGH = "resources: {cpus: 0.01, mem: 200}\n"
_RUNS = {
    "one": "run: 'true'",
    "failed": "run: exit 3",
    "set": 'parameters: {n: [1, 2]}\nrun: \'echo "{\\"n\\": {{n}}}" >> $RESULT_FILE; test {{n}} = 1\'',
    "gang": "framework: tensorflow\ntensorflow: {tensorboard: false, distributed: {worker: 2, ps: 1}}\n"
    "run: 'test $RISEML_JOB != ps || sleep 1000'",
    "build": "install: 'false'\nrun: 'true'",
}


def replayed(engine: LocalEngine, number: int) -> SetStatus:
    return status.read(engine.get(Id(number=number)))


@pytest.mark.parametrize("text", _RUNS.values(), ids=_RUNS)
def test_the_record_equals_the_replayed_run(text: str, lab: Lab) -> None:
    recorded = lab.run(f"{_ENOUGH}{text}")
    assert recorded.state.is_terminal
    assert recorded == replayed(lab.engine, 1)


def test_a_killed_run_is_recorded_as_it_is_replayed(lab: Lab) -> None:
    lab.train(f"{_ENOUGH}parameters: {{n: [1, 2]}}\nrun: sleep 1000")
    lab.engine.stop(Id(number=1))
    lab.wait(1)
    lab.until(lambda: not lab.engine.reader.store().unfinished(), "the end of the run")
    assert lab.engine.read(Id(number=1)) == replayed(lab.engine, 1)


def test_an_ended_run_is_read_without_the_interpreter(lab: Lab) -> None:
    lab.run("parameters: {n: [1, 2]}\nrun: 'true'")
    process = subprocess.run(
        [sys.executable, "-c", _READ, str(lab.engine.home)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(process.stdout) == ["FINISHED", []]


def test_a_run_without_a_record_is_replayed(lab: Lab) -> None:
    """Earlier versions ended runs without one."""
    recorded = lab.run(f"{_ENOUGH}run: 'true'")
    protocol.stop_controller(lab.engine.home)
    change_status(lab.engine.home, "{}")
    assert lab.engine.read(Id(number=1)) == recorded


@pytest.mark.parametrize("text", ['{"state": "FIN', "[1]", '{"state": "GONE"}'])
def test_a_damaged_record_is_named(text: str, lab: Lab) -> None:
    assert lab.run("run: 'true'").state is State.FINISHED
    protocol.stop_controller(lab.engine.home)
    change_status(lab.engine.home, text)
    with pytest.raises(HomeError, match="run 1 is damaged"):
        lab.engine.read(Id(number=1))


def change_status(home: Path, text: str) -> None:
    with sqlite3.connect(home / "riseml.db") as database:
        database.execute("UPDATE runs SET status = ?", (text,))


def test_a_run_with_a_damaged_record_can_be_deleted(lab: Lab) -> None:
    lab.run("run: 'true'")
    lab.run("run: 'true'")
    with sqlite3.connect(lab.engine.home / "riseml.db") as db:
        db.execute("UPDATE runs SET status = '{\"experiments\": 3}' WHERE number = 1")
    client, folder = Client(engine=lab.engine), lab.output(2).with_name("1")
    with pytest.raises(HomeError, match="the record of run 1 is damaged") as caught:
        client.read("1")
    assert "`riseml delete 1`" in caught.value.advice
    assert client.delete("1", "2") == ["1", "2"]
    assert client.runs(all=True) == []
    assert not folder.exists()
