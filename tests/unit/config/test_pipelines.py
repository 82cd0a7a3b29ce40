"""Warning about pipelines where the shell has no pipefail."""

from pathlib import Path

import pytest

from riseml import config

TEXT = """\
project: pipes
train:
  image: busybox
  resources: {cpus: 1, mem: 100}
  run:
  - python train.py || true
  - python train.py | tee log
"""


def warnings() -> list[tuple[int | None, str]]:
    loaded = config.load_text(TEXT)
    return [(fault.line, fault.message) for fault in loaded.warnings]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def shell(path: Path, name: str, status: int) -> None:
    (path / name).write_text(f"#!/bin/sh\nexit {status}\n")
    (path / name).chmod(0o755)


def test_a_shell_without_pipefail_is_a_warning(path: Path) -> None:
    shell(path, "sh", 2)
    ((line, message),) = warnings()
    assert line == 7
    assert "has no pipefail" in message


@pytest.mark.parametrize("name", ["sh", "bash"])
def test_a_shell_with_pipefail_is_fine(path: Path, name: str) -> None:
    shell(path, "sh", 0 if name == "sh" else 2)
    shell(path, name, 0)
    assert warnings() == []
