"""Code as text that a document contains."""

import base64
import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from riseml.errors import ProjectError
from riseml.project.embedded import LIMIT, embedded


def _archive(text: str) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(gzip.decompress(base64.b64decode(text))))


def test_it_has_files_links_modes_and_empty_folders(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "pkg/ä b.py").write_text("print(1)\n")
    (tmp_path / "run.sh").write_text("exit\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "link").symlink_to("run.sh")
    archive = _archive(embedded(tmp_path))
    assert sorted(archive.getnames()) == [
        "empty",
        "link",
        "pkg",
        "pkg/ä b.py",
        "run.sh",
    ]
    assert archive.getmember("run.sh").mode == 0o755
    assert archive.getmember("link").linkname == "run.sh"
    assert archive.getmember("empty").isdir()
    file = archive.extractfile("pkg/ä b.py")
    assert file is not None
    assert file.read() == b"print(1)\n"


def test_it_leaves_out_what_a_snapshot_leaves_out(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n")
    (tmp_path / ".risemlignore").write_text("data/\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/huge").write_bytes(os.urandom(2 * LIMIT))
    (tmp_path / "a.log").write_text("")
    (tmp_path / "a.py").write_text("")
    names = _archive(embedded(tmp_path)).getnames()
    assert set(names) == {".gitignore", ".risemlignore", "a.py"}
    assert "a.log" in _archive(embedded(tmp_path, gitignore=False)).getnames()


def test_the_same_files_give_the_same_text(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        for file in ("b", "a") if name == "one" else ("a", "b"):
            (folder / file).write_text(file)
        os.utime(folder / "a", (1, 1))
        texts.append(embedded(folder))
    assert texts[0] == texts[1]


def test_code_that_is_too_large_is_refused_with_its_largest_files(
    tmp_path: Path,
) -> None:
    (tmp_path / "weights.bin").write_bytes(os.urandom(400_000))
    (tmp_path / "a.py").write_text("x")
    with pytest.raises(
        ProjectError, match=r"40\d kB compressed.*up to 300 kB"
    ) as error:
        embedded(tmp_path)
    assert "the largest files are weights.bin (400 kB), a.py (1 kB)" in str(error.value)
    assert "--git URL" in error.value.advice
    assert ".risemlignore" in error.value.advice


def test_a_document_with_several_copies_has_room_for_less(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(os.urandom(230_000))
    assert embedded(tmp_path)
    with pytest.raises(ProjectError, match="up to 225 kB"):
        embedded(tmp_path, copies=2)
