"""Code of a run as a volume: the same files as in the project's folder, also those beside Git."""

import hashlib
import os
from pathlib import Path

import pytest

from riseml.errors import NotFoundError, ProjectError
from riseml.project import prune, repository_of, revision_tree, snapshot
from riseml.project.folders import LARGE_BYTES
from riseml.storage.code import CodeVolume, RunCode
from riseml.storage.volume import WHOLE_FILE, Piece
from tests.folders import write

_LARGE = os.urandom(LARGE_BYTES)
_ODD = os.fsdecode(b"o\xff d\nd.bin")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project with files of all kinds."""
    folder = write(
        tmp_path / "project",
        {
            "train.py": "print(1)\n",
            "src/tool": "#!/bin/sh\n",
            "src/.GIT/config": "a name that Git refuses\n",
            "only/large/weights.bin": _LARGE,
            "empty/deep/": "",
            _ODD: b"\0\xff",
            "nothing": "",
        },
    )
    (folder / "src/tool").chmod(0o755)
    (folder / "train.py").chmod(0o600)
    (folder / "latest").symlink_to("src/tool")
    (folder / "sources").symlink_to("src")
    (folder / "outside").symlink_to("/etc/passwd")
    (folder / "round").symlink_to("round")
    return folder


def _code(folder: Path, home: Path, *, split: bool = True) -> CodeVolume:
    repository = repository_of("p", home)
    revision = snapshot(folder, repository, split=split).revision
    tree = revision_tree.read(repository, revision)
    return CodeVolume({"14": RunCode(tree, 1_500_000_000.0)}.__getitem__)


@pytest.fixture
def volume(folder: Path, tmp_path: Path) -> CodeVolume:
    return _code(folder, tmp_path / "home")


def test_all_files_have_their_content_size_and_mode(
    volume: CodeVolume, folder: Path
) -> None:
    files = {entry.path: entry for entry in volume.walk("14")}
    expected = {}
    for directory, _, names in os.walk(folder):
        for name in names:
            file = Path(directory, name)
            if not file.is_symlink():
                expected[f"14/{file.relative_to(folder)}"] = file
    assert files.keys() == expected.keys()
    for path, file in expected.items():
        status = file.stat()
        assert files[path].size == status.st_size
        assert files[path].mode == status.st_mode
        assert files[path].modified == 1_500_000_000
        pieces = [Piece(path, 0, status.st_size)]
        assert b"".join(volume.read(pieces)) == file.read_bytes()


def test_a_snapshot_without_large_files_beside_git_is_the_same(
    volume: CodeVolume, folder: Path, tmp_path: Path
) -> None:
    other = _code(folder, tmp_path / "other", split=False)
    assert other.walk("14") == volume.walk("14")


def test_folders_are_listed_with_their_links(volume: CodeVolume) -> None:
    names = sorted(entry.name for entry in volume.inside("14"))
    folders = ["empty", "only", "src"]
    links = ["latest", "outside", "round", "sources"]
    assert names == sorted([*folders, *links, "nothing", _ODD, "train.py"])
    assert [entry.name for entry in volume.inside("14/src/.GIT")] == ["config"]
    assert [entry.name for entry in volume.inside("14/only/large")] == ["weights.bin"]
    with pytest.raises(NotFoundError):
        volume.inside("14/none")


def test_links_are_followed_inside_of_the_project(volume: CodeVolume) -> None:
    tool = volume.resolve("14/latest")
    assert tool is not None
    assert (tool.path, tool.size) == ("14/latest", len("#!/bin/sh\n"))
    assert b"".join(volume.read([Piece("14/sources/tool", 2, 4)])) == b"/bin"
    assert [entry.path for entry in volume.walk("14/sources")] == [
        "14/sources/.GIT/config",
        "14/sources/tool",
    ]
    assert volume.stat(["14/outside", "14/round", "14/none"]) == [None, None, None]
    top = volume.resolve("14")
    assert top is not None
    assert top.is_folder


def test_links_and_empty_folders_are_known(volume: CodeVolume) -> None:
    assert dict(volume.links("14")) == {
        "latest": "src/tool",
        "outside": "/etc/passwd",
        "round": "round",
        "sources": "src",
    }
    assert list(volume.empty_folders("14")) == ["empty/deep"]
    assert list(volume.empty_folders("14/empty")) == ["deep"]


def test_ranges_and_digests(volume: CodeVolume) -> None:
    large = "14/only/large/weights.bin"
    pieces = [Piece(large, 5, 7), Piece("14/train.py", 0, 5), Piece(large, 0, 3)]
    assert b"".join(volume.read(pieces)) == _LARGE[5:12] + b"print" + _LARGE[:3]
    whole, beginning, missing = volume.digests(
        [("14/train.py", WHOLE_FILE), ("14/src/tool", 2), ("14/none", 3)]
    )
    assert whole == hashlib.sha256(b"print(1)\n").hexdigest()
    assert beginning == hashlib.sha256(b"#!").hexdigest()
    assert missing == ""


def test_a_revision_that_was_removed_is_an_error(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    repository = repository_of("p", home)
    revision = snapshot(folder, repository, split=True).revision
    prune(repository, [])
    with pytest.raises(ProjectError, match=f"revision {revision[:12]} cannot be read"):
        revision_tree.read(repository, revision)


def test_a_removed_large_file_is_named(folder: Path, tmp_path: Path) -> None:
    repository = repository_of("p", tmp_path / "home")
    revision = snapshot(folder, repository, split=True).revision
    for file in (repository / "riseml/files").iterdir():
        file.unlink()
    with pytest.raises(ProjectError, match=r"content of only/large/weights\.bin"):
        revision_tree.read(repository, revision)
