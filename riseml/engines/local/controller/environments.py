"""Environments of install steps: one virtual environment per image key, beside the user's packages.

<home>/envs/<key>/            the environment; `.complete` once all steps have succeeded
                  code/       where the steps ran: files they created there, as in an image's /code
                  shims/      apt-get and the like: they print "skipped" and succeed
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
    layout: HomeLayout,
    environment: Mapping[str, str],
) -> Build:
    """Return the build that a plan needs; it has an image if the environment is complete.

    Raises:
        RiseMLError: there is no Python that could create an environment.
    """
    key = image_key_of(plan, revision, layout.home, environment)
    return Build(key.text, key.files, complete(key, layout.home))


def complete(key: ImageKey, home: Path) -> str | None:
    """Return the image name of a key's environment, None if that is not complete."""
    stamp = home / "envs" / key.text / COMPLETE
    if not stamp.exists():
        return None
    # `tidy` removes environments by the time of their last use.
    stamp.touch()
    return ENVIRONMENT + key.text


def tidy(home: Path, unused_since: float) -> int:
    """Remove environments unused since a time, and broken ones; return their number.

    `unused_since` is in seconds since 1970.
    """
    removed = 0
    for folder in (home / "envs").glob("*"):
        stamp = folder / COMPLETE
        last_use = (stamp if stamp.exists() else folder).stat().st_mtime
        if last_use < unused_since:
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def image_key_of(
    plan: ExperimentSet, revision: str, home: Path, environment: Mapping[str, str]
) -> ImageKey:
    """Return the key of a plan's environment."""
    files = contents(home, plan.project, revision)
    python = pod_to_process.find_python(environment)
    modified_ns = os.stat(python).st_mtime_ns  # noqa: PTH116
    return image_key(plan, files, salt=_identity(python, modified_ns))


@cache
def _identity(python: str, _modified_ns: int) -> str:
    completed = subprocess.run(
        [python, "-c", _IDENTITY], capture_output=True, check=False
    )
    return hashlib.sha256(completed.stdout or python.encode()).hexdigest()[:16]
