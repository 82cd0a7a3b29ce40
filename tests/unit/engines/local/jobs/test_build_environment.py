"""Builds of environments, in this process: steps, their files, and what a further build continues from."""

import json
import sys
from pathlib import Path

import pytest

from riseml.engines.local.jobs import build_environment

FIRST, SECOND, THIRD = "1" * 24, "2" * 24, "3" * 24


class Builder:
    """Folders of one home, and the variables of a build in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.envs, self.private = folder / "envs", folder / "private"
        self._monkeypatch = monkeypatch
        self.envs.mkdir()
        self.private.mkdir()

    def context(self, number: int, name: str, text: str) -> None:
        """Provide a file of the project for a step."""
        path = self.private / "context" / str(number) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def build(self, key: str, *steps: str, isolated: bool = False) -> Path:
        """Build an environment; the keys of its states are the numbers of its steps."""
        folder = self.envs / key
        keys = [f"{hash(steps[: n + 1]) & 0xFFFFFF:024d}" for n in range(len(steps))]
        variables = {
            "RISEML_DIR": str(self.private),
            "ENV_DIR": str(folder),
            "PYTHON": sys.executable,
            "CODE_DIR": str(folder / "built"),
            "RISEML_INSTALL": json.dumps(steps),
            "RISEML_STEP_KEYS": json.dumps(keys),
            "RISEML_ISOLATED": str(isolated).lower(),
        }
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        build_environment.main()
        assert (self.private / "image").read_text() == f"riseml-env:{key}"
        return folder


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Builder:
    return Builder(tmp_path, monkeypatch)


def test_a_step_finds_its_files_and_leaves_its_own(
    builder: Builder, capfd: pytest.CaptureFixture[str]
) -> None:
    builder.context(1, "requirements.txt", "numpy\n")
    builder.context(2, "src/setup.py", "pass\n")
    folder = builder.build(
        FIRST,
        "cat requirements.txt; ls src 2> /dev/null || echo no src",
        "apt-get install git; cat src/setup.py > made.txt",
    )
    lines = capfd.readouterr().out.splitlines()
    assert lines == [
        f"preparing environment {FIRST}",
        "==> cat requirements.txt; ls src 2> /dev/null || echo no src",
        "numpy",
        "no src",
        "==> apt-get install git; cat src/setup.py > made.txt",
        "skipped: apt-get install git   (the local engine installs no system packages)",
        f"environment {FIRST} is ready",
    ]
    # The project's own files are not what a step has made.
    assert [path.name for path in (folder / "code").iterdir()] == ["made.txt"]
    assert (folder / "code/made.txt").read_text() == "pass\n"
    assert (folder / ".complete").exists()
    builder.build(FIRST, "exit 9")
    assert capfd.readouterr().out == f"environment {FIRST} already exists\n"


def test_a_build_continues_after_the_steps_that_it_shares(
    builder: Builder, capfd: pytest.CaptureFixture[str]
) -> None:
    builder.build(FIRST, "echo slow; echo 1 > one", "echo two")
    capfd.readouterr()
    folder = builder.build(SECOND, "echo slow; echo 1 > one", "cat one")
    assert capfd.readouterr().out.splitlines()[1:-1] == [
        "==> echo slow; echo 1 > one",
        "    (done before; its result is reused)",
        "==> cat one",
        "1",
    ]
    assert (folder / "code/one").read_text() == "1\n"
    other = builder.build(THIRD, "cat one || echo none", isolated=True)
    assert "none" in capfd.readouterr().out.splitlines()
    assert "include-system-site-packages = false" in (other / "pyvenv.cfg").read_text()


@pytest.mark.parametrize(
    ("step", "status"), [("false | cat", 1), ("exit 7", 7), ("kill -TERM $$", 143)]
)
def test_a_failed_step_is_named_with_its_status(
    step: str, status: int, builder: Builder, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        builder.build(FIRST, step, "echo never")
    assert caught.value.code == status
    line = f"install step failed with exit code {status}: {step}"
    assert (builder.private / "failed").read_text() == line
    output = capfd.readouterr().out
    assert output.splitlines()[-1] == line
    assert "never" not in output
    assert not (builder.envs / FIRST / ".complete").exists()


def test_an_environment_that_cannot_be_made_says_why(builder: Builder) -> None:
    builder.private.joinpath("context").write_text("no folder")
    builder.envs.joinpath(FIRST).write_text("no folder either")
    with pytest.raises(SystemExit) as caught:
        builder.build(FIRST, "true")
    assert caught.value.code == 1
    assert FIRST in (builder.private / "failed").read_text()
