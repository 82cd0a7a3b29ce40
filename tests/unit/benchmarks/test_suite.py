"""`benchmarks/run`: one table of several scripts, and what it says about those that it did not run."""

import json
import sys
from pathlib import Path

import measure
import pytest
import suite

SCRIPT = """\
import sys
sys.path.insert(0, {folder!r})
from measure import CannotMeasureError, Figure, main
import os, riseml

def measure(rounds):
    yield Figure(name="path", value=2.0, target=1.0, note=os.environ["PYTHONPATH"])
    {end}

main(measure)
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace all benchmarks by one whose row misses its target."""
    monkeypatch.setattr(suite, "FOLDER", tmp_path)
    monkeypatch.setattr(suite, "SCRIPTS", {"one": "", "two": suite.CLUSTER})
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr(suite, "_compile_byte_code", lambda _: None)
    file = tmp_path / "one.py"
    file.write_text(_script("pass"))
    return file


def _script(end: str) -> str:
    return SCRIPT.format(folder=str(measure.ROOT / "benchmarks"), end=end)


def _run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["run", *words])
    return suite.main()


@pytest.mark.usefixtures("script")
def test_a_missed_target_is_said_and_no_failure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "out.json"
    assert _run(monkeypatch, "-o", str(file)) == 0
    printed = capsys.readouterr().out
    assert "1 figures in 0 minutes; 1 have a target, 1 miss it: path" in printed
    assert f"left out: two ({suite.CLUSTER})" in printed
    record = json.loads(file.read_text())
    assert record["figures"][0]["note"] == str(measure.ROOT)
    assert record["figures"][0]["script"] == "one"
    assert record["failures"] == {}


def test_what_cannot_be_measured_is_a_failure(
    script: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script.write_text(_script('raise CannotMeasureError("no tool")'))
    assert _run(monkeypatch) == 1
    printed = capsys.readouterr().out
    assert "cannot measure: one: no tool" in printed
    assert "OVER  path" in printed


def test_a_script_that_does_not_start_is_a_failure(
    script: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script.write_text("import missing_module")
    assert _run(monkeypatch) == 1
    assert "cannot measure: one: one.py exits 1; see above" in capsys.readouterr().out


def test_a_folder_that_is_no_checkout_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        _run(monkeypatch, "--checkout", str(tmp_path))
    assert "is not a checkout of RiseML" in capsys.readouterr().err


def test_every_script_is_in_the_table_or_has_a_reason() -> None:
    modules = {"measure", "suite", "lab", "homes", "peer_tools", "readme_table"}
    files = {file.stem for file in (measure.ROOT / "benchmarks").glob("*.py")}
    scripts = files - modules - {"gpu_checks"}  # run by gpu.sh
    by_hand = {name for name in suite.BY_HAND if not name.endswith(".sh")}
    assert scripts == set(suite.SCRIPTS) | by_hand
