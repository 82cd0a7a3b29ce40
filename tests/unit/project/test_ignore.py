"""Paths that ignore files exclude; `tests/properties/test_snapshot.py` compares with Git."""

import os
from pathlib import Path

import pytest

from riseml.errors import ProjectError
from riseml.project.walk import walk
from tests.folders import git, write


def left(folder: Path, *, gitignore: bool = True) -> str:
    """Return the files and empty folders of a project, without its ignore files."""
    tree = walk(os.fsencode(folder), {}, gitignore=gitignore)
    files = [
        os.fsdecode(at.path + name)
        for at, name, _ in tree.pending
        if b"ignore" not in name
    ]
    inner = {at.path for at, _, _ in tree.pending} | {
        os.path.join(os.path.dirname(at.path[:-1]), b"") for at in tree.folders
    }
    return " ".join(
        sorted(
            files
            + [
                os.fsdecode(at.path)
                for at in tree.folders
                if at.path not in inner and at.path
            ]
        )
    )


CASES = {
    "nothing": ("", "a.py b.pyc data/raw/x data/y lib/data/z"),
    "a name": ("data\n", "a.py b.pyc lib/"),
    "a folder": ("data/\n", "a.py b.pyc lib/"),
    "an ending": ("*.pyc\n", "a.py data/raw/x data/y lib/data/z"),
    "anchored": ("/data\n", "a.py b.pyc lib/data/z"),
    "anchored by a slash inside": ("data/raw\n", "a.py b.pyc data/y lib/data/z"),
    "what a folder holds": ("data/*\n", "a.py b.pyc data/ lib/data/z"),
    "an exception": ("/data/*\n!/data/raw\n", "a.py b.pyc data/raw/x lib/data/z"),
    "an exception in a folder that is out": (
        "/data/\n!/data/raw\n",
        "a.py b.pyc lib/data/z",
    ),
    "later lines first": ("!a.py\n*.py\n", "b.pyc data/raw/x data/y lib/data/z"),
    "any depth": ("**/data/z\n", "a.py b.pyc data/raw/x data/y lib/data/"),
    "comments, blanks and line ends": (
        "#a.py\n\n  \n*.pyc   \r\n\\#x\n",
        "a.py data/raw/x data/y lib/data/z",
    ),
    "a byte order mark": ("\ufeffdata\n", "a.py b.pyc lib/"),
    "broken ones match nothing": (
        "[a\na.py\\\n[[:no:]]\n",
        "a.py b.pyc data/raw/x data/y lib/data/z",
    ),
    "everything": ("*\n", ""),
    "rsync: excluded": ("- data/raw\n- *.pyc\n", "a.py data/y lib/data/z"),
    "rsync: the first one decides": (
        "+ b.pyc\n- *.pyc\n- a.py\n+ a.py\n",
        "b.pyc data/raw/x data/y lib/data/z",
    ),
    "rsync: paths at any depth": (
        "- data/z\n",
        "a.py b.pyc data/raw/x data/y lib/data/",
    ),
    "rsync: anchored, comments, plain lines": (
        "; x\n# y\n\n- /data\n*.pyc\n",
        "a.py lib/data/z",
    ),
    "rsync: forgotten": ("- a.py\n!\n- /data/***\n", "a.py b.pyc data/ lib/data/z"),
}


@pytest.mark.parametrize(("text", "kept"), CASES.values(), ids=CASES)
def test_risemlignore(tmp_path: Path, text: str, kept: str) -> None:
    write(
        tmp_path,
        dict.fromkeys(("a.py", "b.pyc", "data/raw/x", "data/y", "lib/data/z"), ""),
    )
    write(tmp_path, {".risemlignore": text})
    assert left(tmp_path) == kept


@pytest.mark.parametrize(
    "text", [text for name, (text, _) in CASES.items() if not name.startswith("rsync")]
)
def test_both_kinds_of_ignore_file_read_lines_alike(tmp_path: Path, text: str) -> None:
    for folder, name in (("own", ".risemlignore"), ("git", ".gitignore")):
        write(
            tmp_path / folder,
            dict.fromkeys(("a.py", "b.pyc", "data/raw/x", "data/y", "lib/data/z"), ""),
        )
        write(tmp_path / folder, {name: text})
    assert left(tmp_path / "own", gitignore=False) == left(tmp_path / "git")


def test_risemlignore_decides_before_gitignore(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "lib/.gitignore": "*.bin\n!keep.bin\n",
            ".risemlignore": "!small.bin\nkeep.bin\n",
        },
    )
    write(
        tmp_path,
        dict.fromkeys(("lib/small.bin", "lib/large.bin", "lib/keep.bin", "lib/a"), ""),
    )
    assert left(tmp_path) == "lib/a lib/small.bin"
    write(tmp_path, {"lib/.risemlignore": "*\n"})
    assert left(tmp_path) == "lib/a lib/small.bin"


def test_a_nested_gitignore_decides_for_its_folder(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.x\n", "lib/.gitignore": "!b.x\n/a\nin/c\n"})
    write(
        tmp_path,
        dict.fromkeys(
            ("a", "b.x", "lib/a", "lib/b.x", "lib/c.x", "lib/in/a", "lib/in/c", "in/c"),
            "",
        ),
    )
    assert left(tmp_path) == "a in/c lib/b.x lib/in/a"


def test_a_working_tree_around_the_project_counts(tmp_path: Path) -> None:
    git("init", "-q", at=tmp_path)
    write(
        tmp_path,
        {
            ".git/info/exclude": "*.tmp\n/sheds/mnist/out\n",
            ".gitignore": "*.bin\nmnist/x\n/sheds/*/y\n",
        },
    )
    write(tmp_path, {"sheds/.gitignore": "!b.bin\n/mnist/z\n"})
    mnist = write(
        tmp_path / "sheds/mnist",
        dict.fromkeys(("a.bin", "b.bin", "c.tmp", "out/a", "x", "y", "z", "in/x"), ""),
    )
    assert left(mnist) == "b.bin in/x x"
    assert left(mnist, gitignore=False) == "a.bin b.bin c.tmp in/x out/a x y z"


def test_a_working_tree_that_ignores_the_project_does_not_count(tmp_path: Path) -> None:
    git("init", "-q", at=tmp_path)
    write(
        tmp_path, {".gitignore": "*\n!.gitignore\n"}
    )  # As for settings in a home folder.
    assert left(write(tmp_path / "sheds/mnist", {"a": "", "b/c": ""})) == "a b/c"


def test_working_trees_beside_a_repository_share_its_excludes(tmp_path: Path) -> None:
    first = write(tmp_path / "first", {"a": ""})
    git("init", "-q", at=first)
    git("add", "a", at=first)
    git("commit", "-q", "-m", "x", at=first)
    git("worktree", "add", "-q", tmp_path / "second", at=first)
    write(first, {".git/info/exclude": "b\n"})
    assert left(write(tmp_path / "second", {"b": "", "c": ""})) == "a c"


def test_only_regular_ignore_files_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"rules": "*\n", "lib/.gitignore/x": "", ".risemlignore/y": "", "a": ""},
    )
    (tmp_path / ".gitignore").symlink_to("rules")  # Git does not follow it either.
    os.mkfifo(tmp_path / "lib/pipe")
    assert left(tmp_path) == ".risemlignore/y a lib/.gitignore/x rules"


def test_an_ignore_file_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {".risemlignore": "a\n"})
    original = os.open

    def refusing(path: bytes, flags: int) -> int:
        if path.endswith(b"ignore"):
            raise PermissionError(13, "Permission denied")
        return original(path, flags)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(ProjectError, match=r"\.risemlignore: Permission denied"):
        left(tmp_path)
