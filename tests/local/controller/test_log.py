"""The controller's log: events with time, level and run id, in files of limited size."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from riseml import settings
from riseml.engines.local import protocol
from riseml.engines.local.checks import engine_checks
from riseml.errors import RiseMLError
from riseml.ids import Id
from tests.local.conftest import Lab

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) .+")
_FILL = """
import os, subprocess, sys
from pathlib import Path
from riseml.engines.local.controller.log import logger, start_log
start_log(Path(sys.argv[1]))
for number in range(4):
    logger.info("run %d: %s", number, "x" * 600_000)
    subprocess.run(["echo", f"child {number}"], check=True)
"""
_IMPORTS = """
import sys
from riseml.cli import main
main(["status", "-a"])
sys.exit("logging" in sys.modules)
"""


def log_of(lab: Lab) -> list[str]:
    return protocol.log_file(lab.engine.home).read_text().splitlines()


def test_events_of_a_run_have_time_level_and_run_id(
    lab: Lab,
) -> None:
    lab.run("run: exit 3")
    lab.train("run: sleep 1000")
    lab.engine.stop(Id(number=2), force=True)
    lab.wait(2)
    lab.engine.delete(Id(number=1))
    with pytest.raises(RiseMLError):
        protocol.call(lab.engine.home, "stop", number=9)
    protocol.stop_controller(lab.engine.home)
    lines = log_of(lab)
    assert all(LINE.fullmatch(line) for line in lines), lines
    text = "\n".join(line.split(" ", 2)[2] for line in lines)
    assert re.search(r"^INFO controller \d+ serves ", text, re.MULTILINE)
    assert "INFO run 1: submitted as lab-1, experiments: 1\n" in text
    assert re.search(r"^INFO run 1: pod \S+ started, pid \d+$", text, re.MULTILINE)
    assert re.search(r"^INFO run 1: pod \S+ ended, status 3$", text, re.MULTILINE)
    assert "INFO run 1: ended as FAILED\n" in text
    assert "INFO run 2: kill *, force: True\n" in text
    assert "INFO run 2: ended as KILLED\n" in text
    assert "INFO run 1: deleted\n" in text
    assert "INFO request refused: there is no run 9\n" in text
    assert re.search(r"^INFO controller \d+ exits$", lines[-1].split(" ", 2)[2])


def test_an_unexpected_error_is_logged_with_its_traceback(lab: Lab) -> None:
    protocol.ensure(lab.engine.home)
    with pytest.raises(RiseMLError) as caught:
        protocol.call(lab.engine.home, "stop", number="no number", bad=1)
    assert str(protocol.log_file(lab.engine.home)) in caught.value.advice
    text = "\n".join(log_of(lab))
    assert "ERROR request failed\nTraceback (most recent call last):\n" in text


def test_the_log_is_rotated_with_the_output_of_children(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _FILL, str(tmp_path)], check=True)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["controller.log", "controller.log.1", "controller.log.2"]
    for name, number in zip(names, (3, 2, 1), strict=True):
        text = (tmp_path / name).read_text()
        assert f"run {number}: xxx" in text
        assert text.endswith(f"child {number}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_full_disk_drops_messages(tmp_path: Path) -> None:
    (tmp_path / "controller.log").symlink_to("/dev/full")
    subprocess.run(
        [
            sys.executable,
            "-c",
            _FILL.replace("check=True", "check=False"),
            str(tmp_path),
        ],
        check=True,
    )


def test_commands_do_not_load_logging(lab: Lab) -> None:
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True)


def test_doctor_names_the_log(lab: Lab) -> None:
    protocol.ensure(lab.engine.home)
    check = engine_checks(settings.load())[0]
    finding = check.run()
    assert finding.title == "The local controller"
    assert finding.detail.endswith(f"(log: {protocol.log_file(lab.engine.home)})")
