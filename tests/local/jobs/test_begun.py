"""Record of whether a job has begun: until then it may be started again."""

from pathlib import Path

from riseml.engines.local.jobs import launcher


def test_a_job_has_begun_unless_only_its_launcher_has_written(tmp_path: Path) -> None:
    record = tmp_path / "pid"
    assert launcher.has_begun(tmp_path)
    record.write_text("1 2 boot 3.5\n")
    assert not launcher.has_begun(tmp_path)
    record.write_text("1 2 boot 3.5\nbegun\n")
    assert launcher.has_begun(tmp_path)
    assert launcher.read_exit(tmp_path) is None
    record.write_text("1 2 boot 3.5\nbegun\n3 -1 alone\n")
    ended = launcher.read_exit(tmp_path)
    assert ended is not None
    assert (ended.status, ended.step, ended.swept) == (3, launcher.MAIN, True)
    record.write_text("1 2 boot 3.5\n143 -1\n")
    assert launcher.has_begun(tmp_path)
