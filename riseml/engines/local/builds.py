"""Install steps on this machine: run once per image key in a virtual environment that sees the user's packages.

<home>/envs/<key>/            the environment; `.complete` once all steps have succeeded
                  code/       where the steps ran: what they made beside the environment, as an image's /code
                  shims/      apt-get and its like: they say "skipped" and succeed
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from riseml.engines.local import pods
from riseml.engines.local.pods import ENVIRONMENT, Place
from riseml.errors import RiseMLError
from riseml.images import ImageKey, image_key
from riseml.spec import Build, ExperimentSet

COMPLETE = ".complete"
_IDENTITY = "import sys; print(sys.version, sys.base_prefix, sys.prefix)"


def build(plan: ExperimentSet, revision: str, place: Place, environment: Mapping[str, str]) -> Build:
    """Say which build a plan needs here: none where its environment is complete.

    Raises:
        RiseMLError: there is no Python that could make an environment.
    """
    key = _key(plan, revision, place, environment)
    image = ENVIRONMENT + key.text
    complete = place.home / "envs" / key.text / COMPLETE
    done = complete.exists()
    if done:
        complete.touch()  # used now: `tidy` goes by it
    return Build(key.text, key.files, image if done else None)


def tidy(home: Path, before: float) -> int:
    """Remove the environments that nothing has used since `before` (unix seconds), and broken ones; return how many."""
    removed = 0
    for folder in (home / "envs").glob("*"):
        stamp = folder / COMPLETE
        if (stamp if stamp.exists() else folder).stat().st_mtime < before:
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def _key(plan: ExperimentSet, revision: str, place: Place, environment: Mapping[str, str]) -> ImageKey:
    files = _files(place.home / "store" / "repos" / f"{plan.project}.git", revision)
    python = pods.python(environment)
    return image_key(plan, files, salt=_identity(python, os.stat(python).st_mtime_ns))  # noqa: PTH116


@cache
def _identity(python: str, _changed: int) -> str:
    said = subprocess.run([python, "-c", _IDENTITY], capture_output=True, check=False)
    return hashlib.sha256(said.stdout or python.encode()).hexdigest()[:16]


def _files(repository: Path, revision: str) -> dict[str, str]:
    listed = subprocess.run(
        ["git", f"--git-dir={repository}", "ls-tree", "-r", "-z", revision], capture_output=True, check=False
    )
    if listed.returncode:
        raise RiseMLError(
            f"the code of revision {revision[:12]} cannot be read: {listed.stderr.decode(errors='replace').strip()}",
            "Start it again: `riseml train` stores the folder anew.",
        )
    lines = (line.partition("\t") for line in os.fsdecode(listed.stdout).split("\0") if line)
    return {path: " ".join(what.split()[::2]) for what, _, path in lines}
