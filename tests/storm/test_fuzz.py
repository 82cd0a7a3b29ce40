"""Mutated files never cause a traceback; `python -m benchmarks.storm fuzz` tries thousands."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from riseml.errors import RiseMLError
from tests.storm import fuzz
from tests.storm.mutations import Mutator
from tests.storm.targets import SUBJECTS, Reader, Subject

_COUNT = 200


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_content_gives_a_result_or_an_error(name: str, tmp_path: Path) -> None:
    journal = fuzz.fuzz(SUBJECTS[name], tmp_path, _COUNT, seed=13)
    assert journal.defects == []
    assert journal.figures["files"] == _COUNT


def _subject(read: Reader) -> Subject:
    return replace(SUBJECTS["settings"], read=read)


def test_an_exception_is_noticed_once_with_its_file(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        raise KeyError(path.name)

    journal = fuzz.fuzz(_subject(fail), tmp_path, 20)
    (defect,) = journal.defects
    assert "KeyError in test_fuzz.py:" in defect.evidence
    assert journal.figures["files with defects"] == 20
    assert (tmp_path / "defect-0").exists()


def test_an_error_needs_a_message(tmp_path: Path) -> None:
    def refuse(path: Path) -> None:
        raise RiseMLError("" if path.stat().st_size % 2 else "the file is even")

    journal = fuzz.fuzz(_subject(refuse), tmp_path, 20)
    assert [d.evidence for d in journal.defects] == ["an error without a message"]
    assert 0 < journal.figures["refused"] <= 20


def test_a_hang_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "_HANG_SECONDS", 1)

    def hang(_path: Path) -> None:
        time.sleep(60)

    journal = fuzz.fuzz(_subject(hang), tmp_path, 1)
    assert "_Hang" in journal.defects[0].evidence


def test_the_time_is_limited(tmp_path: Path) -> None:
    journal = fuzz.fuzz(_subject(lambda _path: None), tmp_path, 10**9, seconds=0.1)
    assert 0 < journal.figures["files"] < 10**9


def test_a_seed_repeats_its_files() -> None:
    corpus = SUBJECTS["settings"].corpus
    first, second, other = (Mutator(corpus, ("a",), seed) for seed in (1, 1, 2))
    files = [first.next() for _ in range(50)]
    assert [second.next() for _ in range(50)] == files
    assert [other.next() for _ in range(50)] != files
    assert len(set(files)) > 40
