"""The end of a job waits for the end of its log, but not forever."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from riseml.engines.local.controller import log_drain
from riseml.engines.local.jobs import log_filter


class Loop:
    """An event loop whose timers are due at once."""

    def __init__(self) -> None:
        self.waited = 0.0

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.waited += seconds
        action()


@pytest.mark.parametrize(("checks", "waited"), [(1, 0.0), (4, 0.015), (10_000, 10.0)])
def test_a_job_ends_with_its_log(
    checks: int, waited: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    remaining = iter(range(checks - 1, -1, -1))
    monkeypatch.setattr(log_filter, "is_running", lambda _folder: next(remaining) > 0)
    monkeypatch.setattr(log_drain, "_CHECK_SECONDS", 0.005 if checks < 10 else 0.5)
    loop: Any = Loop()
    pod: Any = SimpleNamespace(directory=Path("/run"), node="node")
    ends: list[str] = []
    log_drain.complete(pod, loop, lambda: ends.append("ended"))
    assert ends == ["ended"]
    assert loop.waited == pytest.approx(waited)
