"""Where the riseml.yml of a project is looked for."""

from pathlib import Path

import pytest

from riseml.client import project_folder


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder below a home, which is where the command runs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "project/src/deep"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_the_nearest_folder_counts(deep: Path) -> None:
    (deep.parent.parent / "riseml.yml").touch()
    assert project_folder.config_file() == "../../riseml.yml"
    (deep.parent / "riseml.yml").touch()
    assert project_folder.config_file() == "../riseml.yml"
    (deep / "riseml.yml").touch()
    assert project_folder.config_file() == "riseml.yml"


def test_without_any_it_is_in_the_current_folder(deep: Path) -> None:
    assert project_folder.config_file() == "riseml.yml"
    assert project_folder.find(deep) is None


def test_a_file_in_the_home_is_not_for_folders_below_it(
    deep: Path, tmp_path: Path
) -> None:
    (tmp_path / "riseml.yml").touch()
    assert project_folder.find(deep) is None
    assert project_folder.find(tmp_path) == tmp_path


def test_a_folder_of_another_user_is_not_searched(
    deep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (deep.parent / "riseml.yml").touch()
    monkeypatch.setattr(project_folder, "_is_own", lambda folder: False)
    assert project_folder.find(deep) is None
