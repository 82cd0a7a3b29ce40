"""Bringing code to a user's store: `git push` through the API server's exec, so that only differences travel."""

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from riseml.cluster import pipe
from riseml.cluster.pod_exec import CommandError
from riseml.cluster.store import CONTAINER, REPOSITORIES, StorePod
from riseml.errors import RiseMLError, UnreachableError
from riseml.project import repository_of

# Whoever asks is about to start a run of it: `prune` goes by these stamps.
_HAS = """
git --git-dir="$1" cat-file -e "$2^{commit}" 2> /dev/null
mkdir -p "$1/riseml"; : > "$1/riseml/used-$2"
"""
_PROJECTS = "cd \"$1\" 2> /dev/null || exit 0; find . -maxdepth 1 -name '*.git' -print0"
# Each revision that stays gets a reference of its own in place of the machines' branches: these begin anew, and only
# what differs from one of the references travels. What came within the last hour may be somebody's who pushes now.
_PRUNE = r"""
cd "$1"; export GIT_DIR=.; files=$(mktemp -d); trap 'rm -rf "$files"' EXIT
find riseml -name 'used-*' -mmin +60 -exec rm -f {} + 2> /dev/null || :
cat > "$files/told"
[ "$(tail -n 1 "$files/told")" = end ]  # else the connection broke in the middle of the list
ls riseml 2> /dev/null | sed -n 's|^used-||p' >> "$files/told"
sort -u "$files/told" | sed 's|$|^{commit}|' > "$files/wanted"
git cat-file --batch-check='%(objectname) %(objecttype)' < "$files/wanted" > "$files/found"
sed -n 's|^\(.*\) commit$|refs/keep/\1|p' "$files/found" > "$files/kept"
git for-each-ref --format='%(refname)' > "$files/there"
{
  sed 's|.*/\(.*\)|update & \1|' "$files/kept"
  grep -vxFf "$files/kept" "$files/there" | sed 's|^|delete |'
} > "$files/changes"
git update-ref --stdin < "$files/changes"
git repack -A -d -q --unpack-unreachable=1.hour.ago
git prune --expire=1.hour.ago
"""
_RECEIVE = (
    'test -e "$1/HEAD" || git init -q --bare "$1"; '
    'exec git -c receive.denyDeletes=false -c gc.auto=0 -c receive.autogc=false receive-pack "$1"'
)
# Two pushes at once may get in each other's way
_TRIES = 3


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
        said = _push(store, repository_of(project, home), place)
        if _has(store, place, revision):
            return
    raise UnreachableError(
        f"the code could not be pushed to the cluster: {said}",
        "`riseml doctor` may say more.",
    )


def prune(store: StorePod, revisions: Iterable[str]) -> None:
    """Drop all code from the store but these revisions, and what was brought there within the last hour."""
    kept = "".join(f"{each}\n" for each in [*revisions, "end"]).encode()
    for project in store.script(_PROJECTS, REPOSITORIES).decode().split("\0")[:-1]:
        store.script(_PRUNE, f"{REPOSITORIES}/{project}", stdin=[kept])


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
    remote = "ext::" + " ".join(
        word.replace("%", "%%").replace(" ", "% ") for word in [*words, place]
    )
    branch = hashlib.sha256(f"{platform.node()}:{repository}".encode()).hexdigest()[:16]
    command = [
        "git",
        f"--git-dir={repository}",
        "-c",
        "protocol.ext.allow=always",
        "push",
        "--quiet",
        remote,
    ]
    command.append(f"+refs/heads/riseml:refs/heads/{branch}")
    environment = {
        **os.environ,
        **pipe.environment(store.api.connection),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C",
    }
    environment |= {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise RiseMLError(
            "there is no `git` to bring the code to the cluster with", "Install Git."
        ) from None
    return done.stderr.strip()
