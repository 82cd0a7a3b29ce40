"""The install step that a build is at, and what it wrote last, read from its log.

==> pip install torch                                        this machine writes the step
==> pulling pytorch/pytorch:2.5                              or the image that it pulls
#8 [3/5] RUN ["sh", "-c", "… "$0"", "pip install torch"]     BuildKit numbers instructions
#8 3.171 Collecting torch                                    after so many seconds
#9 pushing layers 0.1s done                                  after the last step

A Dockerfile has more instructions than there are install steps, so a step is recognized
by its text. BuildKit drops some backslashes from it, which therefore do not count.
"""

import json
import re
from collections.abc import Iterable, Sequence
from itertools import filterfalse

_PULL = re.compile(r"==> pulling (?P<image>\S+)$")
_LOCAL_STEP = re.compile(r"==> (?P<step>.+)")
# Each step has a folder of the context, which is named by its number.
_INSTRUCTION = re.compile(
    r"#\d+ \[(?:\S+ )?\d+/\d+\] (?:COPY \[(?P<copied>\d+)/,"
    r'|RUN \["sh", "-c", ".*\$0"+, "(?P<step>.*)"\])'
)
_OUTPUT = re.compile(r"#\d+ \d+\.\d+ (?P<line>.*)")
_EXPORT = re.compile(r"#\d+ (?P<line>(?:exporting|pushing) .*)")
_OTHER_PACKAGES = re.compile(
    r"\s+(?:Attempting uninstall: |Found existing installation: |Not uninstalling "
    r"|Can't uninstall )"
)
_IGNORED = re.compile(r'[\s"\\]+')
# A step may be a script.
_MAX_CHARACTERS = 100


def current_step(lines: Sequence[str], install: Sequence[str]) -> str:
    """Return `step 2 of 3: pip install torch`, "" before the first step.

    `install` are the steps of riseml.yml. Without any, the steps have no numbers.
    """
    for line in reversed(lines):
        if _EXPORT.match(line):
            return "the image is being pushed"
        pull = _PULL.match(line)
        if pull is not None:
            return f"pulling {pull['image']}"
        step = _local_step(line, install) or _image_step(line, install)
        if step:
            return step
    return ""


def last_output(lines: Sequence[str]) -> str:
    """Return the last line that the current step wrote, "" if it wrote none.

    BuildKit's marks, and what it writes about a failed step, are left out.
    """
    for line in reversed(lines):
        match = _OUTPUT.match(line) or _EXPORT.match(line)
        if match:
            return match["line"]
        if _INSTRUCTION.match(line):
            return ""
    written = telling(lines)
    if not written or _PULL.match(written[-1]):
        return ""
    return written[-1]


def telling(lines: Iterable[str]) -> list[str]:
    """Return the lines that say what a build does.

    pip writes that it cannot uninstall a package when it is about to install a newer
    one beside it, which looks like a failure for as long as the installation takes.
    """
    spoken = filter(str.strip, lines)
    return list(filterfalse(_OTHER_PACKAGES.match, spoken))


def _local_step(line: str, install: Sequence[str]) -> str:
    match = _LOCAL_STEP.match(line)
    if match is not None and not install:
        return _short(match["step"])
    # A program may write such arrows, too.
    if match is None or match["step"] not in install:
        return ""
    return _numbered(install.index(match["step"]) + 1, match["step"], install)


def _image_step(line: str, install: Sequence[str]) -> str:
    match = _INSTRUCTION.match(line)
    if match is None:
        return ""
    if match["copied"]:
        return _numbered(int(match["copied"]), "copying its files", install)
    return _install_step(match["step"], install)


def _install_step(text: str, install: Sequence[str]) -> str:
    keys = [_key(json.dumps(step, ensure_ascii=False)) for step in install]
    # BuildKit puts the values of variables in their place.
    if _key(text) not in keys:
        return _short(text)
    position = keys.index(_key(text))
    return _numbered(position + 1, install[position], install)


def _key(text: str) -> str:
    return _IGNORED.sub("", text)


def _numbered(number: int, text: str, install: Sequence[str]) -> str:
    return f"step {number} of {len(install)}: {_short(text)}"


def _short(step: str) -> str:
    """Return the first line of a step, and a mark if there is more of it."""
    text = step.strip()
    line = text.partition("\n")[0][:_MAX_CHARACTERS]
    return line if line == text else f"{line}…"
