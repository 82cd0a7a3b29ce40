"""Environments of install steps: one virtual environment per image key, beside the user's packages.

<home>/envs/<key>/            the environment; `.complete` once all steps have succeeded
                  code/       files that the steps created where they ran, as in an image's /code
<home>/envs/<key>.prefix/     the state after a step, from which other builds continue

`jobs/build_environment.py` makes them.
"""

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from riseml.engines.local.home import ENVIRONMENT, HomeLayout
from riseml.engines.local.jobs import pod_to_process
from riseml.engines.local.jobs.environment_copy import COMPLETE, STATE
from riseml.engines.local.jobs.file_locks import EXCLUSIVE, SHARED, locked
from riseml.plan import Build, ExperimentSet
from riseml.project.image_key import ImageKey, image_key
from riseml.project.revision_files import project_files

_KEY = re.compile("[0-9a-f]+")
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
    return Build(key.text, key.steps, complete(key, layout.home))


def complete(key: ImageKey, home: Path) -> str | None:
    """Return the image name of a key's environment, None if that is not complete."""
    folder = home / "envs"
    if not folder.is_dir():
        return None
    stamp = folder / key.text / COMPLETE
    with locked(folder, SHARED):
        if not stamp.exists():
            return None
        # `tidy` removes environments by the time of their last use.
        stamp.touch()
    return ENVIRONMENT + key.text


def tidy(home: Path, unused_since: float) -> int:
    """Remove environments unused since a time, and broken ones; return their number.

    `unused_since` is in seconds since 1970. States of builds that no other build has
    continued from since then are removed as well, and do not count.
    """
    folder = home / "envs"
    removed = 0
    for path in unused(home, unused_since):
        with locked(folder, EXCLUSIVE):
            # A build may have continued from it meanwhile.
            if _last_use(path) >= unused_since:
                continue
            # Nothing may use an environment of which a file is missing already.
            rest = path.with_name(f".removed-{path.name}-{time.time_ns()}")
            path.rename(rest)
        shutil.rmtree(rest, ignore_errors=True)
        removed += is_build(path)
    return removed


def unused(home: Path, since: float) -> list[Path]:
    """Return the environments, and states of builds, unused since a time; see `tidy`."""
    return [path for path in (home / "envs").glob("*") if _last_use(path) < since]


def is_build(path: Path) -> bool:
    """Return whether a folder is an environment, and no state of a build."""
    return _KEY.fullmatch(path.name) is not None


def is_complete(path: Path) -> bool:
    """Return whether a folder is an environment whose steps have all succeeded."""
    return is_build(path) and (path / COMPLETE).exists()


def _last_use(folder: Path) -> float:
    for stamp in (folder / COMPLETE, folder / STATE):
        if stamp.exists():
            return stamp.stat().st_mtime
    return folder.stat().st_mtime


def image_key_of(
    plan: ExperimentSet, revision: str, home: Path, environment: Mapping[str, str]
) -> ImageKey:
    """Return the key of a plan's environment."""
    files = project_files(home, plan.project, revision)
    python = pod_to_process.find_python(environment)
    modified_ns = os.stat(python).st_mtime_ns  # noqa: PTH116
    salt = _identity(python, modified_ns)
    return image_key(plan, files, salt=f"{salt} isolated" if plan.isolated else salt)


@cache
def _identity(python: str, _modified_ns: int) -> str:
    completed = subprocess.run(
        [python, "-c", _IDENTITY], capture_output=True, check=False
    )
    return hashlib.sha256(completed.stdout or python.encode()).hexdigest()[:16]
