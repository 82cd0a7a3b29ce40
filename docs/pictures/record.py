"""Record a real session in a terminal as an SVG picture that moves without scripts.

    .venv/bin/python docs/pictures/record.py

tmux shows a shell in a copy of examples/digits, and this program types COMMANDS. A frame is every screen that
differs from the one before. The picture shows the frames by CSS animation; a reader who prefers reduced motion
sees the last one. Each row of text is in the file only once.

The environment of the install step is made before the recording, which needs tmux and a package index.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from rich.style import Style
from rich.text import Text

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "docs/pictures/session.svg"
COLUMNS, ROWS = 92, 22
# The screen is cleared before a command that is None.
COMMANDS = (
    "riseml train",
    "riseml status 2 -w",
    None,
    "riseml results 2 --sort accuracy",
    "riseml diff 2.4 2.7",
)
PROMPT = "$"
_POLL_SECONDS = 0.05
_KEY_SECONDS = 0.05
# Frames of a screen that waits are shortened to this.
_LONGEST_SECONDS = 1.2
# What a reader needs at the end of a command, and of the session.
_READING_SECONDS, _END_SECONDS = 2.5, 6.0
_TIMEOUT_SECONDS = 200.0
_CELL_WIDTH, _LINE_HEIGHT, _MARGIN = 8.4, 18, 16
_FOREGROUND, _BACKGROUND = "#d6dae0", "#15191f"
# The eight colours of a terminal, for a dark background.
_COLORS = (
    "#6b7380",
    "#f47067",
    "#57c77a",
    "#e3b341",
    "#6cb6ff",
    "#d2a8ff",
    "#56d4dd",
    "#d6dae0",
)
_FONTS = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"
_LABEL = (
    "A terminal: riseml train starts eight experiments, riseml status shows them at"
    " work, riseml results compares them, riseml diff compares two of them"
)


@dataclass(frozen=True)
class Frame:
    """A screen with its duration in seconds; its rows contain ANSI codes."""

    rows: tuple[str, ...]
    seconds: float


class Terminal:
    """A tmux server of its own with one window, which shows a shell in a folder."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._environment = environment
        self._tmux = ["tmux", "-S", str(folder.parent / "tmux"), "-f", "/dev/null"]
        size = ["-x", str(COLUMNS), "-y", str(ROWS)]
        shell = f"exec env PS1='{PROMPT} ' bash --norc --noprofile -i"
        self._run("new-session", "-d", "-c", str(folder), *size, shell)
        self._run("set", "-g", "status", "off")

    def press(self, key: str) -> None:
        """Press a key by its name."""
        self._run("send-keys", key)

    def write(self, text: str) -> None:
        """Type a text as it is."""
        self._run("send-keys", "-l", text)

    def screen(self) -> tuple[str, ...]:
        """Return the rows with their ANSI codes."""
        return tuple(self._run("capture-pane", "-e", "-p").splitlines())

    def close(self) -> None:
        """End the shell and the server."""
        self._run("kill-server")

    def _run(self, *arguments: str) -> str:
        return subprocess.run(
            [*self._tmux, *arguments],
            env=self._environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout


class Recorder:
    """The screens of a terminal since the start of the recording, with their times."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._screens: list[tuple[float, tuple[str, ...]]] = []

    def run(self, command: str) -> None:
        """Type a command, and wait until it has ended."""
        for letter in command:
            self._terminal.write(letter)
            self._wait(_KEY_SECONDS)
        self._terminal.press("Enter")
        self._wait(0.2)
        limit = time.monotonic() + _TIMEOUT_SECONDS
        while not _is_at_prompt(self._look()):
            if time.monotonic() > limit:
                raise TimeoutError(f"{command} has not ended")
            time.sleep(_POLL_SECONDS)
        self._wait(_READING_SECONDS)

    def clear(self) -> None:
        """Clear the screen."""
        self._terminal.press("C-l")
        self._wait(0.4)

    def frames(self) -> Iterator[Frame]:
        """Yield all screens; the duration of those that wait is shortened."""
        ends = [start for start, _ in self._screens[1:]]
        for (start, rows), end in zip(self._screens, ends, strict=False):
            longest = _READING_SECONDS if _is_at_prompt(rows) else _LONGEST_SECONDS
            yield Frame(rows, min(end - start, longest))
        yield Frame(self._screens[-1][1], _END_SECONDS)

    def _look(self) -> tuple[str, ...]:
        rows = self._terminal.screen()
        if not self._screens or self._screens[-1][1] != rows:
            self._screens.append((time.monotonic(), rows))
        return rows

    def _wait(self, seconds: float) -> None:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            self._look()
            time.sleep(_POLL_SECONDS)


def _is_at_prompt(rows: Sequence[str]) -> bool:
    texts = [Text.from_ansi(row).plain.rstrip() for row in rows]
    written = [text for text in texts if text]
    return bool(written) and written[-1] == PROMPT


def record(folder: Path) -> list[Frame]:
    """Run the session in a folder, and return its frames."""
    project = folder / "digits"
    shutil.copytree(
        ROOT / "examples/digits",
        project,
        ignore=shutil.ignore_patterns("workflow.yaml", "README.md"),
    )
    environment = _environment(folder)
    first = [str(folder / "bin/riseml"), "train", "hidden=8", "lr=1e-2", "-l"]
    subprocess.run(
        first, cwd=project, env=environment, stdout=subprocess.DEVNULL, check=True
    )
    terminal = Terminal(project, environment)
    recorder = Recorder(terminal)
    try:
        time.sleep(1)
        recorder.clear()
        for command in COMMANDS:
            if command is None:
                recorder.clear()
            else:
                recorder.run(command)
    finally:
        terminal.close()
        _stop_controller(folder / "home")
    return list(recorder.frames())


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of a user who has a virtual environment and RiseML."""
    environment = folder / ".venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    program = folder / "bin/riseml"
    program.parent.mkdir()
    command = f'PYTHONPATH={ROOT} exec {sys.executable} -m riseml "$@"'
    program.write_text(f"#!/bin/sh\n{command}\n", "utf-8")
    program.chmod(0o755)
    return {
        "PATH": f"{environment}/bin:{folder}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "USER": "ada",
        "RISEML_HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
    }


def _stop_controller(home: Path) -> None:
    """Stop the controller of the home, so that the folder can be removed."""
    pid = int((home / "controller.lock").read_text())
    os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}").exists():
        time.sleep(_POLL_SECONDS)


def svg(frames: Sequence[Frame]) -> str:
    """Return the picture of frames that follow each other, again and again."""
    total = sum(frame.seconds for frame in frames)
    keys: dict[str, str] = {}
    rules, groups = [], []
    start = 0.0
    for number, frame in enumerate(frames):
        end = start + frame.seconds
        rules.append(_rule(number, 100 * start / total, 100 * end / total))
        groups.append(_group(number, frame, keys))
        start = end
    width = round(COLUMNS * _CELL_WIDTH + 2 * _MARGIN)
    height = ROWS * _LINE_HEIGHT + 2 * _MARGIN
    last = len(frames) - 1
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{_LABEL}">',
        "<style>",
        f"text{{font:14px {_FONTS};fill:{_FOREGROUND};white-space:pre}}",
        f"g{{visibility:hidden;animation:{total:.2f}s step-end infinite}}",
        *rules,
        f"#f{last}{{visibility:visible}}",
        "@media(prefers-reduced-motion:reduce){g{animation:none!important}}",
        "</style>",
        f'<rect width="100%" height="100%" rx="8" fill="{_BACKGROUND}"/>',
        "<defs>",
        *(
            f'<text id="{key}" xml:space="preserve">{content}</text>'
            for content, key in keys.items()
        ),
        "</defs>",
        *groups,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _rule(number: int, begin: float, end: float) -> str:
    """Return the CSS that shows a frame from `begin` to `end`, in percent."""
    steps = f"{begin:.3f}%{{visibility:visible}}"
    if begin > 0:
        steps = "0%{visibility:hidden}" + steps
    if end < 99.9999:
        steps += f"{end:.3f}%{{visibility:hidden}}"
    name = f"k{number}"
    return f"@keyframes {name}{{{steps}}}#f{number}{{animation-name:{name}}}"


def _group(number: int, frame: Frame, keys: dict[str, str]) -> str:
    """Return a frame; `keys` gets the identifiers of its rows."""
    uses = []
    for index, row in enumerate(frame.rows):
        content = _row(Text.from_ansi(row))
        if content:
            key = keys.setdefault(content, f"r{len(keys)}")
            y = _MARGIN + (index + 1) * _LINE_HEIGHT - 5
            uses.append(f'<use href="#{key}" x="{_MARGIN}" y="{y}"/>')
    return f'<g id="f{number}">{"".join(uses)}</g>'


def _row(text: Text) -> str:
    """Return the pieces of a row that have one style, each at its column."""
    text.rstrip()
    edges = {span.start for span in text.spans} | {span.end for span in text.spans}
    inner = sorted(edge for edge in edges if 0 < edge < len(text.plain))
    pieces = []
    column = 0
    for piece in text.divide(inner):
        if piece.plain.strip():
            x, length = column * _CELL_WIDTH, len(piece.plain) * _CELL_WIDTH
            place = f'x="{x:.1f}" textLength="{length:.1f}"'
            content = escape(piece.plain)
            pieces.append(f"<tspan {place}{_attributes(piece)}>{content}</tspan>")
        column += len(piece.plain)
    return "".join(pieces)


def _attributes(piece: Text) -> str:
    """Return the SVG attributes of a piece's style."""
    style = Style.null()
    for span in piece.spans:
        style += Style.parse(span.style) if isinstance(span.style, str) else span.style
    attributes = ""
    if style.color is not None and style.color.number is not None:
        attributes += f' fill="{_COLORS[style.color.number % 8]}"'
    if style.bold:
        attributes += ' font-weight="bold"'
    if style.dim:
        attributes += ' opacity="0.7"'
    return attributes


def main() -> None:
    """Record the session and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    # The picture shows this name.
    folder = Path(tempfile.gettempdir(), "ada")
    folder.mkdir()
    try:
        frames = record(folder)
    finally:
        shutil.rmtree(folder)
    picture = svg(frames)
    arguments.output.write_text(picture, "utf-8")
    seconds = sum(frame.seconds for frame in frames)
    print(f"{len(frames)} frames, {seconds:.0f} s, {len(picture) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
