"""docs/cluster.md, typed on the cluster of KUBECONFIG, whose nodes have the images that `installed.py` names.

Users paul and ida, and what is installed, are removed at the end; and before, where an earlier try was cut short.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from riseml.cluster import namespace_of
from riseml.cluster.api import Api
from riseml.cluster.connection import from_kubeconfig
from tests.cluster import installed, residents

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("system"),
]

PAGE = Path(__file__).parent.parent.parent / "docs" / "cluster.md"
IMAGE = os.environ.get("RISEML_TEST_BASE_IMAGE", f"{installed.REGISTRY}/base:1")
_BLOCK = re.compile(r"```(console|yaml|python)\n(.*?)```", re.DOTALL)
_PROMPT = re.compile(r"(\w+)\$ (.*)")
_USERS = ("paul", "ida")


@dataclass(frozen=True)
class Typed:
    """A command of the page, and what must be shown after it."""

    who: str
    command: str
    shown: tuple[str, ...]

    @property
    def pattern(self) -> str:
        lines = (
            r"(?:.*\n)*?" if line == "…" else _words(line) + r"\n"
            for line in self.shown
        )
        return "".join(lines)


def _words(line: str) -> str:
    return r"\s*" + r"[^\n]*?".join(
        re.escape(part.strip()) + r"\s*" for part in line.split("…")
    )


def steps() -> Iterator[Typed | tuple[str, str]]:
    """Yield commands, and files (name, text), in the order of the page."""
    for kind, text in _BLOCK.findall(PAGE.read_text("utf-8")):
        if kind != "console":
            name, _, rest = text.partition("\n")
            yield name.removeprefix("# "), rest.replace("python:3.12-slim", IMAGE)
            continue
        lines = text.splitlines()
        starts = [i for i, line in enumerate(lines) if _PROMPT.fullmatch(line)] + [
            len(lines)
        ]
        for start, end in pairwise(starts):
            match = _PROMPT.fullmatch(lines[start])
            assert match
            yield Typed(match[1], match[2], tuple(lines[start + 1 : end]))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Path]:
    _clear()
    for who in ("admin", *_USERS):
        (tmp_path / who / ".riseml").mkdir(parents=True)
    own = f"/var/lib/riseml-volumes/session-{os.getpid()}/"  # what users of an earlier try have left is not theirs
    (tmp_path / "admin" / "values.yml").write_text(
        installed.TEXT.replace("/var/lib/riseml-volumes/", own)
    )
    yield tmp_path
    _clear()


def _clear() -> None:
    api = Api(from_kubeconfig())
    for user in _USERS:
        residents.leave(api, namespace_of(user))
    for user in _USERS:
        residents.wait_until_gone(api, namespace_of(user))


def environment(desk: Path, who: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RISEML_")
    }
    if who != "admin":
        kept.pop("KUBECONFIG", None)
    paths = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    return {
        **kept,
        "PATH": paths,
        "RISEML_HOME": str(desk / who / ".riseml"),
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }


def test_the_session(desk: Path) -> None:
    for step in steps():
        if isinstance(step, tuple):
            (desk / "paul" / step[0]).write_text(step[1])
            continue
        folder, told = desk / step.who, environment(desk, step.who)
        done = subprocess.run(
            ["bash", "-c", step.command], cwd=folder, env=told, text=True, timeout=300, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        shown = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
        sys.stdout.write(f"{step.who}$ {step.command}\n{shown}")
        assert re.fullmatch(step.pattern, shown), (
            f"{step.who}$ {step.command}\n{shown}\nis not\n{step.pattern}"
        )
        assert "Traceback" not in shown
