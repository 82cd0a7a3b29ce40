"""Disk space of a user on a cluster, as `du` in the store counts it, and what `prune` would free."""

from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import attrgetter

from riseml.cluster.store import REPOSITORIES, RunsScripts
from riseml.consumption import Disk, DiskUse
from riseml.engines.argo.images import Images
from riseml.status import SetStatus

_BYTES_PER_UNIT = 1024
# A run is in a folder of its project, or an adopted one is a link there; a file with several names counts once.
_OUTPUTS = """
cd "/output/$1" 2> /dev/null || exit 0
du -k -d 2 .
for folder in ./*/[0-9]*; do [ ! -L "$folder" ] || du -k -H -s "$folder"; done
"""
_CODE = 'cd "$1" 2> /dev/null || exit 0; du -k -d 1 .'
# Prints the bytes of objects that neither the revisions in the input need, nor those used within the last hour.
_UNUSED = r"""
cd "$1" 2> /dev/null || exit 0
kept=$(mktemp); trap 'rm -f "$kept"' EXIT
cat > "$kept"
for repository in *.git; do
  [ -d "$repository" ] || continue
  export GIT_DIR=$repository
  { cat "$kept"; find "$repository/riseml" -name 'used-*' -mmin -60 2> /dev/null | sed 's|.*/used-||'; } |
    sed 's|$|^{commit}|' | git cat-file --batch-check='%(objectname) %(objecttype)' |
    sed -n 's|^\(.*\) commit$|^\1|p' | git rev-list --disk-usage --objects --all --stdin
done
"""
_IMAGES = "The registry does not say how much space images take."
_ACTIVE = "`prune` keeps images and code while a run is active."


def measured(
    store: RunsScripts,
    images: Images,
    *,
    user: str,
    last_number: int,
    removed: Sequence[SetStatus],
    kept: Sequence[SetStatus],
    unused_since: float,
) -> DiskUse:
    """Return the disk space of a user, and what removing runs and what is unused would free.

    `kept` are all other runs. `unused_since` is in seconds since 1970.

    Raises:
        RiseMLError: the store is unavailable.
    """
    has_active = not all(run.state.is_terminal for run in kept)
    folders = _sizes(store.script(_OUTPUTS, user))
    outputs, in_projects = {}, 0
    for path, size in folders.items():
        _, _, number = path.partition("/")
        if number.isdecimal():
            outputs[number] = size
            in_projects += size
    code = {}
    repositories = _sizes(store.script(_CODE, REPOSITORIES))
    # The folder of all repositories has no name.
    repositories.pop("", None)
    for path, size in repositories.items():
        code[path.removesuffix(".git")] = size
    count = images.count()
    notes = [_IMAGES] if count else []
    unused_builds = freed_code = 0
    if has_active:
        notes.append(_ACTIVE)
    else:
        unused_builds = len(images.unused(unused_since))
        freed_code = _unused_code(store, kept)
    removed_ids = map(attrgetter("id"), removed)
    freed_outputs = sum(map(outputs.get, removed_ids, repeat(0)))
    return DiskUse(
        outputs=outputs,
        code=code,
        build_count=count,
        other=max(0, folders.get("", 0) - in_projects),
        last_number=last_number,
        freed=Disk(outputs=freed_outputs, code=freed_code),
        unused_builds=unused_builds,
        notes=tuple(notes),
    )


def _sizes(output: bytes) -> dict[str, int]:
    """Return bytes by the path that `du` prints, without the dot at its beginning."""
    sizes = {}
    for line in output.decode(errors="replace").splitlines():
        size, _, path = line.partition("\t")
        if size.isdecimal():
            sizes[path.removeprefix(".").removeprefix("/")] = (
                int(size) * _BYTES_PER_UNIT
            )
    return sizes


def _unused_code(store: RunsScripts, kept: Iterable[SetStatus]) -> int:
    revisions: set[str] = set()
    for run in kept:
        revisions.update(shard.revision for shard in run.workflows if shard.revision)
    lines = "".join(map("{}\n".format, sorted(revisions))).encode()
    sizes = store.script(_UNUSED, REPOSITORIES, stdin=[lines])
    return sum(map(int, sizes.split()))
