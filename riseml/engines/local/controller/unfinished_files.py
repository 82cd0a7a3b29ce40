"""Files of a home that killed processes had not finished: nothing uses them any more.

secrets.<pid>-<thread>           a command was killed while it wrote secrets
checkouts/<project>/.part-<pid>  a command was killed while it checked out code
.riseml-riseml.db/               a process was killed while it replaced the database
checkouts.unused-*, envs/.*      a process was killed while it removed or copied them
"""

import re
from collections.abc import Iterator
from pathlib import Path

from riseml.engines.local.home import checkouts
from riseml.engines.local.jobs import processes

# What begins or ends like this was made by the process of that number.
_OF_PROCESS = re.compile(r"(?:^\.part-|^secrets(?:\.past)?\.)(\d+)-\d+$")


def find(home: Path, *, is_idle: bool) -> Iterator[Path]:
    """Yield files and folders to remove; `is_idle` if no run is active."""
    candidates = [*home.glob("secrets.*"), *checkouts(home).glob("*/.part-*")]
    for path in candidates:
        if _is_abandoned(path):
            yield path
    yield from home.glob(".riseml-*")
    if is_idle:
        # Jobs of an active run may use them.
        yield from home.glob(f"{checkouts(home).name}.unused-*")
        for prefix in (".part-", ".removed-"):
            yield from (home / "envs").glob(f"{prefix}*")


def _is_abandoned(path: Path) -> bool:
    match = _OF_PROCESS.search(path.name)
    return match is not None and not processes.exists(int(match[1]))
