"""Snapshots: their content, their warnings, and when their revision changes."""

import os
import resource
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from riseml.errors import HomeError, ProjectError
from riseml.project import (
    Exclusion,
    Snapshot,
    checkout,
    content,
    folders,
    snapshot,
    walk,
    warnings,
)
from riseml.project import excluded as exclusions
from tests.folders import git, listing, write


class Project:
    """A project's folder, its store, and its checkouts."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.folder, self.store = place / "project", place / "home/repos/mnist.git"
        self.folder.mkdir()

    def take(self, *, gitignore: bool = True) -> Snapshot:
        return snapshot(self.folder, self.store, gitignore=gitignore)

    def restored(self, revision: str | None = None) -> Path:
        folder = Path(tempfile.mkdtemp(dir=self.place))
        checkout(self.store, revision or self.take().revision, folder)
        return folder

    def paths(self, *, gitignore: bool = True) -> set[str]:
        """Return the files, links and empty folders of the project's snapshot."""
        found = listing(self.restored(self.take(gitignore=gitignore).revision))
        inner = {os.path.dirname(path) for path in found}
        return {os.fsdecode(path) for path in found if path not in inner}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@contextmanager
def as_nobody(*owned: Path) -> Iterator[None]:
    """Give up root's rights, which include reading everything, and give these paths away."""
    if os.geteuid():
        yield
        return
    for path in owned:
        os.chown(path, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_project() -> Iterator[Project]:
    """A project in a folder that every user of the machine can read."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o777)
        project = Project(Path(place))
        project.store.parent.mkdir(parents=True)
        write(project.folder, {"train.py": "x", "data/set.csv": "1"})
        snapshot(
            project.folder, project.place / "other.git"
        )  # Load all code first: another user may not read it.
        for path in (project.folder, project.store.parent):
            os.chmod(path, 0o777)
        yield project
        for path in (
            project.folder / "data",
            project.store.parent,
            project.folder / "data/set.csv",
        ):
            os.chmod(path, 0o777)


def test_a_revision_holds_the_content_of_its_time(project: Project) -> None:
    write(
        project.folder,
        {
            "train.py": "one",
            "old.py": "x",
            "swap": "file",
            "lib/a.py": "a",
            "Name.py": "",
        },
    )
    (project.folder / "link").symlink_to("train.py")
    first, before = project.take(), listing(project.folder)
    (project.folder / "old.py").unlink()
    (project.folder / "swap").unlink()
    (project.folder / "Name.py").rename(project.folder / "name.py")
    (project.folder / "lib/a.py").unlink()
    (project.folder / "lib").rmdir()
    (project.folder / "lib").symlink_to("swap")
    (project.folder / "link").unlink()
    write(project.folder, {"train.py": "two", "swap/inner.py": "", "link/x": ""})
    second, after = project.take(), listing(project.folder)
    assert listing(project.restored(first.revision)) == before
    assert listing(project.restored(second.revision)) == after


def test_the_same_content_has_the_same_revision(
    project: Project, tmp_path: Path
) -> None:
    write(project.folder, {"train.py": "one", "empty/": ""})
    first = project.take()
    assert project.take() == first
    write(project.folder, {"train.py": "two"})
    assert project.take().revision != first.revision
    write(project.folder, {"train.py": "one"})
    assert project.take().revision == first.revision
    copy = write(tmp_path / "elsewhere", {"train.py": "one", "empty/": ""})
    assert (
        snapshot(copy, tmp_path / "other.git", message="for another run").revision
        == first.revision
    )


@pytest.mark.parametrize(
    "change", ["chmod", "empty folder", "mode of a folder", "link"]
)
def test_changes_that_a_git_tree_cannot_hold_change_the_revision(
    project: Project, change: str
) -> None:
    write(project.folder, {"a": "x", "lib/b": "y", "lib/c": "y"})
    first = project.take().revision
    if change == "chmod":
        (project.folder / "a").chmod(0o640)
    elif change == "empty folder":
        (project.folder / "empty").mkdir()
    elif change == "link":
        (project.folder / "lib/d").symlink_to("c")
    else:
        (project.folder / "lib").chmod(0o750)
    second = project.take().revision
    assert second != first
    assert listing(project.restored(second)) == listing(project.folder)


def test_git_folders_are_excluded_but_nested_repositories_are_not(
    project: Project,
) -> None:
    git("init", "-q", "clone", at=project.folder)
    write(
        project.folder,
        {
            "clone/in.py": "x",
            "tree/.git": "gitdir: /elsewhere\n",
            "tree/b.py": "",
            "bare.git/HEAD": "",
        },
    )
    git("init", "-q", at=project.folder)
    git("add", "tree/b.py", at=project.folder)
    private = listing(project.folder / ".git")
    assert project.paths() == {"clone/in.py", "tree/b.py", "bare.git/HEAD"}
    assert listing(project.folder / ".git") == private


def test_configurations_are_excluded_at_any_depth(project: Project) -> None:
    write(
        project.folder,
        {
            "riseml.yml": "",
            "lib/riseml-2.yml": "",
            "lib/my-riseml.yml": "",
            "riseml.yaml": "",
            "a.yml": "",
        },
    )
    first = project.take()
    assert project.paths() == {"lib/my-riseml.yml", "riseml.yaml", "a.yml"}
    write(project.folder, {"riseml.yml": "project: other"})
    assert project.take().revision == first.revision


def test_a_file_that_is_ignored_later_is_gone(project: Project) -> None:
    write(project.folder, {"train.py": "", "data.bin": "x"})
    assert project.paths() == {"train.py", "data.bin"}
    write(project.folder, {".risemlignore": "data.bin\n"})
    assert project.paths() == {"train.py", ".risemlignore"}


def test_gitignore_counts_unless_it_is_turned_off(project: Project) -> None:
    write(
        project.folder,
        {
            ".gitignore": "*.ckpt\n/out/\n",
            "a.ckpt": "",
            "out/b": "",
            "out/c": "",
            "lib/out/d": "",
        },
    )
    assert project.paths() == {".gitignore", "lib/out/d"}
    assert project.take().ignored == 2
    assert project.paths(gitignore=False) == {
        ".gitignore",
        "a.ckpt",
        "out/b",
        "out/c",
        "lib/out/d",
    }


def test_git_settings_of_the_user_do_not_count(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = write(
        project.place / "user",
        {"ignore": "*\n", "attributes": "* text eol=crlf filter=shout\n"},
    )
    (hooks / ".gitconfig").write_text(
        f"[core]\n\tautocrlf = true\n\texcludesFile = {hooks}/ignore\n\tattributesFile = {hooks}/attributes\n"
        '[filter "shout"]\n\tclean = tr a-z A-Z\n\tsmudge = tr a-z A-Z\n\trequired = true\n'
    )
    for name in (
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_WORK_TREE",
        "GIT_CONFIG_PARAMETERS",
    ):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("HOME", str(hooks))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", f"{hooks}/.gitconfig")
    text: dict[str, str | bytes] = {
        "dos.txt": b"a\r\nb\r\n",
        "unix.txt": b"a\nb\n",
        "id.c": b"$Id$ $Format:%H$\n",
        "wide.txt": "\ufeffä".encode("utf-16"),
        ".gitattributes": "*.txt text eol=crlf\nunix.txt text eol=lf\n*.c ident export-subst filter=shout\n"
        "wide.txt working-tree-encoding=UTF-16\ndos.txt export-ignore\n[attr]binary -diff\n",
    }
    write(project.folder, text)
    assert listing(project.restored()) == listing(project.folder)


def test_special_files_are_excluded_with_a_warning(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project.folder, {"a": "", "lib/b": ""})
    os.mkfifo(project.folder / "lib/pipe")
    monkeypatch.chdir(project.folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("door")
        taken = project.take()
    (warning,) = taken.warnings
    assert (taken.files, warning.partition(": ")[2]) == (2, "door, lib/pipe")


@pytest.mark.parametrize("name", ["data", "data/set.csv"])
def test_an_unreadable_file_is_named_in_the_error(
    open_project: Project, name: str
) -> None:
    path = open_project.folder / name
    path.chmod(0)
    with (
        as_nobody(path),
        pytest.raises(ProjectError, match=f"{path}: Permission denied") as caught,
    ):
        open_project.take()
    assert ".risemlignore" in caught.value.advice
    (open_project.folder / ".risemlignore").write_text("data\n")
    with as_nobody(path):
        assert open_project.take().files == 2


def test_a_store_that_cannot_be_written_is_an_error_of_the_home(
    open_project: Project,
) -> None:
    open_project.store.parent.chmod(0o555)
    with (
        as_nobody(),
        pytest.raises(HomeError, match=r"mnist\.git: Permission denied") as caught,
    ):
        open_project.take()
    assert "RISEML_HOME" in caught.value.advice


def test_a_full_disk_is_an_error_and_harms_nothing(project: Project) -> None:
    write(
        project.folder,
        {"a": os.urandom(1 << 18), **{f"lib/{n}": f"{n}" for n in range(300)}},
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(HomeError, match="cannot keep the project's code") as caught:
            project.take()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "space" in caught.value.advice
    assert not list(project.store.glob("riseml/unfinished-pack"))
    assert listing(project.restored()) == listing(project.folder)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="nowhere is not a folder"):
        snapshot(tmp_path / "nowhere", tmp_path / "store.git")
    with pytest.raises(HomeError, match="cannot keep"):
        snapshot(
            write(tmp_path / "p", {"a": ""}), write(tmp_path, {"file": ""}) / "file"
        )


def test_an_empty_project_has_a_revision(project: Project) -> None:
    taken = project.take()
    assert (taken.files, taken.size, taken.warnings) == (
        0,
        0,
        ("The project has no files.",),
    )
    assert listing(project.restored(taken.revision)) == {}
    write(project.folder, {".gitignore": "*", "a": ""})
    assert project.take().warnings == (
        "The project has no files; .gitignore leaves out 2 files and folders.",
    )


def test_a_home_inside_the_project_does_not_belong_to_it(project: Project) -> None:
    write(project.folder, {"a": "", ".riseml/riseml.db": "state", ".riseml/other": "x"})
    store = project.folder / ".riseml/repos/mnist.git"
    taken = [
        snapshot(project.folder, store, without=[project.folder / ".riseml"])
        for _ in range(2)
    ]
    assert (taken[0].files, taken[0]) == (1, taken[1])
    other = write(project.place / "other", {"b": ""})
    taken = [snapshot(other, other / "store.git") for _ in range(2)]
    assert (taken[0].files, taken[0]) == (1, taken[1])


def test_the_warning_about_a_large_project_names_the_largest_folders(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        project.folder,
        {
            "train.py": "x" * 3000,
            "data/raw/a.csv": "y" * 90_000,
            "data/raw/b.csv": "y",
            "lib/c": "z" * 9,
        },
    )
    for number in range(20):
        write(project.folder, {f"cache/{number}": ""})
    monkeypatch.setattr(warnings, "_MANY_FILES", 24)
    (warning,) = project.take().warnings
    assert ".risemlignore" in warning
    assert "many files (24)" in warning
    assert warning.endswith(": cache/ (20), data/raw/ (2)")
    monkeypatch.setattr(warnings, "_LARGE_BYTES", 80_000)
    (warning,) = project.take().warnings
    assert warning.endswith(": data/raw/a.csv (0.1 MB)")
    monkeypatch.setattr(warnings, "_LARGE_BYTES", 1 << 30)
    monkeypatch.setattr(warnings, "_MANY_FILES", 25)
    assert project.take().warnings == ()


def test_an_edit_with_a_restored_time_is_noticed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_COARSE_NANOSECONDS", 0)
    path = write(project.folder, {"config": "lr: 0.1"}) / "config"
    os.utime(path, ns=(10**18, 10**18))
    first = project.take().revision
    with path.open("r+") as file:  # As `cp -p` of a file of the same size and age does.
        file.write("lr: 0.2")
    os.utime(path, ns=(10**18, 10**18))
    assert project.take().revision != first


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of names of files that snapshots read from now on."""
    found: list[str] = []
    original = content._read

    def noting(path: bytes, *others: Any) -> folders.File | None:
        found.append(os.fsdecode(os.path.basename(path)))
        return original(path, *others)

    monkeypatch.setattr(content, "_read", noting)
    return found


def test_a_file_that_changed_just_before_is_read_again(
    project: Project, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project.folder, {"config": "lr: 0.1"})
    first = project.take()
    assert project.take() == first
    assert read == ["config", "config"]
    monkeypatch.setattr(content, "_COARSE_NANOSECONDS", -(10**18))
    assert project.take() == project.take() == first
    assert read == ["config", "config", "config"]


def test_only_files_that_may_have_changed_are_read(
    project: Project, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_COARSE_NANOSECONDS", -(10**18))
    write(project.folder, {"a": "a", "lib/b": "b", "lib/c": "c"})
    first = project.take().revision
    read.clear()
    os.link(project.folder / "a", project.place / "copy")
    (project.folder / "lib/b").chmod(0o600)
    os.utime(project.folder / "lib", ns=(1, 1))
    second = project.take().revision
    assert (second != first, read) == (True, [])
    os.utime(project.folder / "lib/c", ns=(1, 1))
    assert (project.take().revision, read) == (second, ["c"])


def test_a_file_that_changes_while_it_is_read_is_read_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(project.folder, {"log": "one", "late": "x"}) / "log"
    original, texts = content._some, ["two", "three", "3"]

    def reading(name: bytes, descriptor: int, size: int) -> bytes:
        data = original(name, descriptor, size)
        if name.endswith(b"log") and texts:
            path.write_text(texts.pop(0))
        return data

    monkeypatch.setattr(content, "_some", reading)
    assert (project.restored() / "log").read_text() == "3"


def test_a_file_that_keeps_changing_is_stored_as_it_was(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(project.folder, {"log": "."}) / "log"
    original = content._some

    def growing(name: bytes, descriptor: int, size: int) -> bytes:
        with path.open("a") as file:
            file.write(".")
        return original(name, descriptor, size)

    monkeypatch.setattr(content, "_some", growing)
    text = (project.restored() / "log").read_text()
    assert set(text) == {"."}
    monkeypatch.setattr(content, "_some", lambda *_: b"")
    path.write_text("shrinking whenever one looks")
    with pytest.raises(ProjectError, match="log changes faster"):
        project.take()


def test_a_folder_in_place_of_a_very_large_file_has_no_bytes(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        assert content._read_at(b"data", descriptor, memoryview(bytearray(9)), 0) == 0
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("becomes", ["nothing", "folder", "link", "pipe"])
def test_a_file_deleted_during_the_snapshot_is_skipped(
    project: Project, monkeypatch: pytest.MonkeyPatch, becomes: str
) -> None:
    path = write(project.folder, {"a": "a", "b": "b", "lib/c": "c"}) / "b"
    original = content.take

    def late(tree: walk.Tree, *others: Any) -> None:
        path.unlink()
        if becomes == "folder":
            path.mkdir()
        elif becomes == "link":
            path.symlink_to("a")
        elif becomes == "pipe":
            os.mkfifo(path)
        original(tree, *others)

    monkeypatch.setattr(content, "take", late)
    restored = listing(project.restored())
    assert {b"a", b"lib/c"} < set(restored)
    assert restored.get(b"b") == ((stat.S_IFLNK, b"a") if becomes == "link" else None)


def test_a_folder_deleted_during_the_snapshot_is_empty(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project.folder, {"a": "", "lib/c": "c"})
    original = walk._entries

    def late(tree: walk.Tree, folder: folders.Folder) -> list[os.DirEntry[bytes]]:
        found = original(tree, folder)
        if not folder.path:
            (project.folder / "lib/c").unlink()
            (project.folder / "lib").rmdir()
            (project.folder / "a").unlink()
        return found

    monkeypatch.setattr(walk, "_entries", late)
    assert project.paths() <= {"a", "lib"}


def excluded(
    project: Project, *, gitignore: bool = True
) -> dict[str, tuple[str, int | None]]:
    """Return source and size of what a snapshot leaves out, in its order."""
    taken = project.take(gitignore=gitignore)
    assert all(exclusion.complete for exclusion in taken.excluded)
    return {
        exclusion.path: (exclusion.source, exclusion.size)
        for exclusion in taken.excluded
    }


def test_a_snapshot_names_what_each_ignore_file_leaves_out(project: Project) -> None:
    write(
        project.folder,
        {
            ".gitignore": "data/\n/out/\nlocal.txt\n",
            ".risemlignore": "notes\n!local.txt\n",
            "data/train.csv": "x" * 100,
            "data/deep/test.csv": "x" * 11,
            "out/m.pt": "x" * 2000,
            "local.txt": "kept",
            "notes": "x",
            "sub/.gitignore": "*.key\n",
            "sub/a.key": "x" * 5,
        },
    )
    found = excluded(project)
    assert found == {
        "out/": (".gitignore", 2000),
        "data/": (".gitignore", 111),
        "sub/a.key": ("sub/.gitignore", 5),
        "notes": (".risemlignore", 1),
    }
    assert list(found) == ["out/", "data/", "sub/a.key", "notes"]
    assert list(excluded(project, gitignore=False)) == ["notes"]


def test_a_gitignore_above_the_project_is_named(project: Project) -> None:
    folder = project.folder / "deep" / "project"
    write(
        project.folder,
        {".gitignore": "data/\n", "deep/project/data/x": "123", ".git/HEAD": ""},
    )
    project.folder = folder
    assert excluded(project) == {"data/": ("../../.gitignore", 3)}


def test_well_known_junk_is_left_out_without_a_word(project: Project) -> None:
    write(
        project.folder,
        {
            ".gitignore": "__pycache__/\n*.pyc\n.venv\nnode_modules\n*.egg-info\n",
            "__pycache__/a.pyc": "",
            "b.pyc": "",
            ".venv/bin/python": "",
            "web/node_modules/x/y.js": "",
            "lab.egg-info/PKG-INFO": "",
        },
    )
    taken = project.take()
    assert (taken.excluded, taken.ignored) == ((), 5)


def test_many_excluded_files_of_a_folder_have_one_name(project: Project) -> None:
    files = {f"ckpt/{number}.pt": "x" * 10 for number in range(20)}
    folders = {f"runs/{number}/log": "x" for number in range(4)}
    write(
        project.folder,
        {".gitignore": "*.pt\nruns/*\n", **files, **folders, "other/1.pt": "x"},
    )
    assert excluded(project) == {
        "ckpt/*.pt": (".gitignore", 200),
        "runs/*/": (".gitignore", 4),
        "other/1.pt": (".gitignore", 1),
    }


def test_a_huge_excluded_folder_is_measured_only_in_part(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exclusions, "_MAX_ENTRIES", 10)
    files = {f"data/{number}": "x" for number in range(30)}
    write(project.folder, {".gitignore": "data\nlater\n", **files, "later/x": "x"})
    first, second = project.take().excluded
    assert (first.path, first.complete) == ("data/", False)
    assert first.size is not None
    assert 0 < first.size < 30
    assert second == ("later/", ".gitignore", None, False)


def test_a_slow_excluded_folder_does_not_delay_a_snapshot(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exclusions, "_MAX_SECONDS", -1.0)
    files = {f"data/{number}": "x" for number in range(200)}
    write(project.folder, {".gitignore": "data\n", **files})
    (exclusion,) = project.take().excluded
    assert not exclusion.complete
    assert exclusion.size is not None
    assert exclusion.size < exclusions._ENTRIES_PER_CHECK


def test_few_excluded_paths_are_kept_with_a_run() -> None:
    items = [Exclusion(f"{number:0300}/", ".gitignore", 1) for number in range(100)]
    kept = exclusions.named([Exclusion("a/", "b/.gitignore", 2), *items])
    assert kept["b/.gitignore"] == ("a/",)
    assert kept[".gitignore"] == tuple(item.path[:200] for item in items[:49])
