"""Plan of a riseml.yml, from the cache of the home if the same file was planned before.

    bytes of the file, its name, overrides, code ──▶ entry of the home ──▶ plan and warnings

A plan that is known needs neither YAML nor the schema, which take longer to load than the rest
of a command. Faults are never kept: a file that has some is checked again each time.
"""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

from riseml import code_stamp, plan_data, plugins
from riseml.cache_folder import CacheFolder
from riseml.client import config_file
from riseml.client.types import Overrides
from riseml.dataclass import dataclass
from riseml.errors import Fault
from riseml.plan import ExperimentSet

_MAX_BYTES = 100_000
# Plans and warnings that come from these contain what other files say, or what this machine has.
_READERS_OF_MORE = ("riseml.config.tables", "riseml.config.pipefail")


@dataclass(frozen=True)
class PlannedFile:
    """A plan with the warnings about its file; `inputs` is what both follow from, "" if it is not known."""

    plan: ExperimentSet
    warnings: tuple[Fault, ...]
    inputs: str = ""

    def keep(self, home: str | os.PathLike[str]) -> None:
        """Keep the plan for the next command, once this one has used it."""
        if not self.inputs or not _follows_from_file(self.plan):
            return
        text = json.dumps(
            {
                "plan": plan_data.plan_to_data(self.plan),
                "warnings": list(map(vars, self.warnings)),
            }
        )
        # Code that was replaced meanwhile may have planned it.
        is_same_code = self.inputs.startswith(f"{code_stamp.current()}\n")
        # The text has all fields and their types.
        if is_same_code and repr(_from_text(text).plan) == repr(self.plan):
            CacheFolder(home, "plans").write(self.inputs, text)


def read(
    path: str | Path, overrides: Overrides, home: str | os.PathLike[str]
) -> PlannedFile:
    """Return the plan of a riseml.yml.

    Raises:
        ConfigError: the file has faults.
        InvalidInputError: the file has nothing to train.
        UnsupportedError: no engine can do what it asks for.
    """
    # An iterator would be empty the second time, and its text says nothing.
    overrides = Overrides(tuple(overrides.parameters), tuple(overrides.settings))
    code = code_stamp.current()
    # The file may change at any time, so it is read once.
    content = None if code is None else _content(path)
    inputs = ""
    if content is not None:
        inputs = f"{code}\n{(os.fspath(path), overrides, content)!r}"
        text = CacheFolder(home, "plans").read(inputs)
        if text is not None:
            return _from_text(text)
    loaded = config_file.load(path, overrides, content)
    return PlannedFile(config_file.plan(loaded), loaded.warnings, inputs)


def _content(path: str | Path) -> bytes | None:
    """Return the content of a riseml.yml, None if the check has to read it."""
    try:
        # Reading a pipe would wait for whoever writes to it, and take the text from the check.
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            return None
        with open(path, "rb") as file:  # noqa: PTH123
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError):
        return None
    return content if len(content) <= _MAX_BYTES else None


def _follows_from_file(plan: ExperimentSet) -> bool:
    """Return whether the same file always gives this plan."""
    is_random = plan.search.seed is not None
    reads_more = any(name in sys.modules for name in _READERS_OF_MORE)
    # Also a section without effect may be that of another package.
    return not (is_random or reads_more or plugins.asked_packages())


def _from_text(text: str) -> PlannedFile:
    data: dict[str, Any] = json.loads(text)
    warnings = [Fault(**fields) for fields in data["warnings"]]
    return PlannedFile(plan_data.plan_from_data(data["plan"]), tuple(warnings))
