"""Walk through a page: its steps run in order, and what is not as the page says is collected.

    python -m tests.documentation.walk [--all] [--suite SUITE] [PAGE ...]

runs pages (all by default) and rewrites the outputs that differ from what their commands print, in
place; with `--all` also those that differ only in times and the like, except outputs with `…`.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.documentation import pages
from tests.documentation.comparison import ELLIPSIS, is_same, is_similar
from tests.documentation.pages import Block, Command
from tests.documentation.shell import Shell
from tests.documentation.suites import provision


@dataclass
class Walk:
    """What happened on a page: problems to report, and the output of each visible command."""

    problems: list[str] = field(default_factory=list)
    outputs: list[tuple[Command, list[str]]] = field(default_factory=list)


def walk(page: str, blocks: Sequence[Block], shell: Shell) -> Walk:
    """Run blocks of a page in a shell; a problem names the line of the page."""
    walked = Walk()
    for block in blocks:
        for step in block.steps:
            if not isinstance(step, Command):
                shell.write(step.name, step.text)
                continue
            output, status = shell.of(step.person).run(step.text)
            lines = [line.rstrip() for line in output.splitlines()]
            if not step.hidden:
                walked.outputs.append((step, lines))
            problem = _problem(step, lines, status)
            if problem:
                command = step.text.replace("\n", "\n> ")
                walked.problems.append(
                    f"{page}.md:{step.line}: {problem}\n{step.person}$ {command}\n{output}"
                )
    return walked


def _problem(step: Command, lines: Sequence[str], status: int) -> str:
    if step.status is not None and status != step.status:
        return f"the exit status is {status} instead of {step.status}"
    if step.hidden:
        return ""
    if step.loosely and not is_similar(step.output, lines):
        return "the output has less than half of the words that the page shows"
    if not step.loosely and not is_same(step.output, lines):
        shown = "\n".join(step.output)
        return f"the output differs from what the page shows:\n{shown}\nIt is:"
    return ""


def selected(blocks: Sequence[Block], suite: str) -> list[Block]:
    """Return what a suite runs of a page: its own blocks, and the default ones in front of them.

    Blocks of a page without any of this suite are not run.
    """
    if not any(block.suite == suite for block in blocks):
        return []
    return [block for block in blocks if block.suite in {pages.DEFAULT, suite}]


def rewritten(
    text: str, outputs: Sequence[tuple[Command, list[str]]], *, everything: bool
) -> str:
    """Return a page with the outputs that its commands have printed."""
    lines = text.splitlines()
    for command, printed in reversed(outputs):
        is_cut = any(ELLIPSIS in line for line in command.output)
        is_right = is_same(command.output, printed)
        if command.loosely:
            is_right = is_similar(command.output, printed)
        if is_right and (is_cut or command.loosely or not everything):
            continue
        # An output is replaced as a whole: an empty line at its end belongs to the page.
        indentation = _indentation(lines[command.line - 1])
        kept = "\n".join(printed).rstrip().splitlines()
        lines[command.first : command.end] = [
            (indentation + line).rstrip() for line in kept
        ]
    return "\n".join(lines) + "\n"


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def folder(path: Path) -> str:
    """Return the name of the empty folder in which a page begins."""
    return "riseml" if path.stem == "README" else path.stem


def refresh(path: Path, suite: str, *, everything: bool) -> Walk:
    """Run the blocks of a page that belong to a suite, and rewrite their outputs."""
    text = path.read_text("utf-8")
    blocks = selected(pages.blocks(text), suite)
    if not blocks:
        return Walk()
    with Shell(folder(path), provision(suite, path, None)) as shell:
        walked = walk(pages.name(path), blocks, shell)
    path.write_text(rewritten(text, walked.outputs, everything=everything), "utf-8")
    return walked


def _failures(walked: Walk) -> Iterator[str]:
    for problem in walked.problems:
        if "the exit status is" in problem:
            yield problem


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE")
    parser.add_argument("--all", action="store_true", help="refresh times as well")
    parser.add_argument(
        "--suite", default=pages.DEFAULT, choices=["frameworks", "containers"]
    )
    options = parser.parse_args()
    status = 0
    for path in options.pages or pages.paths():
        walked = refresh(path.resolve(), options.suite, everything=options.all)
        if walked.outputs:
            sys.stdout.write(f"{path}: {len(walked.problems)} changed\n")
        for failure in _failures(walked):
            sys.stderr.write(failure + "\n")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
