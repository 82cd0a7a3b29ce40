"""Repository of snapshots: how Git reads it, and how it survives crashes, parallel use and time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

from riseml.errors import HomeError
from riseml.project import (
    checkout,
    objects,
    pack,
    pack_index,
    prune,
    snapshot,
    stat_cache,
)
from riseml.project.store import Store
from tests.folders import git, listing, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(
        tmp_path / "project",
        {"train.py": "one", "lib/a": "a", "lib/b": "a", "empty/": ""},
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store.git"


def same(store: Path, revision: str, folder: Path) -> bool:
    """Return whether a revision equals the current content of a folder."""
    code = store.parent / f"code-{revision}-{len(os.listdir(store.parent))}"
    checkout(store, revision, code)
    return listing(code) == listing(folder)


def program(text: str, *arguments: str | Path) -> str:
    """Run a Python program in its own process, which may fork and be killed."""
    command = [sys.executable, "-c", dedent(text), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("few", [-1, 1000], ids=["pack", "loose"])
def test_git_fsck_finds_no_error(
    folder: Path, store: Path, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "_FEW_FILES", few)
    monkeypatch.setattr(objects, "IN_MEMORY", 1000 if few < 0 else 1 << 20)
    monkeypatch.setattr(pack, "_STEP_BYTES", 300)
    text = os.urandom(5000)
    write(
        folder,
        {
            "data/big": text,
            "data/copy": text,
            "data/none": "",
            **{f"data/{n}": "x" * n for n in range(300)},
        },
    )
    first = snapshot(folder, store).revision
    assert same(store, first, folder)
    write(folder, {"data/big": text[:-1] + b"!", "data/300": text})
    assert same(store, snapshot(folder, store).revision, folder)
    assert git("fsck", "--strict", at=store) == ""
    assert git("cat-file", "-t", f"{first}", at=store) == "commit\n"
    counts = git("count-objects", "-v", at=store)
    assert ("\ncount: 0" if few < 0 else "\npacks: 0") in f"\n{counts}"


def test_a_second_pack_holds_only_new_objects(
    folder: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "_FEW_FILES", -1)
    monkeypatch.setattr(objects, "IN_MEMORY", 1000)
    write(folder, {"big": os.urandom(100_000)})
    first = snapshot(folder, store).revision
    copy = write(folder.parent / "copy", {"new": "x"})
    subprocess.run(["cp", "-a", f"{folder}/.", copy], check=True)
    second = snapshot(copy, store).revision
    assert sorted(
        path.stat().st_size > 50_000 for path in store.glob("objects/pack/*.pack")
    ) == [False, True]
    assert (same(store, first, folder), same(store, second, copy)) == (True, True)


def test_git_reads_large_offsets_of_a_pack(tmp_path: Path) -> None:
    names = [bytes([number]) * 20 for number in (7, 0, 255)]
    places = dict(zip(names, (12, 1 << 33, (1 << 31) + 5), strict=True))
    index = pack_index.content_of(
        {name: (3, place) for name, place in places.items()}, b"p" * 20
    )
    command = ["git", "show-index"]
    shown = subprocess.run(
        command, input=index, capture_output=True, check=True, cwd=tmp_path
    ).stdout.decode()
    assert {
        bytes.fromhex(line.split()[1]): int(line.split()[0])
        for line in shown.splitlines()
    } == places


def test_the_branch_keeps_every_revision_with_its_message(
    folder: Path, store: Path
) -> None:
    taken = []
    for number in range(3):
        write(folder, {"train.py": f"{number}"})
        taken.append(
            snapshot(folder, store, message=f"mnist.{number}\n\n\0ä\udc80").revision
        )
    snapshot(folder, store, message="nothing new")
    said = git("log", "--first-parent", "--format=%s", "riseml", at=store).splitlines()
    assert said == ["mnist.2", "mnist.1", "mnist.0", "RiseML snapshot"]
    git("gc", "-q", "--prune=now", at=store)
    write(folder, {"train.py": "0"})
    assert snapshot(folder, store).revision == taken[0]
    assert same(store, taken[0], folder)
    assert len(git("rev-list", "--first-parent", "riseml", at=store).split()) == 5
    assert git("fsck", "--strict", at=store) == ""


def test_prune_keeps_the_given_revisions(folder: Path, store: Path) -> None:
    taken = []
    for number in range(4):
        write(folder, {"train.py": f"{number}"})
        taken.append(snapshot(folder, store).revision)
    prune(store, [taken[1], taken[3], "0" * 40])
    assert same(store, taken[3], folder)
    with pytest.raises(HomeError, match="does not contain"):
        same(store, taken[0], folder)
    write(folder, {"train.py": "1"})
    assert (snapshot(folder, store).revision, same(store, taken[1], folder)) == (
        taken[1],
        True,
    )
    prune(store, [])
    assert same(store, snapshot(folder, store).revision, folder)
    assert git("fsck", "--strict", at=store) == ""


def test_the_stat_cache_may_be_lost_or_broken(folder: Path, store: Path) -> None:
    first = snapshot(folder, store)
    (place,) = store.glob("riseml/seen-*")
    for text in (
        b"",
        b"\0" * 99,
        b"i\x01\0\0\0",
        b"(\1\0\0\0N",
        place.read_bytes()[:-9],
    ):
        place.write_bytes(text)
        assert snapshot(folder, store) == first


def test_each_folder_of_a_project_has_its_own_stat_cache(
    folder: Path, store: Path
) -> None:
    others = [
        write(folder.parent / f"copy {number}", {"a": f"{number}"})
        for number in range(10)
    ]
    first = snapshot(folder, store).revision
    taken = {snapshot(other, store).revision for other in others}
    assert (len(taken), snapshot(folder, store).revision) == (10, first)
    assert len(list(store.glob("riseml/seen-*"))) == stat_cache._MAX_FOLDERS


@pytest.mark.parametrize("seconds", [0, 1], ids=["in a second", "later"])
def test_objects_emptied_by_a_power_cut_are_written_again(
    folder: Path, store: Path, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The branch's commit contains the time, so a later one replaces the emptied one."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    first = snapshot(folder, store).revision
    for path in store.glob("objects/??/*"):
        path.chmod(0o600)
        path.write_bytes(b"")
    monkeypatch.setattr(stat_cache, "_boot", lambda: b"another")
    monkeypatch.setattr(time, "time", lambda: now + seconds)
    assert snapshot(folder, store).revision == first
    assert same(store, first, folder)
    assert git("fsck", "--strict", at=store) == ""
    (store / "refs/heads/riseml").write_text("")
    write(folder, {"train.py": "two"})
    assert same(store, snapshot(folder, store).revision, folder)


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from riseml.project import compose, content, objects, record, snapshot

    folder, store = Path(sys.argv[1]), Path(sys.argv[2])
    objects._FEW_FILES = int(sys.argv[3])

    def dying(at):
        left = [at]
        def wrapped(call):
            def counted(*arguments, **options):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments, **options)
            return counted
        for name in ("open", "write", "fsync", "rename", "unlink", "close", "makedirs"):
            setattr(os, name, wrapped(getattr(os, name)))

    at = 0
    while True:
        (folder / "train.py").write_text(f"version {at}")
        child = os.fork()
        if not child:
            dying(at)
            snapshot(folder, store)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        taken = snapshot(folder, store)
        print(at, taken.revision)
        if status == 0:
            break
        at += 1
"""


@pytest.mark.parametrize("few", [-1, 1000], ids=["pack", "loose"])
def test_a_kill_at_any_time_loses_nothing(folder: Path, store: Path, few: int) -> None:
    taken = dict(
        line.split() for line in program(KILLED, folder, store, str(few)).splitlines()
    )
    assert len(taken) > 20
    for number, revision in taken.items():
        assert (
            git("cat-file", "blob", f"{revision}:train.py", at=store)
            == f"version {number}"
        )
    assert (
        git("fsck", "--strict", "--no-dangling", at=store) == ""
    )  # A commit that no branch names does no harm.
    assert len(git("rev-list", "--first-parent", "riseml", at=store).split()) >= len(
        taken
    )
    assert same(store, revision, folder)


CROWD = """
    import os, sys
    from pathlib import Path
    from riseml.project import snapshot

    folders, store = [Path(folder) for folder in sys.argv[2:]], Path(sys.argv[1])
    children = []
    for number in range(20):
        end, start = os.pipe()
        child = os.fork()
        if not child:
            taken = snapshot(folders[number % len(folders)], store)
            os.write(start, taken.revision.encode())
            os._exit(0)
        os.close(start)
        children.append((child, end, number))
    for child, end, number in children:
        os.waitpid(child, 0)
        print(folders[number % len(folders)], os.read(end, 99).decode())
"""


def test_twenty_snapshots_at_once_succeed(folder: Path, store: Path) -> None:
    others = [
        write(folder.parent / f"copy{number}", {"a": f"{number}", "b": "b"})
        for number in range(4)
    ]
    printed = [
        line.split() for line in program(CROWD, store, folder, *others).splitlines()
    ]
    assert len(printed) == 20
    assert len(set(map(tuple, printed))) == 5
    for place, revision in {tuple(line) for line in printed}:
        assert same(store, revision, Path(place))
    assert git("fsck", "--strict", at=store) == ""


def test_the_lock_ends_with_its_holder(folder: Path, store: Path) -> None:
    holder = """
        import sys, time
        from riseml.project.store import Store
        with Store(sys.argv[1]).locked():
            print("held", flush=True)
            time.sleep(600)
    """
    command = [sys.executable, "-c", dedent(holder), str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGKILL)
    (store / "index.lock").write_text("")  # RiseML ignores Git's own locks.
    assert same(store, snapshot(folder, store).revision, folder)


def test_a_snapshot_starts_no_process(
    folder: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    first = snapshot(folder, store).revision
    write(folder, {"train.py": "two"})
    assert snapshot(folder, store).revision != first
    with Store(store).locked():
        assert len(Store(store).tip()) == 40
