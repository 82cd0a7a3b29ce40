"""Filter process between a job and its log."""

import fcntl
import os
import time
from pathlib import Path

import pytest

from riseml.engines.local.jobs import log_filter

APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def wait_for(pid: int) -> int:
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


# The launcher has one thread; the process of the tests may have more.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_filter_runs_until_the_last_writer_is_gone(tmp_path: Path) -> None:
    assert not log_filter.is_running(str(tmp_path))
    log = os.open(tmp_path / "log", APPEND)
    # The filter must not keep what else is open, such as the lock of the home.
    held = os.open(tmp_path / "held", os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    pid, target = log_filter.start(log, (b"s3cret",), os.fsencode(tmp_path))
    second = os.dup(target)
    os.write(target, b"a s3cr")
    os.close(target)
    assert log_filter.is_running(str(tmp_path))
    end = time.monotonic() + 30
    while os.getsid(pid) != pid:
        assert time.monotonic() < end
    os.close(held)
    other = os.open(tmp_path / "held", os.O_RDWR)
    while True:
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.01)
    os.close(other)
    os.write(second, b"et b\n")
    os.close(second)
    assert wait_for(pid) == 0
    assert not log_filter.is_running(str(tmp_path))
    assert (tmp_path / "log").read_bytes() == b"a *** b\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_what_a_full_disk_does_not_take_is_counted_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_filter, "_WRITE_SECONDS", 0.2)
    full = os.open("/dev/full", os.O_WRONLY)
    log = log_filter._Log(full)
    log.write(b"12345\n")
    log.write(b"123\n")
    file = os.open(tmp_path / "log", APPEND)
    os.dup2(file, full)
    log.write(b"next\n")
    log.write(b"last\n")
    os.close(file)
    os.close(full)
    assert (tmp_path / "log").read_bytes() == (
        b"\nriseml: 10 bytes of output could not be written here\nnext\nlast\n"
    )
