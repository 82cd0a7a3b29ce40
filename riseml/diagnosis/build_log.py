"""The step that a build is at, read from its log.

==> pip install torch                  this machine writes the step
#8 [3/5] RUN pip install torch         BuildKit numbers the instructions of its Dockerfile
"""

import re
from collections.abc import Sequence

_LOCAL_STEP = re.compile(r"==> (?P<step>.+)")
_IMAGE_STEP = re.compile(
    r"#\d+ \[(?:\S+ )?(?P<number>\d+)/(?P<total>\d+)\] (?:RUN )?(?P<step>.+)"
)
# A step may be a script.
_MAX_CHARACTERS = 100


def current_step(lines: Sequence[str], install: Sequence[str]) -> str:
    """Return `step 2 of 3: pip install torch`, "" before the first step.

    `install` are the steps of riseml.yml.
    """
    for line in reversed(lines):
        numbered = _IMAGE_STEP.match(line)
        if numbered:
            number, total = numbered["number"], numbered["total"]
            return f"step {number} of {total}: {_short(numbered['step'])}"
        local = _LOCAL_STEP.match(line)
        if local and local["step"] in install:
            number = str(install.index(local["step"]) + 1)
            return f"step {number} of {len(install)}: {_short(local['step'])}"
    return ""


def _short(step: str) -> str:
    if len(step) <= _MAX_CHARACTERS:
        return step
    return f"{step[:_MAX_CHARACTERS]}…"
