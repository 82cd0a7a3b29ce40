"""Files that jobs write next to their code are kept, however the jobs end."""

import hashlib
import os
import stat
import sys
from pathlib import Path

import pytest

from riseml.engines.local import protocol
from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab

# Every way in which a machine lets jobs have a working copy.
COPIES = ["overlay", "own checkout", "no mounts"]


@pytest.fixture(params=COPIES)
def copies(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, lab: Lab
) -> str:
    kind: str = request.param
    switches = {"overlay": "on", "own checkout": "no-overlay", "no mounts": "off"}
    monkeypatch.setenv("RISEML_MOUNTS", switches[kind])
    return kind


def tree(folder: Path) -> dict[str, str]:
    """Return the files of a folder with their content; links with their target."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            files[name] = f"-> {path.readlink()}"
        elif not path.is_dir():
            files[name] = path.read_text("latin-1") if path.is_file() else "special"
    return files


def note(lab: Lab, number: int) -> str:
    return lab.engine.read(Id(number=number)).experiments[0].workdir


WRITER = """
    import os, socket, subprocess
    import package.module
    os.makedirs("runs/a")
    open("runs/a/events", "w").write("e")
    open("model.pt", "w").write("weights")
    open("log.txt", "a").write("new")
    open("data.bin", "r+").close()
    os.symlink("/nowhere", "link")
    os.makedirs("empty/folder")
    os.makedirs(".git/objects")
    open(".git/config", "w").write("x")
    open("odd \\n name", "w").write("odd")
    os.link("model.pt", "second.pt")
    socket.socket(socket.AF_UNIX).bind("socket")
    os.mkfifo("fifo")
    os.remove("unused.txt")
"""
PROJECT = {
    "train.py": WRITER,
    "package/__init__.py": "",
    "package/module.py": "x = 1",
    "log.txt": "old ",
    "data.bin": "data",
    "unused.txt": "",
}
KEPT = {
    "link": "-> /nowhere",
    "log.txt": "old new",
    "model.pt": "weights",
    "odd \n name": "odd",
    "runs/a/events": "e",
    "second.pt": "weights",
}


def test_what_a_job_creates_or_changes_is_kept(lab: Lab, copies: str) -> None:
    lab.write(PROJECT)
    run = lab.run("run: python train.py")
    assert run.state is State.FINISHED, lab.log(1)
    kept = tree(lab.output(1) / "workdir")
    if copies != "overlay":
        # A checkout of its own does not tell that a file was only opened.
        kept.pop("data.bin", None)
    assert kept == KEPT
    assert note(lab, 1) == "6 files, 18 bytes, in workdir/"
    for path in (lab.output(1) / "workdir").rglob("*"):
        attributes = os.listxattr(path, follow_symlinks=False)
        assert not [name for name in attributes if "overlay" in name]


def test_a_job_that_writes_nothing_leaves_no_folder(lab: Lab, copies: str) -> None:
    lab.write({"train.py": "import module", "module.py": ""})
    assert lab.run("run: python train.py").state is State.FINISHED
    assert not (lab.output(1) / "workdir").exists()
    assert note(lab, 1) == ""


ENDS = {
    "failed": ("python train.py; exit 3", State.FAILED),
    "killed": ("python train.py; sleep 60", State.KILLED),
    "killed at once": ("python train.py; sleep 60", State.KILLED),
    "timeout": ("python train.py; sleep 60", State.FAILED),
    "kill -9": ("python train.py; kill -9 0", State.FAILED),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_files_of_a_job_that_does_not_finish(
    lab: Lab, copies: str, end: str
) -> None:
    lab.write({"train.py": "open('model.pt', 'w').write('weights')"})
    line, state = ENDS[end]
    timeout = "timeout: 2s\n" if end == "timeout" else ""
    number = lab.train(f"{timeout}run: {line}").number
    if state is State.KILLED:
        lab.until(lambda: written(lab), "model.pt")
        lab.engine.stop(Id(number=number), force=end == "killed at once")
    assert lab.wait(number).state is state
    assert tree(lab.output(1) / "workdir") == {"model.pt": "weights"}
    assert note(lab, 1) == "1 file, 7 bytes, in workdir/"


def written(lab: Lab) -> list[str]:
    """Return where the job has written its file; other files may vanish meanwhile."""
    walk = os.walk(lab.engine.home)
    return [folder for folder, _, files in walk if "model.pt" in files]


def test_a_job_that_ends_without_a_controller(lab: Lab, copies: str) -> None:
    lab.write({"train.py": "open('model.pt', 'w').write('weights')"})
    number = lab.train("run: python train.py; sleep 1").number
    lab.until(lambda: written(lab), "model.pt")
    protocol.stop_controller(lab.engine.home)
    assert lab.wait(number).state is State.FINISHED
    assert tree(lab.output(1) / "workdir") == {"model.pt": "weights"}


def test_files_over_the_limit_are_named(lab: Lab, copies: str) -> None:
    lab.write(
        {
            "train.py": """
                for name, size in ("big.bin", 3000), ("small.txt", 10), ("huge", 9000):
                    open(name, "w").write("x" * size)
            """
        }
    )
    lab.limit = 2000
    lab.run("run: python train.py")
    assert tree(lab.output(1) / "workdir") == {"small.txt": "x" * 10}
    assert note(lab, 1) == (
        "1 file, 10 bytes, in workdir/; not kept, over the workdir_limit of 2 kB: "
        "huge (9 kB), big.bin (3 kB)"
    )


def test_a_retry_starts_with_a_fresh_copy(lab: Lab, copies: str) -> None:
    lab.write(
        {
            "train.py": """
                import os, sys
                attempt = os.environ["RISEML_ATTEMPT"]
                assert not os.path.exists("model.pt")
                open("model.pt", "w").write(attempt)
                sys.exit(attempt != "2")
            """
        }
    )
    run = lab.run("retries: {count: 2, on: [error]}\nrun: python train.py")
    assert run.state is State.FINISHED, lab.log(1)
    folders = {
        path.name: (path / "model.pt").read_text()
        for path in lab.output(1).glob("workdir*")
    }
    assert folders == {"workdir.1": "0", "workdir.2": "1", "workdir": "2"}


def test_the_jobs_of_a_gang_have_their_own_copies(lab: Lab, copies: str) -> None:
    lab.write(
        {
            "train.py": """
                import os
                open("model.pt", "w").write(os.environ["RISEML_JOB"])
            """
        }
    )
    if copies == "no mounts":
        pytest.skip("gangs need mounts")
    run = lab.run("framework: pytorch\npytorch: {workers: 2}\nrun: python train.py")
    assert run.state is State.FINISHED, lab.log(1)
    kept = tree(lab.output(1) / "workdir")
    assert kept == {
        "master/model.pt": "master",
        "worker/model.pt": "worker",
    }
    assert note(lab, 1) == (
        "1 file, 6 bytes, in workdir/master/; 1 file, 6 bytes, in workdir/worker/"
    )


def test_many_files(lab: Lab, copies: str) -> None:
    lab.write(
        {
            "train.py": """
                import os
                for number in range(3000):
                    os.makedirs(f"{number % 50}", exist_ok=True)
                    open(f"{number % 50}/{number}", "w").close()
                os.chmod("3", 0o555)
                os.chmod("4", 0)
            """
        }
    )
    assert lab.run("run: python train.py").state is State.FINISHED
    assert note(lab, 1).startswith("3000 files, ")
    assert (lab.output(1) / "workdir" / "3" / "3").exists()


def test_files_are_seen_while_the_job_runs(lab: Lab) -> None:
    lab.write({"train.py": "open('events', 'w').write('e')"})
    number = lab.train("run: python train.py; sleep 60").number
    lab.until((lab.output(number) / "workdir" / "events").exists, "events")
    lab.engine.stop(Id(number=number), force=True)
    lab.wait(number)


def test_jobs_do_not_change_the_shared_checkout(lab: Lab) -> None:
    lab.write(
        {
            "train.py": """
                import os, shutil
                open("a.txt", "a").write("changed")
                os.chmod("b.txt", 0o600)
                shutil.rmtree("folder")
                os.remove("train.py")
            """,
            "a.txt": "a",
            "b.txt": "b",
            "folder/c.txt": "c",
        }
    )
    # Two runs with the same code: the second one sees what the first one saw.
    for _ in range(2):
        assert lab.run("run: python train.py").state is State.FINISHED
    (checkout,) = (lab.engine.home / "checkouts" / "lab").iterdir()
    assert tree(checkout) == tree(lab.folder)
    assert (checkout / "b.txt").stat().st_mode & 0o777 == 0o644


def test_revisions_share_unchanged_files_and_no_job_changes_them(lab: Lab) -> None:
    writer = """
        import os
        open("a.txt", "r+").write("changed")
        os.chmod("b.txt", 0o600)
        os.link("c.txt", "d.txt")
        open("d.txt", "a").write("changed")
    """
    lab.write({"train.py": writer, "a.txt": "a", "b.txt": "b", "c.txt": "c"})
    checkouts = lab.engine.home / "checkouts" / "lab"
    assert lab.run("run: python train.py").state is State.FINISHED
    (first,) = checkouts.iterdir()
    before = tree(first)
    lab.write({"b.txt": "another"})
    assert lab.run("run: python train.py").state is State.FINISHED
    (second,) = set(checkouts.iterdir()) - {first}
    assert tree(first) == before
    assert tree(second) == tree(lab.folder)
    assert (first / "a.txt").samefile(second / "a.txt")
    assert not (first / "b.txt").samefile(second / "b.txt")
    assert stat.S_IMODE((second / "b.txt").stat().st_mode) == 0o644


def test_jobs_do_not_change_large_files_of_the_store(lab: Lab, copies: str) -> None:
    """The store and the code that jobs share are the same file, where there are overlays."""
    data = os.urandom(3_000_000)
    (lab.folder / "data.bin").write_bytes(data)
    run = lab.run(
        """
        parameters: {n: [1, 2]}
        run:
          - md5sum < data.bin
          - printf changed | dd of=data.bin conv=notrunc
          - chmod 600 data.bin; truncate -s 10 data.bin; mv data.bin moved.bin
        """
    )
    assert run.state is State.FINISHED
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert lab.log(1).count(digest) == 2
    (stored,) = lab.engine.home.glob("store/repos/lab.git/riseml/files/*")
    assert stored.read_bytes() == data
    assert stored.stat().st_nlink == (2 if copies == "overlay" else 1)
    assert (lab.output(1, 1) / "workdir/moved.bin").read_bytes() == b"changed" + data[
        7:10
    ]


def test_install_steps_leave_files_below_the_code(lab: Lab, copies: str) -> None:
    lab.write(
        {"train.py": "print(open('made').read(), open('mine').read())", "mine": "m"}
    )
    text = """
        install: [echo made > made; echo theirs > mine]
        run: [python train.py, touch new]
    """
    assert lab.run(text).state is State.FINISHED, lab.log(1)
    assert "made\n m" in lab.log(1)
    assert tree(lab.output(1) / "workdir") == {"new": ""}


def test_a_checkout_is_removed_once_no_run_needs_it(lab: Lab) -> None:
    lab.write({"a": "1"})
    lab.run("run: 'true'")
    (old,) = (lab.engine.home / "checkouts" / "lab").iterdir()
    os.utime(old, (0, 0))
    lab.write({"a": "2"})
    lab.run("run: 'true'")
    lab.until(lambda: not old.exists(), "the first checkout is removed")
    lab.until(
        lambda: len(list((lab.engine.home / "checkouts" / "lab").iterdir())) == 1,
        "only the second one is left",
    )


def test_programs_that_need_a_real_file_system(lab: Lab) -> None:
    """Databases, locks, memory maps and renamed folders work as on a disk."""
    lab.write({"folder/a": "a", "train.py": PROGRAM})
    run = lab.run(f"run: {sys.executable} train.py")
    assert run.state is State.FINISHED, lab.log(1)
    kept = tree(lab.output(1) / "workdir")
    assert "6" in kept["mapped"]
    assert "store.db" in kept


PROGRAM = """
    import fcntl, mmap, os, shutil, sqlite3
    first, second = sqlite3.connect("store.db"), sqlite3.connect("store.db", timeout=0)
    first.execute("pragma journal_mode=wal")
    first.execute("create table t (x)")
    first.commit()
    first.execute("begin immediate")
    try:
        second.execute("begin immediate")
        raise SystemExit("no lock")
    except sqlite3.OperationalError:
        pass
    first.rollback()
    open("mapped", "w").write("1234")
    with open("mapped", "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with mmap.mmap(file.fileno(), 0) as memory:
            memory[0:1] = b"6"
    shutil.move("folder", "moved")
    assert open("moved/a").read() == "a"
    first.close()
    os.rename("store.db", "other.db")
    os.rename("other.db", "store.db")
"""
