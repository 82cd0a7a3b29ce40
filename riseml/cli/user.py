"""Manage the users of a cluster, or log in to one.

A user is a namespace with a key. All commands except `login` are for administrators.
"""

from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from riseml import settings
from riseml.cli import formats, options, output
from riseml.cli.cluster_options import Kubeconfig, connect
from riseml.cli.documents import Document
from riseml.cli.table import Column
from riseml.errors import InvalidInputError

if TYPE_CHECKING:
    from riseml.cluster.access import Entry
    from riseml.cluster.users import Limits, User, Users

ApiKey = Annotated[
    str | None,
    typer.Option("--api-key", metavar="KEY", help="Key from the administrator."),
]
OtherApiHost = Annotated[
    str,
    typer.Option(
        "--api-host", metavar="URL", help="Address other than that in the key."
    ),
]
ArgoServer = Annotated[
    str,
    typer.Option(
        "--argo-server",
        metavar="URL",
        help="Argo Server other than that of the cluster.",
    ),
]
LoginKubeconfig = Annotated[
    str | None,
    typer.Option("--kubeconfig", metavar="FILE", help="A kubeconfig instead of a key."),
]
LoginContext = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="NAME",
        help="A context of it other than the current one.",
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace", metavar="NAME", help="A namespace other than the context's."
    ),
]
ContextName = Annotated[
    str,
    typer.Option("--name", metavar="NAME", help="Name for `riseml config`."),
]

Username = Annotated[
    str, typer.Option("--username", metavar="NAME", help="Name of the user.")
]
Name = Annotated[
    str, typer.Argument(metavar="NAME", show_default=False, help="Name of the user.")
]
Gpus = Annotated[
    str | None,
    typer.Option(
        "--gpus", metavar="NUMBER", help="Quota of GPUs for all running jobs."
    ),
]
Cpus = Annotated[
    str | None,
    typer.Option(
        "--cpus", metavar="NUMBER", help="Quota of cores for all running jobs."
    ),
]
Mem = Annotated[
    str | None,
    typer.Option(
        "--mem", metavar="AMOUNT", help="Quota of memory for all running jobs."
    ),
]
ApiHost = Annotated[
    str,
    typer.Option(
        "--api-host",
        metavar="URL",
        help="Address at which users reach the cluster, if not your own.",
    ),
]

_NO_LIMIT = "none"


class UserRecord(TypedDict):
    """A user of a cluster."""

    username: str
    email: str
    enabled: bool
    namespace: str
    limits: dict[str, str]
    """Quotas by Kubernetes' names of resources."""
    used: dict[str, str]
    """What running jobs request, by the same names."""


class UserWithKeyRecord(UserRecord):
    """A user of a cluster, with the key for `riseml user login`."""

    api_key: str | None
    """Null if the user is disabled."""


DOCUMENTS = {
    "user-list": Document(list[UserRecord]),
    "user-display": Document(UserWithKeyRecord),
}


def create(
    username: Username,
    email: Annotated[
        str,
        typer.Option("--email", metavar="ADDRESS", help="E-mail address of the user."),
    ],
    gpus: Gpus = None,
    cpus: Cpus = None,
    mem: Mem = None,
    api_host: ApiHost = "",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Create a user with a namespace, and print the key for `riseml user login`.

    Quotas limit what all running jobs request together. Without one there is no limit.

    Examples:
      riseml user create --username paul --email paul@example.com
      riseml user create --username ida --email ida@example.com --gpus 4 --mem 64Gi
    """
    limits = _limits(gpus, cpus, mem)
    user = _users(kubeconfig, api_host).create(username, email, limits)
    _show(user)
    output.note(f"{user.name} logs in with `riseml user login --api-key KEY`.")


def update(
    username: Username,
    email: Annotated[
        str | None,
        typer.Option("--email", metavar="ADDRESS", help="New e-mail address."),
    ] = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    mem: Mem = None,
    api_host: ApiHost = "",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Change or repair a user; a disabled user gets a new key.

    Quotas that are not given stay as they are, and `none` removes a quota. Missing
    objects of the user's namespace are created again.

    Examples:
      riseml user update --username paul --gpus 8
      riseml user update --username paul --gpus none
    """
    users = _users(kubeconfig, api_host)
    limits = _limits(gpus, cpus, mem)
    old_key = users.display(username).key
    user = users.update(username, email, limits)
    output.say(f"Username: {user.name}\nEmail: {user.email}")
    # The key is for the user alone, so it is printed only if it is needed.
    if user.key != old_key:
        output.say(f"API key: {user.key}")


def disable(
    name: Name, yes: options.Yes = False, kubeconfig: Kubeconfig = None
) -> None:
    """Revoke a user's key; running jobs continue, and nothing is deleted.

    `riseml user update` enables the user again, with a new key.
    """
    users = _users(kubeconfig)
    user = users.display(name)
    if not output.confirm(f"Disable {user.name} ({user.email})?", yes=yes):
        output.note("Nothing was changed.")
        return
    users.disable(name)
    output.say(f"User {user.name} disabled")


def list_(
    output_format: options.OutputFormat = "table",
    no_headers: options.NoHeaders = False,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List all users."""
    users = _users(kubeconfig).list()
    titles = ["Username", "Email", "Enabled"]
    rows = [[user.name, user.email, str(user.enabled)] for user in users]
    if output_format == "wide":
        titles += ["Namespace", "Quota"]
        for row, user in zip(rows, users, strict=True):
            row += [user.namespace, _quota(user)]
    data = formats.of_records(list(map(_record, users)), UserRecord, "username")
    columns = list(map(Column, titles))
    formats.write_table(data, columns, output_format, rows=rows, no_headers=no_headers)


def display(
    name: Name,
    output_format: options.OutputFormat = "table",
    api_host: ApiHost = "",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show a user with the key."""
    user = _users(kubeconfig, api_host).display(name)
    if formats.is_for_people(output_format):
        _show(user)
        return
    record: UserWithKeyRecord = {**_record(user), "api_key": user.key or None}
    data = formats.of_record(record, UserWithKeyRecord, "username")
    formats.write_data(data, output_format)


def login(
    api_key: ApiKey = None,
    api_host: OtherApiHost = "",
    argo_server: ArgoServer = "",
    kubeconfig: LoginKubeconfig = None,
    context: LoginContext = None,
    namespace: Namespace = None,
    name: ContextName = "",
) -> None:
    """Run on a cluster from now on.

    Without options, the command asks for the key, or reads it from standard input. This
    keeps the key out of the history of the shell. `riseml config use local` returns to
    this machine.

    Examples:
      riseml user login
      riseml user login --kubeconfig ~/.kube/config --context lab --namespace riseml-paul
    """
    from riseml.cluster import access

    uses_kubeconfig = bool(kubeconfig or context)
    if api_key is not None and uses_kubeconfig:
        raise InvalidInputError(
            "an API key and a kubeconfig exclude each other", "Give one of them."
        )
    if uses_kubeconfig:
        entry = access.by_kubeconfig(kubeconfig, context, namespace)
    else:
        key = api_key if api_key is not None else _read_key()
        entry = access.by_key(key, server=api_host)
    _log_in(access.verified(entry, argo=argo_server), name)


def _log_in(entry: "Entry", name: str) -> None:
    """Save a verified login, and print which cluster is in use now."""
    from riseml.cluster import access
    from riseml.engines.open import context_in_use

    context = access.remember(settings.load().file, entry, name)
    output.say(f"you are: {entry.connection.user} on {entry.connection.server}")
    output.note(
        f"Runs now go there (context {context}). "
        "`riseml config use local` returns to this machine."
    )
    # A project's settings or a variable may still choose this machine.
    effective = settings.load()
    if not context_in_use(effective):
        origin = effective.origins.get("engine")
        output.note(
            f"But {origin} sets `engine: {effective.engine}`, which overrides this."
        )


def _read_key() -> str:
    import sys

    if sys.stdin.isatty():
        import getpass

        # Hides what is typed
        return getpass.getpass("API key: ")
    return sys.stdin.read()


def _users(kubeconfig: str | None, server: str = "") -> "Users":
    from riseml.cluster.users import Users
    from riseml.cluster.values import read_values

    api = connect(kubeconfig)
    return Users(api, read_values(api).offer(), server=server)


def _limits(gpus: str | None, cpus: str | None, mem: str | None) -> "Limits":
    """Return the quotas that were given; None removes one."""
    limits: dict[str, str | None] = {}
    for name, text in (("gpus", gpus), ("cpus", cpus), ("mem", mem)):
        if text is not None:
            limits[name] = None if text == _NO_LIMIT else text
    return limits


def _show(user: "User") -> None:
    output.say(f"Username: {user.name}\nEmail: {user.email}")
    output.say(f"API key: {user.key or 'none, the user is disabled'}")
    if user.limits:
        output.say(f"Quota: {_quota(user)}")


def _quota(user: "User") -> str:
    """Return used and granted amounts: `cpu 1/4`."""
    # Kubernetes calls the quota of requests `requests.cpu`.
    amounts = []
    for name, limit in sorted(user.limits.items()):
        used = user.used.get(name, "0")
        amounts.append(f"{name.removeprefix('requests.')} {used}/{limit}")
    return ", ".join(amounts)


# The key is not among the fields.
def _record(user: "User") -> UserRecord:
    return {
        "username": user.name,
        "email": user.email,
        "enabled": user.enabled,
        "namespace": user.namespace,
        "limits": dict(user.limits),
        "used": dict(user.used),
    }


COMMANDS = {
    "create": create,
    "update": update,
    "disable": disable,
    "list": list_,
    "display": display,
    "login": login,
}
