"""Lines of a log that say why a program failed."""

import re
from collections.abc import Iterator, Sequence

# The last line of a Python traceback, with or without a message.
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception)(?::|$)")
# Launchers raise these when another process has failed.
_WRAPPER = re.compile(r"ChildFailedError|CalledProcessError|ProcessRaisedException")
# The prefix that a launcher puts before the lines of its processes.
_PREFIX = re.compile(r"^(?:\[[\w,./:-]+\](?:<\w+>)?:?\s*|[\w.-]+ \| )+")


def matching(lines: Sequence[str], pattern: re.Pattern[str]) -> Iterator[str]:
    """Yield the lines that a pattern finds, the last one first.

    A line does not count if a program went on and raised another exception later.
    """
    for line in reversed(lines):
        if pattern.search(line):
            yield line
        elif _EXCEPTION.match(_PREFIX.sub("", line)) and not _WRAPPER.search(line):
            return
