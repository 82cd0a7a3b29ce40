"""`riseml ls`, `cp` and `rm`."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from riseml.cli import output
from riseml.storage import transfer
from riseml.storage.folder import Folder
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine

TIME = 1_500_000_000


@pytest.fixture
def volumes(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return the volumes of the engine, with output of a project."""
    monkeypatch.setenv("TZ", "UTC")
    engine.volumes = tmp_path / "volumes"
    (engine.volumes / "data").mkdir(parents=True)
    for name in ("14/model.pt", "14/.riseml/logs/train.0.log", "15/1/b\nc"):
        file = engine.volumes / "output/paul/toaster-net" / name
        file.parent.mkdir(parents=True)
        file.write_text("12345", "utf-8")
        os.utime(file, (TIME, TIME))
    for folder in ("", "14", "14/.riseml", "15"):
        os.utime(engine.volumes / "output/paul/toaster-net" / folder, (TIME, TIME))
    Path("riseml.yml").write_text("project: toaster-net\n", "utf-8")
    return engine.volumes


def test_ls(volumes: Path, riseml: Riseml) -> None:
    rows = "MODIFIED                           SIZE NAME\n"
    time = "2017-07-14 03:40:00 CET "
    assert (
        riseml("ls", "output://~").out
        == f"{rows}{time}            DIR 14/\n{time}            DIR 15/\n"
    )
    assert (
        riseml("ls", "output://~/14").out == f"{rows}{time}              5 model.pt\n"
    )
    assert (
        riseml("ls", "-a", "output://~/14").out.splitlines()[1]
        == f"{time}            DIR .riseml/"
    )
    assert (
        riseml("ls", "output://paul/toaster-net/14/model.pt", "-o", "name").out
        == "model.pt\n"
    )
    assert (
        riseml("ls", "output://~/15/1", "--no-headers").out
        == f"{time}              5 b c\n"
    )
    assert (
        riseml("ls", "output://~/14", "-o", "csv").out
        == "name,type,size,modified\nmodel.pt,file,5,2017-07-14T02:40:00Z\n"
    )
    assert json.loads(riseml("ls", "output://~/14", "-o", "json").out) == [
        {
            "name": "model.pt",
            "type": "file",
            "size": 5,
            "modified": "2017-07-14T02:40:00Z",
        }
    ]
    result = riseml("ls", "output://~/16")
    assert (result.status, result.out) == (4, "")
    assert result.err == (
        "riseml: error: path output://paul/toaster-net/16 does not exist\n"
        "`riseml ls output://paul/toaster-net` shows what exists.\n"
    )


def test_cp(volumes: Path, riseml: Riseml) -> None:
    result = riseml("cp", "output://~/14", "mine")
    assert (result.status, result.out) == (0, "")
    assert (
        result.err
        == "Copying output://paul/toaster-net/14/model.pt to mine\nCopied 1 file, 5 B.\n"
    )
    assert riseml("cp", "output://~/14", ".").err.endswith(
        "to ./model.pt\nCopied 1 file, 5 B.\n"
    )
    assert riseml("cp", "mine", "model.pt", "data://sets").status == 0
    assert sorted(path.name for path in (volumes / "data/sets").iterdir()) == [
        "mine",
        "model.pt",
    ]
    again = riseml("cp", "mine", "model.pt", "data://sets")
    assert again.err == "Copied 0 files, 0 B; skipped 2 identical files.\n"
    assert riseml("cp", "data://sets", "output://~/kept/").status == 0
    assert (volumes / "output/paul/toaster-net/kept/model.pt").read_text(
        "utf-8"
    ) == "12345"


def test_an_interrupted_copy_says_how_to_resume_it(
    volumes: Path, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Folder, entries: object, data: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Folder, "write", interrupted)
    result = riseml("cp", "output://~/14", "mine")
    assert result.status == 130
    assert result.err == "Run the same command again to resume the copy.\n\nAborted.\n"


def test_cp_shows_bars_on_a_terminal(
    volumes: Path,
    riseml: Riseml,
    screen: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen()
    reports = list[transfer.CopyReport]()
    original = transfer.copy

    def copy(*arguments: object) -> None:
        reports.append(arguments[3])  # type: ignore[arg-type]
        original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(transfer, "copy", copy)
    result = riseml("cp", "output://~/14", "output://~/15", "mine")
    assert result.status == 0
    assert result.err.endswith("Copied 2 files, 10 B.\n")
    assert "Copying" not in result.err
    assert reports[0].bytes == 10


@pytest.mark.parametrize("answer", [True, False])
def test_rm_asks_on_a_terminal(
    volumes: Path, riseml: Riseml, monkeypatch: pytest.MonkeyPatch, *, answer: bool
) -> None:
    questions = list[str]()
    monkeypatch.setattr(output, "can_ask", lambda: True)

    def ask(question: str) -> bool:
        questions.append(question)
        return answer

    monkeypatch.setattr(output, "ask", ask)
    result = riseml("rm", "output://~/14", "output://~/15/1/b\nc")
    project_output = volumes / "output/paul/toaster-net"
    assert questions == [
        "Delete output://paul/toaster-net/14 (2 files, 10 B), output://paul/toaster-net/15/1/b c?"
    ]
    assert (project_output / "14").exists() == (not answer)
    assert ("Nothing was deleted." in result.err) == (not answer)
    assert (
        result.out.startswith("deleted output://paul/toaster-net/14 (2 files, 10 B)\n")
        == answer
    )


def test_rm_deletes_nothing_if_a_path_is_missing(volumes: Path, riseml: Riseml) -> None:
    result = riseml("rm", "output://~/14", "output://~/16", "-y")
    assert (result.status, result.out) == (4, "")
    assert (volumes / "output/paul/toaster-net/14/model.pt").exists()


def test_a_tilde_needs_a_project(volumes: Path, riseml: Riseml) -> None:
    Path("riseml.yml").unlink()
    result = riseml("ls", "output://~")
    assert result.status == 2
    assert (
        "output://~ is the folder of a project, and there is no riseml.yml here"
        in result.err
    )
    assert riseml("ls", "output://paul").status == 0
