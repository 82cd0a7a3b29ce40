"""Install RiseML on a cluster, and inspect or test it.

For administrators, with the rights of a kubeconfig. `test` starts experiments under your
own user name.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from riseml.cli import installation_plan, options, output, user_refresh
from riseml.cli.cluster_info import info
from riseml.cli.cluster_options import Context, Kubeconfig, connect
from riseml.cli.installation_plan import (
    ARGO_CHECKS,
    KUBERNETES_CHECK,
    InstallationPlan,
)
from riseml.cli.parameters import Option
from riseml.cli.smoke_test import smoke_test
from riseml.dataclass import dataclass
from riseml.errors import InvalidInputError, NotAllowedError, TimedOutError

if TYPE_CHECKING:
    from riseml.cluster.api import Api
    from riseml.cluster.values import Values

ValuesFile = Annotated[
    str | None,
    Option(
        "-f", "--values", metavar="FILE", help="Values; argo/values.yml explains them."
    ),
]
DryRun = Annotated[bool, Option("--dry-run", help="Show the changes; change nothing.")]
Check = Annotated[
    bool,
    Option(
        "--check",
        help="Show what the cluster has and lacks, the changes, and what is not allowed.",
    ),
]
DryRunFormat = Annotated[
    Literal["text", "yaml", "json"],
    Option("-o", "--output", metavar="FORMAT", help="Format of --dry-run and --check."),
]
Wait = Annotated[
    str,
    Option(
        "--wait",
        metavar="TIME",
        help="Wait this long until everything is ready; 0 does not wait.",
    ),
]

_POLL_SECONDS = 1.0


def install(
    values: ValuesFile = None,
    yes: options.Yes = False,
    dry_run: DryRun = False,
    check: Check = False,
    output_format: DryRunFormat = "text",
    wait: Wait = "3m",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Install what all users share: roles, BuildKit with its certificates, a registry.

    The command shows its changes and asks first. Without a file, it uses the values
    stored on the cluster, or the defaults if there are none. It takes the instance id
    of the cluster's Argo if the values have none. Running it again changes nothing.
    With --check, nothing changes, and the exit status is 1 if installing is not
    possible, or runs could not start afterwards.

    Examples:
      riseml system install --check
      riseml system install -f values.yml
      riseml system install -f values.yml --dry-run -o yaml > riseml.yaml
    """
    api = connect(kubeconfig, context)
    view = _View(output_format, dry_run=dry_run, check=check)
    return _install(api, _values(api, values), view, yes=yes, wait=wait)


def upgrade(
    values: ValuesFile = None,
    yes: options.Yes = False,
    dry_run: DryRun = False,
    check: Check = False,
    output_format: DryRunFormat = "text",
    wait: Wait = "3m",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Upgrade an installation to this version, with the values stored on the cluster.

    The namespaces of all users get the changes, too.
    """
    from riseml.cluster import SYSTEM
    from riseml.cluster.api import path

    api = connect(kubeconfig, context)
    # Without this check, `upgrade` on the wrong cluster would install RiseML there.
    if api.find(path("namespaces", None, SYSTEM)) is None:
        raise InvalidInputError(
            "RiseML is not installed on this cluster",
            "Install it with `riseml system install`.",
        )
    view = _View(output_format, dry_run=dry_run, check=check)
    return _install(api, _values(api, values), view, yes=yes, wait=wait)


def uninstall(
    yes: options.Yes = False,
    users: Annotated[
        bool, Option("--users", help="Also remove the namespaces of all users.")
    ] = False,
    dry_run: DryRun = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Remove the installation; users keep their namespaces unless --users is given.

    With --users, all runs, logs and results go as well, and the files of volumes with
    the reclaim policy Delete. The command first says how many there are.

    Examples:
      riseml system uninstall --users --dry-run
    """
    from riseml.cluster import installation

    api = connect(kubeconfig, context)
    bodies = installation.removable(api, users=users)
    if not bodies:
        output.note("Nothing of RiseML is on this cluster.")
        return
    # The question would be meaningless without the list.
    for body in bodies:
        output.say(f"- {body['kind']} {body['metadata']['name']}")
    namespaces = [] if users else installation.user_namespaces(api)
    if namespaces:
        names = ", ".join(namespaces)
        output.note(f"These namespaces stay, with the policy for their pods: {names}.")
    question = "Remove all of this and everything in it?"
    if users and _warn_of_losses(api):
        question = "Delete all users, with their runs and files?"
    output.note("The settings in Argo's ConfigMap stay.")
    if dry_run or not _agrees(question, yes=yes):
        return
    installation.remove(api, bodies)
    output.note("Removed. Namespaces disappear after some seconds.")


def _warn_of_losses(api: "Api") -> bool:
    """Say what is lost with the namespaces of users; return whether there are any."""
    from riseml.cluster import losses

    lost = losses.of_all_users(api)
    if not lost.users:
        return False
    names = ", ".join(lost.users)
    output.note(
        f"Warning: this deletes {len(lost.users)} users ({names}) with all their runs, logs and results;"
        f" {lost.active_runs} runs are active."
    )
    output.note(
        f"The files of {lost.deleted_volumes} volumes are deleted with them (reclaim policy Delete);"
        f" {lost.kept_volumes} volumes stay (Retain), for an administrator to delete."
    )
    return True


@dataclass(frozen=True)
class _View:
    """Options of a command that only shows something; without them, it installs."""

    output_format: str
    dry_run: bool
    check: bool


def _install(api: "Api", values: "Values", view: _View, *, yes: bool, wait: str) -> int:
    """Do what the options ask for, and return the exit status."""
    if view.output_format != "text" and not (view.dry_run or view.check):
        raise InvalidInputError(
            f"-o {view.output_format} needs --dry-run or --check",
            "Give both options or neither.",
        )
    _check_namespace(api)
    limit = options.parse_duration(wait).total_seconds()
    if view.check:
        return _check(api, values, view.output_format)
    if view.dry_run and view.output_format != "text":
        _write_objects(values, view.output_format)
        return 0
    return _apply(api, values, yes=yes, dry_run=view.dry_run, limit=limit)


def _check_namespace(api: "Api") -> None:
    """Refuse an installation that would disappear with a namespace that is being deleted.

    Raises:
        InvalidInputError: the namespace of RiseML is being deleted.
    """
    from riseml.cluster import SYSTEM
    from riseml.cluster.api import path

    namespace = api.find(path("namespaces", None, SYSTEM)) or {}
    if "deletionTimestamp" in namespace.get("metadata", {}):
        raise InvalidInputError(
            f"the namespace {SYSTEM} is being deleted", "Try again when it is gone."
        )


def _check(api: "Api", values: "Values", output_format: str) -> int:
    """Print the plan, and return 1 if it is not possible."""
    plan = installation_plan.make(api, values, datetime.now(UTC))
    if output_format == "text":
        installation_plan.show(plan, with_all=True)
        output.note(installation_plan.summary(plan, api.connection.server))
    else:
        installation_plan.write_data(plan, output_format)
    return 1 if plan.refused or plan.failures else 0


def _write_objects(values: "Values", output_format: str) -> None:
    """Print the objects of an installation, for `kubectl apply`."""
    from riseml.cluster import installation

    objects = installation.objects(values)
    if output_format == "json":
        output.data({"apiVersion": "v1", "kind": "List", "items": objects}, "json")
        return
    from riseml import manifest

    output.write("---\n".join(map(manifest.to_yaml, objects)))


def _apply(
    api: "Api", values: "Values", *, yes: bool, dry_run: bool, limit: float
) -> int:
    from riseml.cluster import installation

    now = datetime.now(UTC)
    plan = installation_plan.make(api, values, now)
    installation_plan.show(plan, with_all=False)
    output.note(installation_plan.summary(plan, api.connection.server))
    if dry_run:
        return 0
    _check_possible(plan)
    has_changes = plan.changes or plan.users
    if has_changes and not _agrees("Apply these changes?", yes=yes):
        return 0
    # Also without changes: new users' namespaces may lack the certificates.
    installation.apply(api, plan.values, plan.steps, now)
    if plan.users:
        _update(api, plan)
    if limit:
        _wait_until_ready(api, limit)
    return _conclude(plan)


def _check_possible(plan: InstallationPlan) -> None:
    """Refuse to install half of a plan.

    Raises:
        NotAllowedError: the cluster refuses an object, or cannot have one.
    """
    if plan.refused:
        raise NotAllowedError(
            f"the cluster refuses {len(plan.refused)} of {len(plan.steps)} objects, for the reasons above",
            "Nothing was changed. `--dry-run -o yaml` prints the objects for somebody with more rights.",
        )
    for finding in plan.failures:
        if finding.title == KUBERNETES_CHECK:
            raise NotAllowedError(f"Kubernetes {finding.detail}", finding.fix)


def _update(api: "Api", plan: InstallationPlan) -> None:
    from riseml.cluster.users import Users

    user_refresh.update_these(Users(api, plan.values.offer()), plan.users)


def _conclude(plan: InstallationPlan) -> int:
    """Say that RiseML is installed, and return 1 if no run could start."""
    for finding in plan.failures:
        if finding.title in ARGO_CHECKS:
            output.note(
                f"RiseML is installed, but no run can start: {finding.detail}. {finding.fix}"
            )
            return 1
    output.note("RiseML is installed. Create users with `riseml user create`.")
    return 0


def _wait_until_ready(api: "Api", limit: float) -> None:
    import time

    from riseml.cluster import installation

    end = time.monotonic() + limit
    while missing := installation.not_ready(api):
        if time.monotonic() > end:
            raise TimedOutError(
                f"not ready after {limit:g} s: {', '.join(missing)}",
                f"`kubectl -n riseml describe deployment {missing[0]}` shows why. Everything else is installed.",
            )
        time.sleep(_POLL_SECONDS)


def _values(api: "Api", file: str | None) -> "Values":
    from riseml.cluster.values import load, read_values

    return load(file) if file else read_values(api)


def _agrees(question: str, *, yes: bool) -> bool:
    """Return whether the user agrees, and say so otherwise."""
    agrees = output.confirm(question, yes=yes)
    if not agrees:
        output.note("Nothing was changed.")
    return agrees


COMMANDS = {
    "install": install,
    "uninstall": uninstall,
    "upgrade": upgrade,
    "info": info,
    "test": smoke_test,
}
