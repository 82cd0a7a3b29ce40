"""The page of environment variables: complete, and without variables that do not exist."""

import re
from pathlib import Path

from riseml import settings
from riseml.config import variables

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/environment.md").read_text("utf-8")
SETTINGS = {f"RISEML_{settings.identifier(name).upper()}" for name in settings.NAMES}
# Variables between the scripts of a job, and between processes of RiseML.
INTERNAL = frozenset({
    "ARCHIVE_", "ATTEMPTS", "BASE_IMAGE", "BRACKET", "BUILD_OPTIONS", "CGROUP", "CODE_DIR", "CONFIGURATION",
    "CONNECTION", "CONTAINER", "DIR", "EACH", "EARLIER_ATTEMPTS", "EARLY_STOP", "EXIT_FILE", "GANG",
    "GANG_TIMEOUT", "GPUS_SHARED_WITH_OTHERS", "GPU_IDLE", "HOLD", "HOME_LABEL", "INSTALL", "ISOLATED", "JOB_KEY",
    "KEEP_WORKDIR", "KILLED", "LAST_EXIT", "LEADER", "LIBRARY", "LINK", "LOGGED", "MEETING", "MODULES",
    "MPI_AGENT", "MPI_CWD", "MPI_ERR", "MPI_OUT", "MPI_SECRET", "NODE", "NODES", "OPEN", "OWNER", "PREEMPTION",
    "RETRIES_NODE_LOST", "ROUND", "RUN", "RUNGS", "SEARCH", "SECRETS", "STAYS", "STEP_KEYS", "TIMEOUT", "VERBOSE",
    "WORKDIR_LIMIT",
})  # fmt: skip


def used() -> set[str]:
    """Return the variables of RiseML that its code and its scripts name."""
    names: set[str] = set()
    for folder in ("riseml", "templates", "argo"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix not in {".pyc", ".so"}:
                text = path.read_text("utf-8", "replace")
                names |= set(re.findall(r"\bRISEML_([A-Z][A-Z0-9_]*)", text))
    return names


def documented() -> set[str]:
    return set(re.findall(r"`([A-Z][A-Z0-9_]*[A-Z0-9])`", PAGE))


def test_each_variable_is_documented_or_internal() -> None:
    public = {
        name.removeprefix("RISEML_")
        for name in documented()
        if name.startswith("RISEML_")
    }
    by_setting = {name.removeprefix("RISEML_") for name in SETTINGS}
    assert used() - INTERNAL - public - by_setting == set()
    # What no longer exists leaves the page, and this list.
    assert (INTERNAL | public) - used() == {"NAME"}


def test_all_that_parameters_cannot_be_called_is_documented() -> None:
    assert documented() >= variables.OURS
