"""Files that `riseml cp` wrote into a project, in later snapshots."""

from pathlib import Path

import pytest

from riseml.project import snapshot
from riseml.project.copied import CopyRecord
from tests.folders import write


class Project:
    """A project with a train.py, and the home of its user."""

    def __init__(self, place: Path) -> None:
        self.home, self.folder = place / "home", place / "project"
        write(self.folder, {"riseml.yml": "", "train.py": "x"})

    def copy(self, files: dict[str, str]) -> None:
        """Write files as `riseml cp` does."""
        targets = [str(self.folder / name) for name in files]
        record = CopyRecord(self.home, targets)
        write(self.folder, {**files})
        record.end()

    def excluded(self, *, gitignore: bool = True) -> list[tuple[str, str]]:
        """Return the path and the source of everything that a snapshot leaves out."""
        taken = snapshot(
            self.folder, self.home / "x.git", gitignore=gitignore, home=self.home
        )
        return [(item.path, item.source) for item in taken.excluded]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_copied_file_is_left_out_until_somebody_edits_it(project: Project) -> None:
    project.copy({"model.pt": "weights", "results/log.txt": "1"})
    assert project.excluded() == [
        ("model.pt", "riseml cp"),
        ("results/log.txt", "riseml cp"),
    ]
    assert project.excluded(gitignore=False) == []
    (project.folder / "results/log.txt").write_text("edited")
    assert project.excluded() == [("model.pt", "riseml cp")]
    (project.folder / "model.pt").unlink()
    assert project.excluded() == []


def test_a_file_that_existed_before_stays_code(project: Project) -> None:
    project.copy({"train.py": "the version of run 14"})
    assert project.excluded() == []


def test_a_copied_file_may_be_copied_again(project: Project) -> None:
    project.copy({"model.pt": "first"})
    project.copy({"model.pt": "second!"})
    project.copy({"other.pt": "x"})
    assert [path for path, _ in project.excluded()] == ["model.pt", "other.pt"]
    # An edited file is the user's, also when a later copy replaces it.
    (project.folder / "model.pt").write_text("mine")
    project.copy({"model.pt": "third one"})
    assert [path for path, _ in project.excluded()] == ["other.pt"]


def test_risemlignore_keeps_a_copied_file(project: Project) -> None:
    project.copy({"model.pt": "weights", "other.pt": "x"})
    write(project.folder, {".risemlignore": "!model.pt\n"})
    assert [path for path, _ in project.excluded()] == ["other.pt"]


def test_an_interrupted_copy_records_what_exists(project: Project) -> None:
    targets = [str(project.folder / name) for name in ("a.pt", "b.pt")]
    record = CopyRecord(project.home, targets)
    write(project.folder, {"a.pt": "complete"})
    record.end()
    assert project.excluded() == [("a.pt", "riseml cp")]


def test_the_project_is_found_through_links(project: Project, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(project.folder)
    record = CopyRecord(project.home, [str(link / "model.pt")])
    (link / "model.pt").write_text("weights")
    record.end()
    assert project.excluded() == [("model.pt", "riseml cp")]
    project.folder = link
    assert project.excluded() == [("model.pt", "riseml cp")]


def test_files_outside_of_projects_are_not_recorded(
    project: Project, tmp_path: Path
) -> None:
    outside = tmp_path / "elsewhere" / "model.pt"
    record = CopyRecord(project.home, [str(outside)])
    write(tmp_path / "elsewhere", {"model.pt": "weights"})
    record.end()
    assert not (project.home / "copied.json").exists()


def test_a_damaged_record_excludes_nothing(project: Project) -> None:
    project.copy({"model.pt": "weights"})
    (project.home / "copied.json").write_text("{")
    assert project.excluded() == []
