"""Contract of the volumes of all engines, as a client uses them."""

import hashlib
import os
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.errors import InvalidInputError, NotFoundError
from riseml.plan import GitState
from riseml.status import State
from riseml.storage.transfer import CopyReport
from tests.contract.bench import Bench
from tests.folders import git


@pytest.fixture
def client(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Return a client in the project's folder."""
    monkeypatch.chdir(bench.folder)
    Path("riseml.yml").write_text(f"project: {bench.project}\n", "utf-8")
    return Client(engine=bench.engine)


def test_the_output_of_a_job_is_listed_and_copied(bench: Bench, client: Client) -> None:
    make = "cd $OUTPUT_DIR; mkdir deep; head -c 3000000 /dev/urandom > deep/model; sha256sum deep/model"
    number = bench.run(f"run: {make}").number or 0
    assert [
        entry.name for entry in client.ls(f"output://~/{number}") if entry.is_folder
    ] == ["deep"]
    assert ".riseml" in [
        entry.name for entry in client.ls(f"output://~/{number}", hidden=True)
    ]
    (model,) = client.ls(f"output://~/{number}/deep")
    assert (model.name, model.size) == ("model", 3_000_000)
    client.cp([f"output://~/{number}/deep/model"], "mine")
    assert (
        hashlib.sha256(Path("mine").read_bytes()).hexdigest()
        == bench.log(number).split()[0]
    )


def test_jobs_find_files_that_were_copied_to_data(bench: Bench, client: Client) -> None:
    folder = f"contract-{os.getpid()}"
    Path("set").mkdir()
    Path("set/a b").write_text("one\n", "utf-8")
    Path("set/-n").write_text("two\n", "utf-8")
    report = client.cp(["set"], f"data://{folder}")
    assert (report.files, report.bytes) == (2, 8)
    assert client.cp(["set"], f"data://{folder}").files == 0
    run = bench.run(
        f'run: [cat "$DATA_DIR/{folder}/a b", "cat -- $DATA_DIR/{folder}/-n"]'
    )
    assert run.state is State.FINISHED
    assert bench.log(run.number or 0) == "one\ntwo\n"
    client.rm(f"data://{folder}")
    with pytest.raises(NotFoundError):
        client.ls(f"data://{folder}")


def test_an_interrupted_copy_is_resumed(bench: Bench, client: Client) -> None:
    data = os.urandom(2_000_000)
    Path("big").write_bytes(data)
    client.cp(["big"], "output://~/kept/whole")
    client.cp(["output://~/kept/whole"], "back")
    assert Path("back").read_bytes() == data
    Path(".there.riseml-part").write_bytes(data[:1_500_000])
    passed = list[int]()
    client.cp(["output://~/kept/whole"], "there", CopyReport(on_bytes=passed.append))
    assert Path("there").read_bytes() == data
    assert passed[0] == 1_500_000
    assert sum(passed) == 2_000_000
    assert not Path(".there.riseml-part").exists()
    client.rm("output://~/kept")
    with pytest.raises(NotFoundError):
        client.ls("output://~/kept")


def test_paths_cannot_leave_a_volume(bench: Bench, client: Client) -> None:
    for uri in ("output://..", "data://a/../../b", "output://~/../../.."):
        with pytest.raises(InvalidInputError):
            client.ls(uri)
        with pytest.raises(InvalidInputError):
            client.rm(uri)
    for uri in ("data://", "output://"):
        with pytest.raises(InvalidInputError, match="is an entire volume"):
            client.rm(uri)


def test_the_code_of_a_run_is_listed_and_copied(
    bench: Bench, client: Client, tmp_path: Path
) -> None:
    bench.write({"train.py": "print('first')\n", "src/model.py": "pass\n"})
    (bench.folder / "link").symlink_to("src/model.py")
    number = bench.run("run: python3 train.py || true").number
    bench.write({"train.py": "print('second')\n"})
    names = [entry.name for entry in client.ls(f"code://{number}")]
    assert names == ["src", "link", "train.py"]
    assert [entry.name for entry in client.ls(f"code://{number}/src")] == ["model.py"]
    copy = tmp_path / "copy"
    assert client.cp([f"code://{number}"], str(copy)).files == 2
    assert (copy / "train.py").read_text() == "print('first')\n"
    assert (copy / "link").readlink() == Path("src/model.py")
    client.cp([f"code://{number}/train.py"], "train.py")
    assert Path("train.py").read_text() == "print('first')\n"
    with pytest.raises(InvalidInputError, match="can only be read"):
        client.rm(f"code://{number}/train.py")
    with pytest.raises(InvalidInputError, match="can only be read"):
        client.cp(["train.py"], f"code://{number}/train.py")


def test_the_users_commit_is_recorded(bench: Bench, client: Client) -> None:
    git("init", "-q", "-b", "topic", at=bench.folder)
    config = f"project: {bench.project}\ntrain: {{image: {bench.image}, run: 'true'}}\n"
    bench.write({"riseml.yml": config, "train.py": "pass\n"})
    git("add", ".", at=bench.folder)
    git("commit", "-q", "-m", "first", at=bench.folder)
    commit = git("rev-parse", "HEAD", at=bench.folder).strip()
    first = client.train(gitignore=True)
    bench.write({"train.py": "changed\n"})
    second = client.train(gitignore=True)
    client.wait(first.id, second.id)
    assert client.read(first.id).git == GitState(commit, "topic", dirty=False)
    assert client.read(second.id).git == GitState(commit, "topic", dirty=True)


def test_runs_are_compared(bench: Bench, client: Client) -> None:
    bench.write({"train.py": "first\n"})
    old = bench.run("run: sh -c 'echo acc=0.5'\nresults: acc").number
    bench.write({"train.py": "second\n"})
    new = bench.run("run: sh -c 'echo acc=0.75'\nresults: acc").number
    difference = client.diff(str(old), str(new))
    assert difference.code is not None
    assert "-first\n+second\n" in difference.code.patch
    assert "+  run: sh -c 'echo acc=0.75'" in difference.configuration
    (pair,) = difference.pairs
    assert pair.results["acc"] == (0.5, 0.75)
    bench.write({"train.py": "third\n"})
    current = client.diff(str(new), gitignore=True)
    assert current.code is not None
    assert "-second\n+third\n" in current.code.patch
