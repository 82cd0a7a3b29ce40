"""Disk space as `du` counts it: blocks, files with several names, sparse files."""

import os
import subprocess
from pathlib import Path

from riseml.consumption.disk import freed, measure, taken


def du(*paths: Path) -> int:
    """Return the bytes that `du` counts for paths together."""
    command = ["du", "-s", "-c", "-k", *map(str, paths)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return int(output.splitlines()[-1].split()[0]) * 1024


def write(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def test_a_folder_is_as_large_as_du_says(tmp_path: Path) -> None:
    write(tmp_path / "a/large", 300_000)
    write(tmp_path / "a/b/c/small", 1)
    (tmp_path / "link").symlink_to("/usr")
    assert taken([measure(tmp_path)]) == du(tmp_path)


def test_a_sparse_file_takes_only_its_blocks(tmp_path: Path) -> None:
    with write(tmp_path / "sparse", 4096).open("r+b") as file:
        file.truncate(1 << 30)
    assert taken([measure(tmp_path)]) == du(tmp_path) < 1 << 20


def test_a_file_with_several_names_counts_once(tmp_path: Path) -> None:
    large = write(tmp_path / "a/large", 300_000)
    for name in ("a/second", "b/third"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        os.link(large, tmp_path / name)
    folders = tmp_path / "a", tmp_path / "b"
    assert taken(map(measure, folders)) == du(*folders)
    assert taken([measure(tmp_path)]) == du(tmp_path)


def test_a_file_is_freed_with_its_last_name(tmp_path: Path) -> None:
    large = write(tmp_path / "a/large", 300_000)
    (tmp_path / "b").mkdir()
    os.link(large, tmp_path / "b/second")
    a, b = measure(tmp_path / "a"), measure(tmp_path / "b")
    assert freed([a]) < 100_000
    assert freed([a, b]) == taken([a, b]) == du(tmp_path / "a", tmp_path / "b")


def test_names_at_the_top_can_be_left_out(tmp_path: Path) -> None:
    write(tmp_path / "data/large", 300_000)
    write(tmp_path / "kept/data/large", 300_000)
    left = measure(tmp_path, skip=frozenset({"data"}))
    assert taken([left]) == du(tmp_path) - du(tmp_path / "data")


def test_what_does_not_exist_takes_no_space(tmp_path: Path) -> None:
    assert taken([measure(tmp_path / "nothing")]) == 0


def test_a_single_file_is_measured(tmp_path: Path) -> None:
    file = write(tmp_path / "file", 10_000)
    assert taken([measure(file)]) == du(file)
