"""Selection of the files that a job leaves in its working copy."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from riseml.engines.local.jobs import workdir
from riseml.engines.local.jobs.workdir import Workdir
from tests.privileges import nobody


class Copy:
    """The layers of a working copy."""

    def __init__(self, folder: Path) -> None:
        self.kept, self.lower, self.own = (
            folder / name for name in ("workdir", "lower", "own")
        )
        self.note = folder / "note"
        self.stamp = folder / "stamp"
        for path in (self.lower, self.own):
            path.mkdir()

    def overlay(self, limit: int = 10**10) -> str:
        """Keep the files that an overlay has collected; return the note."""
        lower = (str(self.lower),)
        kept = str(self.kept)
        workdir.keep(Workdir(kept, kept, "workdir/", str(self.note), limit, lower))
        return self.text()

    def checkout(self, limit: int = 10**10) -> str:
        """Keep the changed files of a checkout; return the note."""
        fields = (str(self.own), str(self.kept), "workdir/", str(self.note), limit)
        workdir.keep(Workdir(*fields, stamp=str(self.stamp)))
        return self.text()

    def text(self) -> str:
        return self.note.read_text() if self.note.exists() else ""


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def names(folder: Path) -> list[str]:
    paths = [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()]
    return sorted(str(path.relative_to(folder)) for path in paths)


def test_hard_links_count_once_and_holes_not_at_all(copy: Copy) -> None:
    copy.kept.mkdir()
    (copy.kept / "a").write_bytes(b"x" * 8192)
    os.link(copy.kept / "a", copy.kept / "b")
    with (copy.kept / "sparse").open("wb") as file:
        file.truncate(10**12)
    assert copy.overlay(limit=10_000) == "3 files, 8.19 kB, in workdir/"
    assert (copy.kept / "a").stat().st_nlink == 2


def test_a_file_that_was_only_opened_is_not_kept(copy: Copy) -> None:
    copy.kept.mkdir()
    for folder in (copy.lower, copy.kept):
        for name in ("same", "content", "mode"):
            (folder / name).write_text("text")
            os.utime(folder / name, (1, 1))
        (folder / "link").symlink_to("same")
    (copy.kept / "content").write_text("next")
    os.utime(copy.kept / "content", (1, 1))
    (copy.kept / "mode").chmod(0o600)
    assert copy.overlay() == "2 files, 8 bytes, in workdir/"
    assert names(copy.kept) == ["content", "mode"]


def test_marks_of_the_overlay_are_removed(copy: Copy) -> None:
    folder = copy.kept / "folder"
    folder.mkdir(parents=True)
    (folder / "file").write_text("x")
    for path in (copy.kept, folder, folder / "file"):
        try:
            os.setxattr(path, "user.overlay.origin", b"")
        except OSError:
            pytest.skip("this file system has no attributes")
        os.setxattr(path, "user.mine", b"")
    (folder / "file").chmod(0o444)
    assert copy.overlay() == "1 file, 1 byte, in workdir/"
    for path in (copy.kept, folder, folder / "file"):
        assert os.listxattr(path) == ["user.mine"]
    assert (folder / "file").stat().st_mode & 0o777 == 0o444


def test_closed_folders_are_searched_and_closed_again() -> None:
    # Folders of pytest are closed to other users.
    with nobody(), tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        copy.kept.mkdir()
        for name, mode in ("closed", 0), ("locked", 0o555):
            (copy.kept / name / "__pycache__").mkdir(parents=True)
            (copy.kept / name / "file").write_text("text")
            (copy.kept / name).chmod(mode)
        assert copy.overlay() == "2 files, 8 bytes, in workdir/"
        modes = {path.name: path.stat().st_mode & 0o777 for path in copy.kept.iterdir()}
        assert modes == {"closed": 0, "locked": 0o555}
        (copy.kept / "closed").chmod(0o755)
        assert names(copy.kept) == ["closed/file", "locked/file"]


def test_files_that_cannot_be_moved_are_named(copy: Copy) -> None:
    copy.stamp.touch()
    time.sleep(0.05)
    (copy.own / "model.pt").write_text("text")
    copy.kept.write_text("not a folder")
    assert copy.checkout() == "could not be kept: model.pt (File exists)"


def test_changes_of_a_checkout_are_moved(copy: Copy) -> None:
    (copy.own / "old").write_text("old")
    (copy.own / "changed").write_text("old")
    time.sleep(0.05)
    copy.stamp.touch()
    time.sleep(0.05)
    (copy.own / "changed").write_text("new")
    (copy.own / "runs").mkdir()
    (copy.own / "runs" / "dated").write_text("x")
    # The time of its content is of no importance.
    os.utime(copy.own / "runs" / "dated", (1, 1))
    assert copy.checkout() == "2 files, 4 bytes, in workdir/"
    assert names(copy.kept) == ["changed", "runs/dated"]
    # A second controller finds the work done.
    copy.checkout()
    assert names(copy.kept) == ["changed", "runs/dated"]


def test_a_checkout_without_a_start_keeps_nothing(copy: Copy) -> None:
    (copy.own / "old").write_text("old")
    assert copy.checkout() == ""
    assert not copy.kept.exists()


def test_names_in_notes_are_printable(copy: Copy) -> None:
    copy.kept.mkdir()
    (copy.kept / "line\nbreak").write_text("x" * 20)
    (copy.kept / os.fsdecode(b"\xff")).write_text("x" * 30)
    assert copy.overlay(limit=10) == (
        "not kept, over the workdir_limit of 10 bytes: "
        "\\xff (30 bytes), line\\nbreak (20 bytes)"
    )
    assert not copy.kept.exists()


def test_little_work_is_small(copy: Copy) -> None:
    copy.kept.mkdir()
    task = Workdir(str(copy.kept), str(copy.kept), "workdir/", "", 100, ("/",))
    assert workdir.is_small(task)
    (copy.kept / "large").write_text("x" * 101)
    assert not workdir.is_small(task)
    (copy.kept / "large").unlink()
    for number in range(300):
        (copy.kept / str(number)).touch()
    assert not workdir.is_small(task)


@pytest.mark.parametrize("mode", [0o700, 0o500])
def test_an_empty_upper_layer_is_gone_at_once(mode: int) -> None:
    with nobody(), tempfile.TemporaryDirectory(dir="/tmp") as parent:
        job, kept = Path(parent) / "job", Path(parent) / "1/workdir"
        for folder in (job / "overlay", job / "lower", kept):
            folder.mkdir(parents=True)
        kept.chmod(mode)
        files = Workdir(
            changes=str(kept),
            kept=str(kept),
            title="workdir/",
            note=str(job / "note"),
            limit=1000,
            lower=(str(job / "lower"),),
            work=str(job / "overlay"),
        )
        workdir.keep(files)
        assert not kept.exists()
        # The folder is removed with that of the job.
        assert (job / "empty").exists() == (mode == 0o700)
        assert not (job / "note").exists()
