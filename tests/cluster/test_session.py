"""Commands of docs/cluster/session.md, run on the cluster of KUBECONFIG with the images that `installed.py` names.

Users paul and ida are removed at the end, and at the start if an earlier session was interrupted.
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

PAGE = Path(__file__).parent.parent.parent / "docs/cluster/session.md"
IMAGE = os.environ.get("RISEML_TEST_BASE_IMAGE", f"{installed.REGISTRY}/base:1")
_BLOCK = re.compile(r"```(console|yaml|python)\n(.*?)```", re.DOTALL)
_PROMPT = re.compile(r"(\w+)\$ (.*)")
_USERS = ("paul", "ida")


@dataclass(frozen=True)
class Step:
    """Command of the page, and the output that must follow."""

    who: str
    command: str
    output: tuple[str, ...]

    @property
    def pattern(self) -> str:
        lines = (
            r"(?:.*\n)*?" if line == "…" else _words(line) + r"\n"
            for line in self.output
        )
        return "".join(lines)


def _words(line: str) -> str:
    return r"\s*" + r"[^\n]*?".join(
        re.escape(text.strip()) + r"\s*" for text in line.split("…")
    )


def steps() -> Iterator[Step | tuple[str, str]]:
    """Yield commands, and files as (name, text), in the order of the page."""
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
            yield Step(match[1], match[2], tuple(lines[start + 1 : end]))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Path]:
    _clear()
    for who in ("admin", *_USERS):
        (tmp_path / who / ".riseml").mkdir(parents=True)
    volumes = f"/var/lib/riseml-volumes/session-{os.getpid()}/"
    (tmp_path / "admin" / "values.yml").write_text(
        installed.TEXT.replace("/var/lib/riseml-volumes/", volumes)
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
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RISEML_")
    }
    if who != "admin":
        variables.pop("KUBECONFIG", None)
    paths = os.pathsep.join([str(Path(sys.executable).parent), variables["PATH"]])
    return {
        **variables,
        "PATH": paths,
        "RISEML_HOME": str(desk / who / ".riseml"),
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }


def test_the_session_of_the_page(desk: Path) -> None:
    for step in steps():
        if isinstance(step, tuple):
            (desk / "paul" / step[0]).write_text(step[1])
            continue
        folder, variables = desk / step.who, environment(desk, step.who)
        done = subprocess.run(
            ["bash", "-c", step.command], cwd=folder, env=variables, text=True, timeout=300, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        output = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
        sys.stdout.write(f"{step.who}$ {step.command}\n{output}")
        assert re.fullmatch(step.pattern, output), (
            f"{step.who}$ {step.command}\n{output}\nis not\n{step.pattern}"
        )
        assert "Traceback" not in output
