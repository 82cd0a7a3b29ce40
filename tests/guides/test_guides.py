"""The guides in docs/contributing work as written.

A guide consists of files ("`name`:" before a code block), entry points (a block of TOML) and sessions (blocks of
commands, `$ riseml …`, each followed by lines of its output, in which `…` stands for any text). The test follows a
guide in an empty folder: it writes the files, installs the entry points, types the commands and compares.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from riseml.engines.local import protocol

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs/contributing").glob("add-*.md"))
_BLOCK = re.compile(
    r"(?:^`(?P<file>[\w./]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Guide:
    """What a reader of a guide does, in order."""

    files: dict[str, str] = field(default_factory=dict)
    entry_points: dict[str, dict[str, str]] = field(default_factory=dict)
    commands: list[tuple[str, list[str]]] = field(default_factory=list)


def read(path: Path) -> Guide:
    guide = Guide()
    for block in _BLOCK.finditer(path.read_text("utf-8")):
        if block["file"]:
            guide.files[block["file"]] = block["text"]
        elif block["kind"] == "toml":
            guide.entry_points |= tomllib.loads(block["text"])["project"][
                "entry-points"
            ]
        elif block["kind"] == "console":
            guide.commands += _session(block["text"])
    return guide


def _session(text: str) -> Iterator[tuple[str, list[str]]]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *output = part.splitlines()
        yield command, output


def install(guide: Guide, folder: Path) -> None:
    """Write the files of a guide, and the metadata of an installed package that has its entry points."""
    for name, text in guide.files.items():
        (folder / name).write_text(text, "utf-8")
    metadata = folder / "guide-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: guide\nVersion: 1.0\n"
    )
    lines = []
    for group, entries in guide.entry_points.items():
        lines.append(f"[{group}]")
        lines += [f"{name} = {module}" for name, module in entries.items()]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")


def pattern(line: str) -> str:
    """Return a regular expression of a line in which `…` stands for any text."""
    return ".*".join(re.escape(part) for part in line.split("…"))


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return what a user's shell would have, with a home of its own."""
    home = tmp_path / "home"
    yield {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        "RISEML_HOME": str(home),
        "RISEML_CPUS": "4",
    }
    if home.exists():
        protocol.stop_controller(home)


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_a_guide_works_as_written(
    path: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    guide = read(path)
    assert guide.files
    assert guide.entry_points
    assert guide.commands
    install(guide, tmp_path)
    for command, expected in guide.commands:
        words = command.split()
        start = words.index("riseml")
        variables = dict(word.split("=", 1) for word in words[:start])
        arguments = words[start + 1 :]
        result = subprocess.run(
            [sys.executable, "-m", "riseml", *arguments],
            cwd=tmp_path,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        printed = result.stdout + result.stderr
        assert result.returncode == 0, f"$ {command}\n{printed}"
        for line in expected:
            assert re.search(pattern(line), printed, re.DOTALL), (
                f"{line!r} is not in:\n{printed}"
            )


def test_there_is_a_guide_for_each_extension_point() -> None:
    assert {path.stem for path in GUIDES} == {
        "add-a-framework",
        "add-a-command",
        "add-a-search-strategy",
        "add-an-engine",
    }


def test_the_code_for_debugging_works(
    environment: dict[str, str], tmp_path: Path
) -> None:
    text = (ROOT / "docs/contributing/debug-a-local-run.md").read_text("utf-8")
    blocks = [
        block["text"] for block in _BLOCK.finditer(text) if block["kind"] == "python"
    ]
    simulated, replayed = blocks
    (tmp_path / "riseml.yml").write_text(
        "project: ab\ntrain: {image: busybox, resources: {cpus: 0.1, mem: 100}, run: 'true'}\n"
    )
    # The guide's run 14 of the usual home is the first run of this one.
    replayed = replayed.replace("14", "1")
    replayed = replayed.replace("~/.riseml", environment["RISEML_HOME"])
    train = [sys.executable, "-m", "riseml", "train", "-l"]
    printed = []
    for command in (
        train,
        [sys.executable, "-c", simulated],
        [sys.executable, "-c", replayed],
    ):
        result = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        printed.append(result.stdout)
    assert "Succeeded" in printed[1]
    assert "'phase': 'Succeeded'" in printed[2]
