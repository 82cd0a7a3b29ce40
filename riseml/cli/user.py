"""Manage the users of a cluster, or log in to one.

A user is a namespace and a key to it. All but `login` is for administrators.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from riseml import settings
from riseml.cli import options, output, table, terminal
from riseml.errors import InvalidInputError

if TYPE_CHECKING:
    from riseml.cluster.users import Limits, User, Users

Username = Annotated[
    str, typer.Option("--username", metavar="NAME", help="The user's name.")
]
Name = Annotated[
    str, typer.Argument(metavar="NAME", show_default=False, help="The user's name.")
]
Gpus = Annotated[
    str | None,
    typer.Option("--gpus", metavar="NUMBER", help="GPUs of all running jobs together."),
]
Cpus = Annotated[
    str | None,
    typer.Option(
        "--cpus", metavar="NUMBER", help="Cores of all running jobs together."
    ),
]
Mem = Annotated[
    str | None,
    typer.Option(
        "--mem", metavar="AMOUNT", help="Memory of all running jobs together."
    ),
]
Kubeconfig = Annotated[
    str | None,
    typer.Option("--kubeconfig", metavar="FILE", help="Instead of KUBECONFIG."),
]
Host = Annotated[
    str,
    typer.Option(
        "--api-host",
        metavar="URL",
        help="Where users reach the cluster, if not as you.",
    ),
]

_NO_LIMIT = "none"


def create(
    username: Username,
    email: Annotated[str, typer.Option("--email", help="The user's e-mail address.")],
    gpus: Gpus = None,
    cpus: Cpus = None,
    mem: Mem = None,
    api_host: Host = "",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Make a user with a namespace of its own, and print the key for `riseml user login`.

    Quotas limit what running jobs ask for together; without one there is none.

    Examples:
      riseml user create --username paul --email paul@example.com
      riseml user create --username ida --email ida@example.com --gpus 4 --mem 64Gi
    """
    limits = _given(gpus, cpus, mem)
    user = _users(kubeconfig, api_host).create(username, email, limits)
    _show(user)
    output.note(f"{user.name} logs in with `riseml user login --api-key KEY`.")


def update(
    username: Username,
    email: Annotated[
        str | None, typer.Option("--email", help="A new e-mail address.")
    ] = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    mem: Mem = None,
    api_host: Host = "",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Change a user, make its namespace whole, and let a disabled user in again with a new key.

    Quotas that are not named stay; `none` takes one away.

    Examples:
      riseml user update --username paul --gpus 8
      riseml user update --username paul --gpus none
    """
    users = _users(kubeconfig, api_host)
    limits = _given(gpus, cpus, mem)
    before = users.display(username)
    user = users.update(username, email, limits)
    output.say(f"Username: {user.name}\nEmail: {user.email}")
    if user.key != before.key:
        output.say(f"API key: {user.key}")


def disable(
    name: Name, yes: options.Yes = False, kubeconfig: Kubeconfig = None
) -> None:
    """Refuse a user's key; what runs goes on, and nothing is deleted.

    `riseml user update` lets the user in again, with a new key.
    """
    users = _users(kubeconfig)
    user = users.display(name)
    if (
        not yes
        and output.can_ask()
        and not output.ask(f"Disable {user.name} ({user.email})?")
    ):
        output.note("Nothing was changed.")
        return
    users.disable(name)
    output.say(f"User {user.name} disabled")


def list_(
    form: options.OutputFormat = "table",
    no_headers: options.NoHeaders = False,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show all users."""
    found = _users(kubeconfig).list()
    if form in {"json", "yaml"}:
        output.data([_record(user) for user in found], form)
        return
    if form == "name":
        output.lines(user.name for user in found)
        return
    titles, rows = (
        ["Username", "Email", "Enabled"],
        [[user.name, user.email, str(user.enabled)] for user in found],
    )
    if form == "wide":
        titles += ["Namespace", "Quota"]
        rows = [
            [*row, user.namespace, _quota(user)]
            for row, user in zip(rows, found, strict=True)
        ]
    if form == "csv":
        output.csv(titles, rows)
        return
    columns = [table.Column(title) for title in titles]
    output.lines(table.render(columns, rows, terminal.stdout(), headers=not no_headers))


def display(
    name: Name,
    form: options.OutputFormat = "table",
    api_host: Host = "",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show one user with its key."""
    user = _users(kubeconfig, api_host).display(name)
    if form in {"json", "yaml"}:
        output.data({**_record(user), "api_key": user.key or None}, form)
        return
    _show(user)


def login(
    api_key: Annotated[
        str | None,
        typer.Option("--api-key", metavar="KEY", help="As the administrator gave it."),
    ] = None,
    api_host: Annotated[
        str,
        typer.Option("--api-host", metavar="URL", help="Instead of what the key says."),
    ] = "",
    argo_server: Annotated[
        str, typer.Option("--argo-server", metavar="URL", help="If not the cluster's.")
    ] = "",
    kubeconfig: Annotated[
        str | None,
        typer.Option("--kubeconfig", metavar="FILE", help="Instead of a key."),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option("--context", help="The kubeconfig's, if not its current one."),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", help="The user's, if not the context's."),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            "--name", metavar="NAME", help="What to call it in `riseml config`."
        ),
    ] = "",
) -> None:
    """Run on a cluster from now on.

    Without options it asks for the key, or reads it from standard input, which keeps it
    out of the shell's history. `riseml config use local` goes back to this machine.

    Examples:
      riseml user login
      riseml user login --kubeconfig ~/.kube/config --context lab --namespace riseml-paul
    """
    from riseml.cluster import access
    from riseml.engines.open import context_in_use

    if api_key is not None and (kubeconfig or context):
        raise InvalidInputError(
            "an API key and a kubeconfig exclude each other", "Give one of them."
        )
    file = settings.load().file
    if kubeconfig or context:
        entry = access.by_kubeconfig(kubeconfig, context, namespace)
    else:
        entry = access.by_key(
            api_key if api_key is not None else _asked(), server=api_host
        )
    entry = access.verified(entry, argo=argo_server)
    chosen = access.remember(file, entry, name)
    output.say(f"you are: {entry.connection.user} on {entry.connection.server}")
    output.note(
        f"Runs go there from now on (context {chosen}); `riseml config use local` goes back to this machine."
    )
    effective = settings.load()
    if not context_in_use(effective):
        origin = effective.origins.get("engine")
        output.note(f"But {origin} sets `engine: {effective.engine}`, which wins.")


def _asked() -> str:
    import sys

    if sys.stdin.isatty():
        import getpass

        return getpass.getpass("API key: ")
    return sys.stdin.read()


def _users(kubeconfig: str | None, server: str = "") -> "Users":
    from riseml.cluster import administration
    from riseml.cluster.users import Users
    from riseml.cluster.values import read_values

    api = administration.connect(settings.load().file, kubeconfig)
    return Users(api, read_values(api).offer(), server=server)


def _given(gpus: str | None, cpus: str | None, mem: str | None) -> "Limits":
    """Return the limits that the options name."""
    told = {"gpus": gpus, "cpus": cpus, "mem": mem}
    return {
        name: None if text == _NO_LIMIT else text
        for name, text in told.items()
        if text is not None
    }


def _show(user: "User") -> None:
    output.say(f"Username: {user.name}\nEmail: {user.email}")
    output.say(
        f"API key: {user.key}" if user.key else "API key: none, the user is disabled"
    )
    if user.limits:
        output.say(f"Quota: {_quota(user)}")


def _quota(user: "User") -> str:
    """Return used and granted amounts: `requests.cpu 1/4`."""
    parts = (
        f"{name} {user.used.get(name, '0')}/{most}"
        for name, most in sorted(user.limits.items())
    )
    return ", ".join(part.removeprefix("requests.") for part in parts)


def _record(user: "User") -> dict[str, Any]:
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
