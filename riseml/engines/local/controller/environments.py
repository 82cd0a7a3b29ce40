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

from riseml.engines.local.home import ENVIRONMENT, HomeLayout
from riseml.engines.local.jobs import pod_to_process
from riseml.plan import Build, ExperimentSet
from riseml.project.image_key import ImageKey, image_key
from riseml.project.revision_files import contents

COMPLETE = ".complete"
_IDENTITY = "import sys; print(sys.version, sys.base_prefix, sys.prefix)"


def build(
    plan: ExperimentSet,
    revision: str,
    place: HomeLayout,
    environment: Mapping[str, str],
) -> Build:
    """Say which build a plan needs here: none where its environment is complete.

    Raises:
        RiseMLError: there is no Python that could make an environment.
    """
    key = image_key_of(plan, revision, place.home, environment)
    return Build(key.text, key.files, complete(key, place.home))


def complete(key: ImageKey, home: Path) -> str | None:
    """Return the image that stands for the environment of a key, None where that is not complete."""
    stamp = home / "envs" / key.text / COMPLETE
    if not stamp.exists():
        return None
    # Used now: `tidy` goes by it
    stamp.touch()
    return ENVIRONMENT + key.text


def tidy(home: Path, before: float) -> int:
    """Remove the environments that nothing has used since `before` (unix seconds), and broken ones; return how many."""
    removed = 0
    for folder in (home / "envs").glob("*"):
        stamp = folder / COMPLETE
        if (stamp if stamp.exists() else folder).stat().st_mtime < before:
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def image_key_of(
    plan: ExperimentSet, revision: str, home: Path, environment: Mapping[str, str]
) -> ImageKey:
    """Return the key of a plan's environment."""
    files = contents(home, plan.project, revision)
    python = pod_to_process.find_python(environment)
    return image_key(plan, files, salt=_identity(python, os.stat(python).st_mtime_ns))  # noqa: PTH116


@cache
def _identity(python: str, _changed: int) -> str:
    said = subprocess.run([python, "-c", _IDENTITY], capture_output=True, check=False)
    return hashlib.sha256(said.stdout or python.encode()).hexdigest()[:16]
