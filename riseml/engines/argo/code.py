"""Transfer of code to and from a user's store: `git push` and `git fetch` through the API server's exec.

Git sends only what the store lacks. Every revision that is used is stamped there, so
that pruning spares code whose run is just being started.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from riseml.cluster import pipe
from riseml.cluster.command_error import CommandError
from riseml.cluster.repositories import ANY_OWNER, INITIALIZE
from riseml.cluster.store import CONTAINER, REPOSITORIES, StorePod
from riseml.engines.argo import push_progress
from riseml.errors import RiseMLError, UnreachableError
from riseml.project import repository_of
from riseml.project.store import Store

_Runner = Callable[
    [Sequence[str], Mapping[str, str]], "subprocess.CompletedProcess[str]"
]
# The caller is about to start a run of the revision: `prune` relies on the stamp.
_HAS = """
git --git-dir="$1" cat-file -e "$2^{commit}" 2> /dev/null
mkdir -p "$1/riseml"; : > "$1/riseml/used-$2"
"""
_PROJECTS = "cd \"$1\" 2> /dev/null || exit 0; find . -maxdepth 1 -name '*.git' -print0"
# Each revision that stays gets its own reference in place of the machines' branches. These start again from nothing,
# and still only what differs from a reference is sent. Code of the last hour may belong to a push in progress.
_PRUNE = r"""
cd "$1"; export GIT_DIR=.; files=$(mktemp -d); trap 'rm -rf "$files"' EXIT
find riseml -name 'used-*' -mmin +60 -exec rm -f {} + 2> /dev/null || :
cat > "$files/revisions"
[ "$(tail -n 1 "$files/revisions")" = end ]  # else the connection broke in the middle of the list
ls riseml 2> /dev/null | sed -n 's|^used-||p' >> "$files/revisions"
sort -u "$files/revisions" | sed 's|$|^{commit}|' > "$files/commits"
git cat-file --batch-check='%(objectname) %(objecttype)' < "$files/commits" > "$files/objects"
sed -n 's|^\(.*\) commit$|refs/keep/\1|p' "$files/objects" > "$files/new-refs"
git for-each-ref --format='%(refname)' > "$files/old-refs"
{
  sed 's|.*/\(.*\)|update & \1|' "$files/new-refs"
  grep -vxFf "$files/new-refs" "$files/old-refs" | sed 's|^|delete |'
} > "$files/changes"
git update-ref --stdin < "$files/changes"
git repack -A -d -q --unpack-unreachable=1.hour.ago
git prune --expire=1.hour.ago
"""
_RECEIVE = (
    ANY_OWNER
    + INITIALIZE
    + 'exec git -c receive.denyDeletes=false -c gc.auto=0 -c receive.autogc=false receive-pack "$1"'
)
# A revision has no name of its own in the store, and no name here may change.
_SEND = ANY_OWNER + 'exec git -c uploadpack.allowAnySHA1InWant=true upload-pack "$1"'
# Two simultaneous pushes to one repository can make each other fail.
_ATTEMPTS = 3


def push(store: StorePod, home: Path, project: str, revision: str) -> None:
    """Ensure that the store has a revision of the home's repository.

    Raises:
        UnreachableError: the code cannot be pushed.
    """
    target = f"{REPOSITORIES}/{project}.git"
    if _has(store, target, revision):
        return
    message = ""
    for _ in range(_ATTEMPTS):
        message = _push(store, repository_of(project, home), target)
        # The message does not count: a failed push may have sent what is needed.
        if _has(store, target, revision):
            return
    raise UnreachableError(
        f"the code could not be pushed to the cluster: {message}",
        "`riseml doctor` may say more.",
    )


def fetch(store: StorePod, home: Path, project: str, revision: str) -> Path:
    """Ensure that the home's repository has a revision; return the repository.

    Raises:
        UnreachableError: neither the home nor the store has it.
    """
    repository = repository_of(project, home)
    if _is_in(repository, revision):
        return repository
    with Store(repository).locked():
        result = _run_git(
            store,
            repository,
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            _remote(store, f"{REPOSITORIES}/{project}.git", _SEND),
            revision,
        )
    if result.returncode:
        raise UnreachableError(
            f"the code {revision[:12]} cannot be fetched from the cluster: {result.stderr.strip()}",
            "It may have been removed with the last run that used it.",
        )
    return repository


def _is_in(repository: Path, revision: str) -> bool:
    command = [
        "git",
        f"--git-dir={repository}",
        "cat-file",
        "-e",
        f"{revision}^{{commit}}",
    ]
    try:
        return not subprocess.run(command, capture_output=True, check=False).returncode
    except FileNotFoundError:
        raise _no_git() from None


def prune(store: StorePod, revisions: Iterable[str]) -> None:
    """Remove all code from the store but these revisions and what was pushed within the last hour."""
    lines = "".join(map("{}\n".format, [*revisions, "end"])).encode()
    for project in store.script(_PROJECTS, REPOSITORIES).decode().split("\0")[:-1]:
        store.script(_PRUNE, f"{REPOSITORIES}/{project}", stdin=[lines])


def _has(store: StorePod, repository: str, revision: str) -> bool:
    try:
        store.script(_HAS, repository, revision)
    except CommandError as error:
        # Git says nothing if only the commit is missing.
        if error.output:
            raise
        return False
    return True


def _push(store: StorePod, repository: Path, target: str) -> str:
    """Push the whole branch and return what Git wrote.

    The history of the branch tells Git what the store has already.
    """
    machine = f"{os.uname().nodename}:{repository}".encode()
    branch = hashlib.sha256(machine).hexdigest()[:16]
    result = _run_git(
        store,
        repository,
        "push",
        "--progress",
        _remote(store, target, _RECEIVE),
        f"+refs/heads/riseml:refs/heads/{branch}",
        run=push_progress.run,
    )
    return result.stderr.strip()


def _run(
    command: Sequence[str], environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )


def _run_git(
    store: StorePod, repository: Path, *arguments: str, run: _Runner = _run
) -> "subprocess.CompletedProcess[str]":
    command = ["git", f"--git-dir={repository}", "-c", "protocol.ext.allow=always"]
    try:
        return run([*command, *arguments], _environment(store))
    except FileNotFoundError:
        raise _no_git() from None


def _no_git() -> RiseMLError:
    return RiseMLError(
        "code cannot be sent to or from the cluster without `git`", "Install Git."
    )


def _remote(store: StorePod, target: str, script: str) -> str:
    """Return the address that lets Git run a script in the store's pod."""
    words = [
        sys.executable,
        "-m",
        pipe.__name__,
        store.namespace,
        store.pod,
        CONTAINER,
        "sh",
        "-ec",
        script,
        "riseml",
        target,
    ]
    # Git splits the address at spaces and expands `%`.
    quoted = [word.replace("%", "%%").replace(" ", "% ") for word in words]
    return "ext::" + " ".join(quoted)


def _environment(store: StorePod) -> dict[str, str]:
    return {
        **os.environ,
        **pipe.environment(store.api.connection),
        # The user's Git settings must not change what is pushed or how.
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "LC_ALL": "C",
        # The pipe runs the same riseml as this process.
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
