"""Bringing code to a user's store: `git push` through the API server's exec, so that only differences travel."""

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

from riseml.cluster import pipe
from riseml.cluster.execution import CommandError
from riseml.cluster.store import CONTAINER, REPOSITORIES, StorePod
from riseml.errors import RiseMLError, UnreachableError

_HAS = 'git --git-dir="$1" cat-file -e "$2^{commit}" 2> /dev/null'
_RECEIVE = (
    'test -e "$1/HEAD" || git init -q --bare "$1"; '
    'exec git -c receive.denyDeletes=false -c gc.auto=0 -c receive.autogc=false receive-pack "$1"'
)
_TRIES = 3  # two pushes at once may get in each other's way


def push(store: StorePod, home: Path, project: str, revision: str) -> None:
    """Make sure that the store has a revision of the home's repository.

    Raises:
        UnreachableError: it cannot be brought there.
    """
    place = f"{REPOSITORIES}/{project}.git"
    if _has(store, place, revision):
        return
    said = ""
    for _ in range(_TRIES):
        said = _push(store, home / "store" / "repos" / f"{project}.git", place)
        if _has(store, place, revision):
            return
    raise UnreachableError(f"the code could not be pushed to the cluster: {said}", "`riseml doctor` may say more.")


def _has(store: StorePod, place: str, revision: str) -> bool:
    try:
        store.script(_HAS, place, revision)
    except CommandError as error:
        if error.output:
            raise
        return False
    return True


def _push(store: StorePod, repository: Path, place: str) -> str:
    """Push the whole branch: its history is how Git knows what is there already."""
    words = [
        sys.executable,
        "-m",
        pipe.__name__,
        store.namespace,
        store.pod,
        CONTAINER,
        "sh",
        "-ec",
        _RECEIVE,
        "riseml",
    ]
    remote = "ext::" + " ".join(word.replace("%", "%%").replace(" ", "% ") for word in [*words, place])
    branch = hashlib.sha256(f"{platform.node()}:{repository}".encode()).hexdigest()[:16]
    command = ["git", f"--git-dir={repository}", "-c", "protocol.ext.allow=always", "push", "--quiet", remote]
    command.append(f"+refs/heads/riseml:refs/heads/{branch}")
    environment = {**os.environ, **pipe.environment(store.api.connection), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise RiseMLError("there is no `git` to bring the code to the cluster with", "Install Git.") from None
    return done.stderr.strip()
