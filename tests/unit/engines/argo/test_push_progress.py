"""Progress of a push, from what Git writes."""

import os
import sys

import pytest

from riseml.cli import sync_bar
from riseml.cli.progress import Notice
from riseml.engines.argo import push_progress
from riseml.project.progress import listening

GIT = r"""
import sys
err = sys.stderr.buffer
err.write(b"Counting objects: 100% (9/9), done.\nWriting objects:  11% (1/9)\r")
err.flush()
err.write(b"Writing objects:  44% (4/9), 1.20 GiB | 12.00 MiB/s\r")
err.flush()
err.write(b"Writing objects: 100% (9/9), 3.00 GiB, done.\nfatal: the remote end hung up\n")
sys.exit(128)
"""


class _Percents:
    """A listener that collects how far the push was."""

    def __init__(self) -> None:
        self.steps = list[tuple[str, int]]()
        self.reached = list[int]()

    def begin(self, step: str, total: int) -> None:
        self.steps.append((step, total))
        self.reached.append(0)

    def advance(self, amount: int) -> None:
        self.reached.append(self.reached[-1] + amount)


def test_percents_are_passed_on_and_errors_returned() -> None:
    listener = _Percents()
    with listening(listener):
        result = push_progress.run([sys.executable, "-c", GIT], os.environ)
    assert result.returncode == 128
    assert result.stderr == "fatal: the remote end hung up"
    assert listener.steps == [("push", 100)]
    assert listener.reached == sorted(listener.reached)
    assert listener.reached[-1] == 100


def test_a_push_has_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sync_bar, "_DELAY_SECONDS", 0.0)
    notice = Notice()
    notice.interactive = True
    bar = sync_bar.SyncBar(notice)
    bar.begin("push", 100)
    bar.advance(44)
    monkeypatch.setattr(sync_bar, "_REDRAW_SECONDS", 0.0)
    bar.begin("push", 100)
    lines = capsys.readouterr().err.split("\r")
    assert lines[1] == f"Pushing the code [{'-' * 24}] 0%\x1b[K"
