"""Files of volumes: locations, plans of copies, and copies that are interrupted anywhere."""

import os
from collections.abc import Iterator, Sequence
from itertools import count, product
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riseml.cluster.store import StorePod
from riseml.engines.argo.volume import StoreVolume
from riseml.errors import InvalidInputError, NotFoundError, RiseMLError
from riseml.storage import copy_plan, transfer
from riseml.storage.folder import Folder
from riseml.storage.transfer import CopyReport
from riseml.storage.uris import Location, parse
from riseml.storage.volume import Entry, Piece, Volume, partial_path
from tests.unit.shell_store import Shell

NAMES = [
    "plain",
    " blanks ",
    "-dash",
    "new\nline",
    "tab\t",
    "quote'\"$`;",
    "ünï",
    "\udcff\udcfe",
    "b\\134",
    "*",
    "%s",
]


def open_volume(kind: str, root: Path) -> Volume:
    root.mkdir(exist_ok=True)
    if kind == "folder":
        return Folder(root)
    return StoreVolume(cast(StorePod, Shell(root)), str(root))


@pytest.fixture(params=["folder", "store"])
def volume(request: pytest.FixtureRequest, tmp_path: Path) -> Volume:
    return open_volume(request.param, tmp_path / "volume")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "volume"


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def write(root: Path, named: dict[str, bytes]) -> None:
    for name, data in named.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def copy(source: Volume, target: Volume, *sources: str, to: str) -> CopyReport:
    """Copy between two volumes, `data` and `output`."""
    report = CopyReport()
    volumes = {"data": source, "output": target}
    places = [Location("data", path) for path in sources]
    for batch in copy_plan.plan(
        volumes.__getitem__,
        places,
        Location("output", to.rstrip("/"), to.endswith("/")),
    ):
        transfer.copy(volumes[batch.volume], target, batch.items, report)
    return report


# Locations


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("data://", Location("data", "")),
        ("data://a//b/./c", Location("data", "a/b/c")),
        ("output://~", Location("output", "paul/mnist")),
        ("output://~/14/3/", Location("output", "paul/mnist/14/3", is_folder=True)),
        ("output://a/~", Location("output", "a/~")),
        ("data://~", Location("data", "~")),
        ("~/here", Location("", "~/here")),
        ("../up/", Location("", "../up/", is_folder=True)),
        ("C:/x", Location("", "C:/x")),
    ],
)
def test_a_uri_is_a_location(text: str, folder: Location) -> None:
    assert parse(text, lambda: "paul/mnist") == folder


@pytest.mark.parametrize(
    "text", ["s3://bucket", "output://../x", "data://a/../../b", "output://~/.."]
)
def test_a_uri_outside_of_a_volume_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse(text, lambda: "paul/mnist")


# Both kinds of volume behave alike


def test_unusual_names_survive_a_copy_and_back(
    volume: Volume, root: Path, tmp_path: Path
) -> None:
    content = {
        "/".join(both): os.urandom(size)
        for size, both in enumerate(product(NAMES, NAMES))
    }
    write(tmp_path / "mine", content)
    mine, back = Folder(tmp_path / "mine"), open_volume("folder", tmp_path / "back")
    report = copy(mine, volume, "", to="there")
    assert report.files == len(content)
    assert report.bytes == sum(map(len, content.values()))
    assert files(root / "there") == content
    assert sorted(entry.name for entry in volume.inside("there")) == sorted(NAMES)
    assert {entry.path for entry in volume.walk("there")} == {
        f"there/{name}" for name in content
    }
    copy(volume, back, "there", to="again")
    assert files(tmp_path / "back/again") == content


def test_entries_have_size_time_and_mode(volume: Volume, root: Path) -> None:
    write(root, {"a/b": b"12345"})
    os.utime(root / "a/b", (1_000_000, 1_000_000))
    (root / "a/b").chmod(0o755)
    entry = volume.resolve("a/b")
    assert entry == Entry("a/b", 5, 1_000_000.0, 0o100755)
    assert volume.resolve("a/c") is None
    assert volume.resolve("a/b/c") is None
    volume_entry = volume.resolve("")
    assert volume_entry is not None
    assert volume_entry.is_folder
    assert volume.stat(["a", "nothing", "a/b"])[1:] == [None, entry]
    assert volume.digests([("nothing", -1), ("a", -1)]) == ["", ""]
    assert volume.digests([("a/b", 2)]) != volume.digests([("a/b", -1)])
    with pytest.raises(NotFoundError):
        volume.inside("nothing")


def test_a_copy_keeps_times_and_executables(
    volume: Volume, root: Path, tmp_path: Path
) -> None:
    write(tmp_path, {"mine/program": b"#!/bin/sh\n", "mine/text": b""})
    (tmp_path / "mine/program").chmod(0o744)
    os.utime(tmp_path / "mine/program", (1_000_000, 1_000_000))
    copy(Folder(tmp_path / "mine"), volume, "", to="there")
    entry = (root / "there/program").stat()
    assert entry.st_mtime == 1_000_000
    assert entry.st_mode & 0o111 == 0o111
    assert (root / "there/text").stat().st_mode & 0o111 == 0


def test_links_are_skipped_and_cannot_leave_the_volume(
    volume: Volume, root: Path, tmp_path: Path
) -> None:
    write(tmp_path, {"secret/key": b"secret"})
    write(root, {"a/file": b"1"})
    (root / "a/out").symlink_to(tmp_path / "secret")
    (root / "a/key").symlink_to(tmp_path / "secret/key")
    (root / "in").symlink_to("a")
    assert [entry.path for entry in volume.walk("a")] == ["a/file"]
    assert volume.resolve("in/file") is not None
    for act in (
        lambda: volume.resolve("a/out/key"),
        lambda: volume.resolve("a/key"),
        lambda: volume.walk("a/out"),
        lambda: volume.inside("a/out"),
        lambda: volume.remove("a/out/key"),
        lambda: copy(Folder(root / "a"), volume, "file", to="a/out/new"),
    ):
        with pytest.raises(InvalidInputError, match="leads out of its volume"):
            act()
    assert files(tmp_path / "secret") == {"key": b"secret"}


def test_remove_deletes_files_and_folders(volume: Volume, root: Path) -> None:
    write(root, {"a/b/c": b"1", "a/ d\n": b"2", "e": b"3"})
    volume.remove("a")
    volume.remove("e")
    assert list(root.iterdir()) == []


# Plans


@pytest.mark.parametrize(
    ("sources", "to", "expected"),
    [
        (["one/x"], "new", {"u/new"}),
        (["one/x"], "new/", {"u/new/x"}),
        (["one/x"], "there", {"u/there/x"}),
        (["one"], "new", {"u/new"}),
        (["two"], "new", {"u/new/y", "u/new/deep/z"}),
        (["one/x", "two/y"], "new", {"u/new/x", "u/new/y"}),
        (["one", "two"], "new", {"u/new/x", "u/new/y", "u/new/deep/z"}),
        (["run"], "new", {"u/new"}),
        (["run/.riseml/logs"], "new", {"u/new"}),
    ],
)
def test_a_copy_puts_files_at_the_expected_paths(
    volume: Volume, tmp_path: Path, sources: list[str], to: str, expected: set[str]
) -> None:
    root = tmp_path / "volume"
    mine = {
        "one/x": b"x",
        "two/y": b"y",
        "two/deep/z": b"z",
        "run/model": b"m",
        "run/.riseml/logs/a": b"l",
    }
    write(tmp_path / "mine", {**mine, "run/.model.riseml-part": b"half"})
    write(root, {"u/there/old": b"old"})
    copy(Folder(tmp_path / "mine"), volume, *sources, to=f"u/{to}")
    assert set(files(root)) == {*expected, "u/there/old"}


@pytest.mark.parametrize(
    ("sources", "expected"),
    [(["one/x"], {"new/x"}), (["one"], {"new/x"}), (["two"], {"new/y", "new/z"})],
)
def test_a_target_at_the_top_of_a_volume_becomes_a_folder(
    volume: Volume, root: Path, tmp_path: Path, sources: list[str], expected: set[str]
) -> None:
    write(tmp_path / "mine", {"one/x": b"x", "two/y": b"y", "two/z": b"z"})
    copy(Folder(tmp_path / "mine"), volume, *sources, to="new")
    assert set(files(root)) == expected


@pytest.mark.parametrize(
    ("sources", "to", "words"),
    [
        (
            ["a/x", "b/x"],
            "u/new",
            "a/x and data://b/x would both become output://u/new/x",
        ),
        (["a", "b/x"], "u/file", "u/file is a file"),
        (["a"], "", "does not name a folder"),
        (["nothing"], "u/new", "path data://nothing does not exist"),
    ],
)
def test_an_impossible_copy_copies_nothing(
    volume: Volume, tmp_path: Path, sources: list[str], to: str, words: str
) -> None:
    root = tmp_path / "volume"
    write(tmp_path / "mine", {"a/x": b"1", "a/y": b"1", "b/x": b"2"})
    write(root, {"u/file": b"old"})
    with pytest.raises(RiseMLError, match=words):
        copy(Folder(tmp_path / "mine"), volume, *sources, to=to)
    assert files(root) == {"u/file": b"old"}


def test_a_file_is_not_copied_onto_itself(volume: Volume, root: Path) -> None:
    write(root, {"u/file": b"old"})
    with pytest.raises(InvalidInputError, match="onto itself"):
        copy_plan.plan(
            lambda _: volume,
            [Location("output", "u/file")],
            Location("output", "u", is_folder=True),
        )


# Interruptions


class CutError(Exception):
    """A broken connection."""


class Breaking(Folder):
    """A volume whose connection breaks after some bytes."""

    def __init__(self, root: Path, after: int) -> None:
        super().__init__(root)
        self._left = after

    def read(self, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """Yield a few bytes at a time, so that the connection may break anywhere."""
        for piece in super().read(pieces):
            for position in range(0, len(piece), 7):
                if self._left <= 0:
                    raise CutError
                self._left -= 7
                yield piece[position : position + 7]


class Counting(Folder):
    """A volume that counts the bytes that are read."""

    def __init__(self, root: Path, byte_counts: list[int]) -> None:
        super().__init__(root)
        self._passed = byte_counts

    def read(self, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """Count the bytes, then read them."""
        self._passed += [piece.size for piece in pieces]
        return super().read(pieces)


class Changing(Folder):
    """A volume whose file `a` changes when it is read for the first time."""

    def __init__(self, root: Path, change: bytes) -> None:
        super().__init__(root)
        self._change: bytes | None = change

    def read(self, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """Change the file, then read it."""
        if self._change is not None and self.root:
            (self.root / "a").write_bytes(self._change)
            self._change = None
        return super().read(pieces)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    sizes=st.lists(st.integers(0, 90), min_size=1, max_size=5),
    after=st.integers(0, 200),
)
def test_an_interrupted_copy_continues(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], after: int
) -> None:
    folder = tmp_path_factory.mktemp("copy")
    content = {f"f{number}": os.urandom(size) for number, size in enumerate(sizes)}
    write(folder / "mine", content)
    target = open_volume("folder", folder / "volume")
    for tries in count(1):
        assert tries < 100
        source = Breaking(folder / "mine", after + 20 * tries)
        try:
            copy(source, target, "", to="u/")
        except CutError:
            finished = {
                name: data
                for name, data in files(folder / "volume/u").items()
                if "part" not in name
            }
            assert (
                finished.items() <= content.items()
            )  # A file gets its name only once it is complete.
            continue
        break
    assert files(folder / "volume/u") == content


def test_only_a_right_partial_file_is_continued(
    volume: Volume, root: Path, tmp_path: Path
) -> None:
    data = {
        name: os.urandom(100_000)
        for name in ("right", "wrong", "long", "whole", "empty")
    }
    write(tmp_path / "mine", data)
    partials = {
        "right": data["right"][:60_000],
        "wrong": b"x" * 50_000,
        "long": data["long"] + b"!",
        "empty": b"",
    }
    write(
        root / "u",
        {
            partial_path(name): partial
            for name, partial in {**partials, "whole": data["whole"]}.items()
        },
    )
    byte_counts = list[int]()
    report = copy(Counting(tmp_path / "mine", byte_counts), volume, "", to="u/")
    assert files(root / "u") == data
    assert report.files == 5
    assert sum(byte_counts) == 40_000 + 3 * 100_000


def test_an_equal_file_is_skipped(volume: Volume, root: Path, tmp_path: Path) -> None:
    write(tmp_path / "mine", {"same": b"12345", "other": b"12345", "longer": b"123456"})
    write(root, {"u/same": b"12345", "u/other": b"54321", "u/longer": b"12345"})
    content = (root / "u/same").stat().st_mtime_ns
    report = copy(Folder(tmp_path / "mine"), volume, "", to="u/")
    assert [item.target for item in report.unchanged] == ["u/same"]
    assert report.files == 2
    assert (root / "u/same").stat().st_mtime_ns == content
    assert files(root / "u") == files(tmp_path / "mine")


@pytest.mark.parametrize("change", [b"1", b"1234567890"])
def test_a_file_that_changes_during_the_copy_gets_no_name(
    volume: Volume, root: Path, tmp_path: Path, change: bytes
) -> None:
    write(tmp_path / "mine", {"a": b"12345", "b": b"steady"})
    mine = Changing(tmp_path / "mine", change)
    with pytest.raises(RiseMLError, match=r"^a changed during the copy"):
        copy(mine, volume, "", to="u/")
    assert "a" not in files(root / "u")
    copy(mine, volume, "", to="u/")
    assert files(root / "u") == {"a": change, "b": b"steady"}


def test_reported_bytes_add_up_to_the_total(volume: Volume, tmp_path: Path) -> None:
    write(tmp_path / "mine", {"a": b"1" * 100, "b": b"", "c": b"3" * 1000})
    reported, byte_counts = list[str](), list[int]()
    report = CopyReport(
        on_file=lambda item: reported.append(item.name), on_bytes=byte_counts.append
    )
    mine = {"data": Folder(tmp_path / "mine"), "output": volume}
    (batch,) = copy_plan.plan(
        mine.__getitem__,
        [Location("data", "")],
        Location("output", "u", is_folder=True),
    )
    transfer.copy(mine["data"], volume, batch.items, report)
    assert reported == [f"data://{name} to output://u/{name}" for name in "abc"]
    assert sum(byte_counts) == 1100
    transfer.copy(mine["data"], volume, batch.items, report)
    assert sum(byte_counts) == 2200


def test_a_read_only_volume_is_named_in_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = open_volume("store", tmp_path / "volume")
    script = "echo 'sh: can not create x: Read-only file system' >&2; exit 1"
    monkeypatch.setattr("riseml.engines.argo.volume._EXTRACT", script)
    write(tmp_path / "mine", {"a": b"1"})
    with pytest.raises(RiseMLError, match="Read-only file system") as caught:
        copy(Folder(tmp_path / "mine"), volume, "a", to="u/a")
    assert "its administrator can write to it" in caught.value.advice
