"""States of builds: complete or absent, never shared with what continues from them, with the right paths."""

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest

from riseml.engines.local.jobs import environment_copy
from riseml.engines.local.jobs.environment_copy import restore, save

OLD, NEW, STEP = "a" * 24, "b" * 24, "c" * 24
PACKAGES = "lib/python3.11/site-packages"


@pytest.fixture
def envs(tmp_path: Path) -> Path:
    return tmp_path / "envs"


def environment(envs: Path, files: int = 3) -> Path:
    """Make an environment with an installed package, a script, and a file that the step made."""
    folder = envs / OLD
    package = folder / PACKAGES / "big"
    package.mkdir(parents=True)
    for number in range(files):
        (package / f"m{number}.py").write_text(f"n = {number}\n")
    (folder / "bin").mkdir()
    script = folder / "bin/tool"
    script.write_text(f"#!{folder}/bin/python\n")
    script.chmod(0o755)
    (folder / "bin/link").symlink_to(folder / "bin/tool")
    (folder / "built").mkdir()
    (folder / "built/notes").write_text("a\n")
    return folder


def new_environment(envs: Path, name: str = NEW) -> Path:
    folder = envs / name
    (folder / "built").mkdir(parents=True)
    return folder


def test_a_state_is_a_copy_with_paths_of_the_new_environment(envs: Path) -> None:
    old = environment(envs)
    # The path lies across the border between two reads.
    binary = b"\0" * ((1 << 20) - 10) + os.fsencode(f"{old}/lib") + b"\xff"
    compiled = old / PACKAGES / "big/m.pyc"
    compiled.write_bytes(binary)
    os.utime(compiled, (1, 1))
    save(str(old), STEP)
    new = new_environment(envs)
    assert restore(str(new), STEP)
    assert (new / "bin/tool").read_text() == f"#!{new}/bin/python\n"
    assert os.access(new / "bin/tool", os.X_OK)
    assert (new / "bin/link").readlink() == new / "bin/tool"
    copy = new / PACKAGES / "big/m.pyc"
    assert copy.read_bytes() == binary.replace(os.fsencode(old), os.fsencode(new))
    assert copy.stat().st_mtime == 1
    assert (old / PACKAGES / "big/m.pyc").read_bytes() == binary


def test_nothing_that_happens_to_one_environment_reaches_another(envs: Path) -> None:
    old = environment(envs)
    save(str(old), STEP)
    # A later step of the same build.
    with (old / "built/notes").open("a") as file:
        file.write("b\n")
    (old / PACKAGES / "big/m1.py").unlink()
    new = new_environment(envs)
    assert restore(str(new), STEP)
    assert (new / "built/notes").read_text() == "a\n"
    assert (new / PACKAGES / "big/m1.py").read_text() == "n = 1\n"
    with (new / PACKAGES / "big/m0.py").open("a") as file:
        file.write("changed\n")
    other = new_environment(envs, "d" * 24)
    assert restore(str(other), STEP)
    assert (other / PACKAGES / "big/m0.py").read_text() == "n = 0\n"
    assert (old / PACKAGES / "big/m0.py").read_text() == "n = 0\n"


def test_a_state_whose_files_were_written_into_is_not_used(envs: Path) -> None:
    old = environment(envs)
    save(str(old), STEP)
    with (old / PACKAGES / "big/m0.py").open("a") as file:
        file.write("changed in place\n")
    new = new_environment(envs)
    assert not restore(str(new), STEP)
    assert list(new.iterdir()) == [new / "built"]


def test_a_complete_environment_is_a_state(envs: Path) -> None:
    old = environment(envs)
    new = new_environment(envs)
    assert not restore(str(new), OLD)
    (old / ".complete").touch()
    (old / "code").mkdir()
    assert restore(str(new), OLD)
    assert (new / PACKAGES / "big/m0.py").is_file()
    assert not (new / ".complete").exists()
    assert not (new / "code").exists()


def _entries(folder: Path) -> int:
    """Return how many entries a folder has; another process makes and removes it."""
    try:
        return len(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return 0


def test_a_kill_while_a_state_is_saved_leaves_all_of_it_or_none(envs: Path) -> None:
    old = environment(envs, files=400)
    program = (
        f"from {environment_copy.__name__} import save; save({str(old)!r}, {STEP!r})"
    )
    state = envs / f"{STEP}.prefix"
    chance = random.Random(7)
    kills = 0
    for _ in range(12):
        process = Popen([sys.executable, "-c", program], stderr=DEVNULL)
        # Kill it at some file of the copy.
        count = chance.randrange(1, 400)
        partial = envs / f".part-{OLD}" / PACKAGES / "big"
        limit = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < limit:
            if _entries(partial) >= count:
                break
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        if state.exists():
            new = new_environment(envs)
            assert restore(str(new), STEP)
            assert len(list((new / PACKAGES / "big").iterdir())) == 400
            for folder in (new, state):
                shutil.rmtree(folder)
    assert kills
    save(str(old), STEP)
    assert restore(str(new_environment(envs, "e" * 24)), STEP)
    assert sorted(path.name for path in envs.iterdir() if path.name[0] == ".") == []
