"""Progress of a snapshot and of a checkout."""

from pathlib import Path

from riseml.project import checkout, progress, snapshot


class Recorder:
    """A listener that records each step with its total and what was done."""

    def __init__(self) -> None:
        self.steps: list[list[object]] = []

    def begin(self, step: progress.Step, total: int) -> None:
        self.steps.append([step, total, 0])

    def advance(self, amount: int) -> None:
        done = self.steps[-1][2]
        assert isinstance(done, int)
        self.steps[-1][2] = done + amount


def _project(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    for number in range(300):
        (folder / "data" / f"{number}").write_text(f"{number}\n" * 10)
    # It is read in steps.
    (folder / "large").write_bytes(b"x" * 20_000_000)
    return folder


def test_all_bytes_and_files_are_reported(tmp_path: Path) -> None:
    folder = _project(tmp_path / "project")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    recorder = Recorder()
    with progress.listening(recorder):
        taken = snapshot(folder, tmp_path / "store.git")
        checkout(tmp_path / "store.git", taken.revision, tmp_path / "code")
    scan, store, write, check_out = recorder.steps
    assert scan == ["scan", 0, 302]
    assert store == ["store", size, size]
    assert write == ["write", 0, 0]
    assert check_out == ["check out", 301, 301]
    assert (tmp_path / "code/large").stat().st_size == 20_000_000


def test_a_snapshot_without_changes_reads_nothing(tmp_path: Path) -> None:
    folder = _project(tmp_path / "project")
    snapshot(folder, tmp_path / "store.git")
    recorder = Recorder()
    with progress.listening(recorder):
        snapshot(folder, tmp_path / "store.git")
    assert recorder.steps[0][0] == "scan"
    # Files of the last two seconds may be compared once more, but nobody has to wait.
    assert len(recorder.steps) <= 3


def test_nobody_has_to_listen(tmp_path: Path) -> None:
    assert not progress.is_heard()
    with progress.listening(Recorder()):
        assert progress.is_heard()
    assert not progress.is_heard()
    (tmp_path / "project").mkdir()
    assert snapshot(tmp_path / "project", tmp_path / "store.git").files == 0
