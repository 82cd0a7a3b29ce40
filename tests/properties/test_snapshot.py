"""A checkout equals the folder, and ignore files exclude the same paths as in Git."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from riseml.project import checkout, snapshot
from riseml.project.walk import walk
from tests.folders import Content, git, listing

Tree = dict[bytes, tuple[int, "bytes | Tree"]]

ODD = (
    b".git", b".GIT", b".gIt", b".git ", b"GIT~1", b".gitmodules", b".gitattributes", b".gitignore", b"riseml.yml",
    b"riseml-2.yml", b"riseml~", b"-rf", b" ", b"a b", b" a", b"a ", b"\n", b"a\nb\n", b"\t", b'"', b"'", b"\\", b"\\n",
    b"$HOME", b"`id`", b"*", b"?", b"[a]", b"~", b"\xff", b"\x01", "ä".encode(), "a\u0308".encode(), b"A", b"a", b"con",
)  # fmt: skip
plain = st.binary(min_size=1, max_size=6).filter(
    lambda name: not {0, ord("/")} & set(name) and name.strip(b".")
)
names = st.sampled_from(ODD) | plain
contents = (
    st.sampled_from(
        (
            b"",
            b"a\r\nb\r\n",
            b"$Id$\n",
            b"\0" * 9,
            b"* text eol=crlf ident\n* filter=x\n",
        )
    )
    | st.binary()
)
links = st.tuples(
    st.just(stat.S_IFLNK),
    st.sampled_from((b"a", b"../..", b"/nowhere", b"/etc", b".", b"\xff\n", b" ")),
)
files = st.tuples(
    st.sampled_from((0o644, 0o755, 0o600, 0o444, 0o664, 0o4711, 0o777, 0o500)), contents
)
leaves = files | links
modes = st.sampled_from((0o755, 0o700, 0o775, 0o555, 0o1777)).map(
    lambda mode: stat.S_IFDIR | mode
)
trees = st.recursive(
    st.dictionaries(names, leaves, max_size=5),
    lambda below: st.dictionaries(names, leaves | st.tuples(modes, below), max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder for many examples."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        _writable(Path(folder))


def _writable(folder: Path) -> None:
    for path, folders, _ in os.walk(os.fsencode(folder)):
        for name in folders:
            if not os.path.islink(os.path.join(path, name)):
                os.chmod(os.path.join(path, name), 0o700)


def _clear(folder: Path) -> Path:
    if folder.exists():
        _writable(folder)
        shutil.rmtree(folder)
    return folder


def _build(folder: bytes, tree: Tree) -> None:
    os.makedirs(folder)
    for name, (mode, content) in tree.items():
        path = os.path.join(folder, name)
        if isinstance(content, dict):
            _build(path, content)
            os.chmod(path, stat.S_IMODE(mode))
        elif stat.S_ISLNK(mode):
            os.symlink(content, path)
        else:
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, mode)


def _kept(content: Content) -> Content:
    def is_hidden(name: bytes) -> bool:
        return name == b".git" or (
            name.startswith(b"riseml") and name.endswith(b".yml")
        )

    return {
        path: entry
        for path, entry in content.items()
        if not any(map(is_hidden, path.split(b"/")))
    }


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(trees, min_size=1, max_size=3))
@example(
    [
        {b"a": (0o644, b"x")},
        {b"a": (stat.S_IFDIR | 0o755, {b"a": (0o644, b"x")})},
        {b"a": (stat.S_IFLNK, b".")},
    ]
)
@example(
    [
        {
            b".GIT": (
                stat.S_IFDIR | 0o555,
                {b".GIT": (0o644, b"x"), b" ": (stat.S_IFDIR | 0o700, {})},
            )
        }
    ]
)
@example(
    [
        {
            b".gitmodules": (stat.S_IFDIR | 0o755, {b"a": (stat.S_IFLNK, b".")}),
            b".Gitmodules": (stat.S_IFLNK, b"a"),
        }
    ]
)
def test_every_revision_is_what_the_folder_contained(
    place: Path, states: list[Tree]
) -> None:
    folder, store = place / "project", _clear(place / "store.git")
    snapshots: list[tuple[str, Content]] = []
    for state in states:
        _build(os.fsencode(_clear(folder)), state)
        snapshots.append(
            (snapshot(folder, store, gitignore=False).revision, _kept(listing(folder)))
        )
    for revision, content in snapshots:
        checkout(store, revision, _clear(place / "code"))
        assert listing(place / "code") == content
        assert {revision} == {other for other, same in snapshots if same == content}
    odd = (
        "hasDotgit",
        "gitmodulesParse",
        "gitmodulesBlob",
        "gitmodulesSymlink",
        "gitattributesBlob",
    )
    git(
        *(word for name in odd for word in ("-c", f"fsck.{name}=ignore")),
        "fsck",
        "--strict",
        at=store,
    )


@pytest.fixture(scope="module")
def clone(place: Path) -> Path:
    """A Git repository with many short paths."""
    folder = place / "clone"
    git("init", "-q", folder, at=place)
    words = ("a", "b", "ab", "a.x", "b.y.x", " a", "[", "!a", "#b", "a\\", "é")
    for path in (
        *words,
        *(f"d/{word}" for word in words),
        *(f"{one}/d/{two}" for one in ("b.x", "c") for two in words),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("")
    return folder


pieces = st.sampled_from((
    "a", "b", "d", "c", "#", "é", ".x", ".", "!", " ", "/", "\\", "*", "**", "?",
    "[ab]", "[!a]", "[^b-z]", "[]]", "[a", "[[:alpha:]]", "[:a]", "[a-]", "[\\]]", "[b-[]", "[[:x:]]",
))  # fmt: skip
lines = st.lists(st.lists(pieces, min_size=1, max_size=6).map("".join), max_size=6)


@settings(max_examples=150)
@given(top=lines, below=lines, excluded=lines)
@example(top=["**/d/**", "!**/d/a"], below=[], excluded=[])
@example(top=["/*", "!/d", "/d/*", "!/d/a.x"], below=["a.x", "!ab"], excluded=["b"])
@example(
    top=["a\\ ", " a ", "\\!a", "\\#b", "a\r", "*.x/", "!b.x/", "d/"],
    below=[],
    excluded=[],
)
def test_gitignore_excludes_what_git_excludes(
    clone: Path, top: list[str], below: list[str], excluded: list[str]
) -> None:
    (clone / ".gitignore").write_text("\n".join(top))
    (clone / "d/.gitignore").write_text("\n".join(below))
    (clone / ".git/info/exclude").write_text("\n".join(excluded))
    tree = walk(os.fsencode(clone), {}, gitignore=True)
    included = {folder.path + name for folder, name, _ in tree.pending}
    listed = git(
        "-c",
        "core.excludesFile=",
        "ls-files",
        "-z",
        "--others",
        "--exclude-standard",
        at=clone,
    ).split("\0")
    assert included == {os.fsencode(path) for path in listed if path}
