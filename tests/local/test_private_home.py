"""A home is private from its first moment, refused if it is shared, and readable without being writable."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from riseml.engines import Chunk, LogQuery
from riseml.engines.local import protocol
from riseml.engines.local.database_file import in_memory
from riseml.engines.local.engine import LocalEngine
from riseml.engines.local.store import Store
from riseml.errors import HomeError
from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import PATIENCE, Lab

SECRET = "hunter2-of-the-submitter"


def modes(home: Path) -> dict[str, int]:
    """Return the modes of what is directly in a home, and of the home."""
    found = {".": home.stat().st_mode & 0o7777}
    for path in home.iterdir():
        found[path.name] = path.lstat().st_mode & 0o7777
    return found


def riseml(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "riseml", *arguments],
        cwd=home.parent,
        env={**os.environ, "RISEML_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_files_are_private_even_in_a_folder_that_all_may_read(lab: Lab) -> None:
    home = lab.engine.home
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    previous = os.umask(0)
    try:
        lab.engine.set_secret("TOKEN", "x")
        lab.run("run: sleep 0.2", SECRET=SECRET)
    finally:
        os.umask(previous)
    found = modes(home)
    assert found.pop(".") == 0o755
    public = {name: oct(mode) for name, mode in found.items() if mode & 0o077}
    assert public == {}
    names = {"riseml.db", "riseml.db-wal", "riseml.db-shm", "controller.log"}
    assert names <= found.keys()
    assert {"controller.sock", "controller.lock", "secrets", "store"} <= found.keys()


def test_no_file_is_public_for_a_moment(lab: Lab) -> None:
    home = lab.engine.home
    script = "umask 0; mkdir -m 755 $RISEML_HOME; exec $PYTHON -m riseml train"
    lab.write({"riseml.yml": "project: lab\ntrain: {image: busybox, run: 'true'}\n"})
    process = subprocess.Popen(
        ["sh", "-c", script],
        cwd=lab.folder,
        env={**os.environ, "PYTHON": sys.executable},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    public = set()
    while process.poll() is None:
        for entry in os.scandir(home) if home.is_dir() else ():
            try:
                mode = entry.stat(follow_symlinks=False).st_mode
            except FileNotFoundError:
                continue
            if mode & 0o077:
                public.add(entry.name)
    assert process.returncode == 0
    assert public == set()
    lab.wait(1)


@pytest.mark.parametrize("command", ["train", "status", "logs"])
def test_a_shared_folder_is_refused_and_stays_as_it_is(
    tmp_path: Path, command: str
) -> None:
    home = tmp_path / "shared"
    home.mkdir()
    home.chmod(0o1777)
    (tmp_path / "riseml.yml").write_text(
        "project: lab\ntrain: {image: busybox, run: 'true'}\n"
    )
    done = riseml(command, home=home)
    assert done.returncode == 1
    assert f"error: {home} cannot be a RiseML home: other users may" in done.stderr
    assert modes(home) == {".": 0o1777}


def test_doctor_names_a_shared_home(tmp_path: Path) -> None:
    home = tmp_path / "shared"
    home.mkdir()
    home.chmod(0o1777)
    done = riseml("doctor", home=home)
    assert done.returncode == 1
    assert "other users may write to it (mode 1777)" in done.stdout
    assert modes(home) == {".": 0o1777}


def test_the_environment_of_an_ended_run_is_in_no_file(lab: Lab) -> None:
    lab.train("run: sleep 1000", SECRET=SECRET)
    home = lab.engine.home
    assert SECRET in _content(home)
    lab.engine.stop(Id(number=1), force=True)
    lab.wait(1)
    lab.until(lambda: SECRET not in _content(home), "the environment is erased")


def _content(home: Path) -> str:
    texts = []
    for path in home.rglob("*"):
        # Other processes remove files meanwhile, and sockets cannot be read.
        with suppress(OSError):
            texts.append(path.read_text(errors="replace"))
    return "".join(texts)


def test_a_home_that_cannot_be_written_is_read(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.write({"a.txt": "x"})
    lab.run("run: echo it works")
    home = lab.engine.home
    protocol.stop_controller(home)
    before = modes(home)

    # Permissions do not stop root, so the system calls are replaced.
    def access(path: str, mode: int) -> bool:
        return not mode & os.W_OK

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(
        "riseml.engines.local.store.connect_to_read",
        lambda path: (in_memory(path), True),
    )
    engine = LocalEngine(home, "me")
    assert engine.read(Id(number=1)).state is State.FINISHED
    events = engine.logs(LogQuery(Id(number=1), follow=True))
    lines = [event.data for event in events if isinstance(event, Chunk)]
    assert b"".join(lines) == b"it works\n"
    with pytest.raises(HomeError, match="cannot be used: not writable"):
        engine.stop(Id(number=1))
    assert modes(home) == before


def test_the_log_of_a_run_ends_where_it_cannot_continue(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lab.train("run: echo begun; sleep 1000")
    lab.until(lambda: "begun" in lab.log(1), "the job has begun")
    home = lab.engine.home
    copy = lab.folder.parent / "copy"
    subprocess.run(["cp", "-a", home, copy], check=True)
    (copy / "controller.sock").unlink()
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    engine = LocalEngine(copy, "me")
    start = time.monotonic()
    events = engine.logs(LogQuery(Id(number=1), follow=True))
    lines = [event.data for event in events if isinstance(event, Chunk)]
    assert b"".join(lines) == b"begun\n"
    assert time.monotonic() - start < PATIENCE
    assert "states of unfinished runs may be outdated" in caplog.text
    assert isinstance(engine.reader.store(), Store)
