"""Records of kills, and the notes that stand for them on a full disk."""

from pathlib import Path

from riseml.engines.local.controller import kills

FIRST = "2026-01-01T00:00:00.000000Z"


def test_a_record_has_one_entry_for_each_kill() -> None:
    record = kills.add("", kills.target_of(3), 1767225600.0)
    assert record == f"3={FIRST}"
    record = kills.add(record, kills.target_of(None), 1767225601.5)
    assert record == f"3={FIRST},*=2026-01-01T00:00:01.500000Z"
    assert kills.targets(record) == ["3", "*"]
    assert kills.targets("") == []


def test_notes_complete_a_record(tmp_path: Path) -> None:
    assert kills.with_notes(tmp_path, "") == ""
    kills.note(tmp_path, f"3={FIRST},*={FIRST}")
    assert {file.stat().st_size for file in tmp_path.iterdir()} == {0}
    assert kills.with_notes(tmp_path, f"3={FIRST}") == f"3={FIRST},*={FIRST}"
    assert kills.with_notes(tmp_path, "") == f"*={FIRST},3={FIRST}"
