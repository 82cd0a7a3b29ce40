"""Checks of a user's volumes, in the store's pod: claims, access and free space."""

from collections.abc import Sequence
from itertools import filterfalse
from operator import attrgetter

from riseml.cluster.api import path
from riseml.cluster.argo_controllers import controllers
from riseml.cluster.command_error import CommandError
from riseml.cluster.repositories import ANY_OWNER, INITIALIZE
from riseml.cluster.store import REPOSITORIES, StorePod
from riseml.doctor.check_context import CheckContext, for_administrators
from riseml.doctor.findings import Outcome, failed, ok, skipped, warning
from riseml.excerpts import LONGEST, excerpt
from riseml.status.document import inner

NOT_READY = "the store is not ready"
_FULL_PERCENT = 90
_REPOSITORIES = "artifact-repositories"
_DEFAULT_REPOSITORY = "workflows.argoproj.io/default-artifact-repository"
# Prints the users of the process and of its files. The first command that fails ends it, with its own message.
_ACCESS = f"""{ANY_OWNER}
umask 0
cd "$1"
probe=$1/.riseml-doctor-$(hostname)-$$
trap 'rm -rf "$probe"' EXIT
mkdir "$probe"
echo written > "$probe/new"
mv "$probe/new" "$probe/file"
[ "$(cat "$probe/file")" = written ] || {{ echo "a file that was written cannot be read again" >&2; exit 1; }}
set -- "$probe/probe.git"
{INITIALIZE}
object=$(git --git-dir="$1" hash-object -w "$probe/file")
[ "$(git --git-dir="$1" cat-file -p "$object")" = written ]
git upload-pack --advertise-refs "$1" > /dev/null
id -u
stat -c %u "$probe/file"
"""


@for_administrators
def outputs(context: CheckContext) -> Outcome:
    """The place of jobs' output."""
    target = context.target
    if not target.saves_artifacts:
        return ok(f"the volume {target.output_claim}")
    config_map = context.api.find(path("configmaps", context.namespace, _REPOSITORIES))
    annotations = inner(config_map, "metadata", "annotations")
    repository = annotations.get(_DEFAULT_REPOSITORY)
    if repository:
        return ok(f"Argo's artifact repository {repository}, of {_REPOSITORIES}")
    for controller in controllers(context.api):
        if controller.settings.get("artifactRepository"):
            return ok("the artifact repository of Argo's controller")
    return failed(
        f"there is no artifact repository for {context.namespace}",
        f"An administrator creates the ConfigMap {_REPOSITORIES} there: docs/cluster/storage.md has an example.",
    )


def access(
    context: CheckContext, folders: Sequence[str] = (REPOSITORIES, "/output")
) -> Outcome:
    """Files and Git in the volumes."""
    if context.store is None:
        return skipped(NOT_READY)
    users = ""
    for folder in folders:
        try:
            users = context.store.script(_ACCESS, folder).decode()
        except CommandError as error:
            # Git explains its first line in further ones.
            problem = error.output.strip().partition("\n")[0] or str(error)
            return failed(
                f"{folder}: {excerpt(problem, LONGEST)}",
                "An administrator lets the user of the store's pod write to the volume, or"
                " chooses another one: `securityContext` in values.yml.",
            )
    user, owner = users.split()
    if user == owner:
        return ok(f"user {user} writes and reads them")
    return ok(f"user {user} writes and reads them; new files belong to user {owner}")


def claims(context: CheckContext) -> Outcome:
    """The claims for data, output and code."""
    phases = {}
    for claim in context.items("persistentvolumeclaims"):
        phase = claim.get("status", {}).get("phase", "?")
        phases[claim["metadata"]["name"]] = phase
    target = context.target
    names = [target.data_claim, target.output_claim, target.store_claim]
    names += map(attrgetter("claim"), target.volumes)
    missing = list(filterfalse(phases.__contains__, names))
    unbound = []
    for name in filter(phases.__contains__, names):
        if phases[name] != "Bound":
            unbound.append(f"{name} is {phases[name]}")
    if missing:
        advice = f"{context.recreate_advice} Claims that `volumes` of values.yml names are created by hand."
        return failed(f"there is no {', '.join(missing)}", advice)
    if unbound:
        return failed(
            ", ".join(unbound),
            "An administrator checks `storage` in values.yml: the class must exist and support ReadWriteMany.",
        )
    return ok(f"all {len(names)} are bound")


def space(context: CheckContext) -> Outcome:
    """Free space in the volumes."""
    if context.store is None:
        return skipped(NOT_READY)
    usage = _volume_usage(context.store)
    detail = ", ".join(f"{name} {percent}%" for name, percent in usage.items())
    if max(usage.values(), default=0) >= _FULL_PERCENT:
        return warning(
            f"in use: {detail}",
            "Free space with `riseml prune --older-than 14d` and `riseml rm`.",
        )
    return ok(f"in use: {detail}")


def _volume_usage(store: StorePod) -> dict[str, int]:
    """Return the used percentage of the store's volumes, by their mount points."""
    usage = {}
    table = store.script("df -P /data /output /store").decode()
    for line in table.splitlines()[1:]:
        *_, capacity, mount_point = line.split()
        percent = capacity.rstrip("%")
        # Some network filesystems report "-".
        if percent.isdigit():
            usage[mount_point] = int(percent)
    return usage
