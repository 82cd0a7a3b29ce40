"""Install RiseML on a cluster, and inspect or test it.

For administrators, with the rights of a kubeconfig. `test` starts experiments under your
own user name.
"""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from riseml.cli import options, output
from riseml.cli.cluster_info import info
from riseml.cli.cluster_options import Context, Kubeconfig, connect
from riseml.cli.smoke_test import smoke_test
from riseml.errors import InvalidInputError, TimedOutError

if TYPE_CHECKING:
    from riseml.cluster.api import Api
    from riseml.cluster.installation import Step
    from riseml.cluster.values import Values

ValuesFile = Annotated[
    str | None,
    typer.Option(
        "-f", "--values", metavar="FILE", help="Values; argo/values.yml explains them."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the changes; change nothing.")
]
DryRunFormat = Annotated[
    Literal["text", "yaml", "json"],
    typer.Option("-o", "--output", metavar="FORMAT", help="Format of --dry-run."),
]
Wait = Annotated[
    str,
    typer.Option(
        "--wait",
        metavar="TIME",
        help="Wait this long until everything is ready; 0 does not wait.",
    ),
]

_SIGNS = {"created": "+", "changed": "~", "removed": "-", "unchanged": " "}
# More would wrap the line of an object.
_MAX_FIELDS = 5
_POLL_SECONDS = 1.0


def install(
    values: ValuesFile = None,
    yes: options.Yes = False,
    dry_run: DryRun = False,
    output_format: DryRunFormat = "text",
    wait: Wait = "3m",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Install what all users share: roles, BuildKit with its certificates, a registry.

    The command shows its changes and asks first. Without a file, it uses the values
    stored on the cluster, or the defaults if there are none. Running it again changes
    nothing.

    Examples:
      riseml system install -f values.yml
      riseml system install -f values.yml --dry-run -o yaml > riseml.yaml
    """
    api = connect(kubeconfig, context)
    _install(
        api,
        _values(api, values),
        yes=yes,
        dry_run=dry_run,
        output_format=output_format,
        wait=wait,
    )


def upgrade(
    values: ValuesFile = None,
    yes: options.Yes = False,
    dry_run: DryRun = False,
    output_format: DryRunFormat = "text",
    wait: Wait = "3m",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Upgrade an installation to this version, with the values stored on the cluster.

    `riseml user update` upgrades the namespace of a user.
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
    _install(
        api,
        _values(api, values),
        yes=yes,
        dry_run=dry_run,
        output_format=output_format,
        wait=wait,
    )


def uninstall(
    yes: options.Yes = False,
    users: Annotated[
        bool, typer.Option("--users", help="Also remove the namespaces of all users.")
    ] = False,
    dry_run: DryRun = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Remove the installation; users keep their namespaces unless --users is given."""
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
    output.note(
        "Volumes with the reclaim policy Retain stay, and so do the settings in Argo's ConfigMap."
    )
    if dry_run or not _agrees("Remove all of this and everything in it?", yes=yes):
        return
    installation.remove(api, bodies)
    output.note("Removed. Namespaces disappear after some seconds.")


def _install(
    api: "Api",
    values: "Values",
    *,
    yes: bool,
    dry_run: bool,
    output_format: str,
    wait: str,
) -> None:
    if output_format != "text" and not dry_run:
        raise InvalidInputError(
            f"-o {output_format} needs --dry-run", "Give both options or neither."
        )
    limit = options.parse_duration(wait).total_seconds()
    if dry_run and output_format != "text":
        _write_objects(values, output_format)
    else:
        _apply(api, values, yes=yes, dry_run=dry_run, limit=limit)


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
) -> None:
    from datetime import UTC, datetime

    from riseml.cluster import installation

    now = datetime.now(UTC)
    steps = installation.plan(api, values, now)
    for step in steps:
        output.say(_describe(step))
    changes = sum(step.outcome != "unchanged" for step in steps)
    server = api.connection.server
    output.note(f"{changes} of {len(steps)} objects on {server} change.")
    if dry_run or (changes and not _agrees("Apply these changes?", yes=yes)):
        return
    # Also without changes: new users' namespaces may lack the certificates.
    installation.apply(api, values, steps, now)
    if limit:
        _wait_until_ready(api, limit)
    output.note("RiseML is installed. Create users with `riseml user create`.")


def _describe(step: "Step") -> str:
    text = f"{_SIGNS[step.outcome]} {step.name} {step.outcome}"
    if not step.fields:
        return text
    fields = ", ".join(step.fields[:_MAX_FIELDS])
    if len(step.fields) > _MAX_FIELDS:
        fields += ", …"
    return f"{text} ({fields})"


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
