"""Manage the users of a cluster, or log in to one.

A user is a namespace with a key. All commands except `login` are for administrators.
"""

from typing import TYPE_CHECKING, Annotated

from riseml import settings
from riseml.cli import (
    formats,
    key_file,
    options,
    output,
    user_records,
    user_refresh,
)
from riseml.cli.cluster_options import Kubeconfig, connect
from riseml.cli.key_file import KeyFile
from riseml.cli.parameters import Argument, Option
from riseml.cli.table import Column
from riseml.cli.user_records import UserRecord, UserWithKeyRecord
from riseml.cli.user_refresh import AllUsers, OptionalUsername
from riseml.errors import InvalidInputError
from riseml.excerpts import listed

if TYPE_CHECKING:
    from riseml.cluster.access import Entry
    from riseml.cluster.users import Limits, User, Users

ApiKey = Annotated[
    str | None,
    Option("--api-key", metavar="KEY", help="Key from the administrator."),
]
OtherApiHost = Annotated[
    str,
    Option("--api-host", metavar="URL", help="Address other than that in the key."),
]
ArgoServer = Annotated[
    str,
    Option(
        "--argo-server",
        metavar="URL",
        help="Argo Server other than that of the cluster.",
    ),
]
LoginKubeconfig = Annotated[
    str | None,
    Option("--kubeconfig", metavar="FILE", help="A kubeconfig instead of a key."),
]
LoginContext = Annotated[
    str | None,
    Option(
        "--context",
        metavar="NAME",
        help="A context of it other than the current one.",
    ),
]
Namespace = Annotated[
    str | None,
    Option("--namespace", metavar="NAME", help="A namespace other than the context's."),
]
ContextName = Annotated[
    str,
    Option("--name", metavar="NAME", help="Name for `riseml config`."),
]

Username = Annotated[
    str, Option("--username", metavar="NAME", help="Name of the user.")
]
Name = Annotated[
    str, Argument(metavar="NAME", show_default=False, help="Name of the user.")
]
Gpus = Annotated[
    str | None,
    Option("--gpus", metavar="NUMBER", help="Quota of GPUs for all running jobs."),
]
Cpus = Annotated[
    str | None,
    Option("--cpus", metavar="NUMBER", help="Quota of cores for all running jobs."),
]
Mem = Annotated[
    str | None,
    Option(
        "--mem",
        metavar="AMOUNT",
        help="Quota of memory for all running jobs, such as 64Gi.",
    ),
]
ApiHost = Annotated[
    str,
    Option(
        "--api-host",
        metavar="URL",
        help="Address at which users reach the cluster, if not your own.",
    ),
]

Subjects = Annotated[
    list[str] | None,
    Option(
        "--subject",
        metavar="NAME",
        help="Who may use the namespace with a login of the organization: "
        "NAME or group:NAME (repeatable).",
    ),
]
RemovedSubjects = Annotated[
    list[str] | None,
    Option(
        "--remove-subject",
        metavar="NAME",
        help="Who may not use the namespace any more (repeatable).",
    ),
]
WithKey = Annotated[
    bool | None,
    Option(
        "--key/--no-key",
        show_default=False,
        help="Whether there is an API key; by default only without subjects.",
    ),
]

_NO_LIMIT = "none"


def create(
    username: Username,
    email: Annotated[
        str,
        Option("--email", metavar="ADDRESS", help="E-mail address of the user."),
    ],
    gpus: Gpus = None,
    cpus: Cpus = None,
    mem: Mem = None,
    subjects: Subjects = None,
    key: WithKey = None,
    output_file: KeyFile = None,
    api_host: ApiHost = "",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Create a user with a namespace, and print the key for `riseml user login`.

    Quotas limit what all running jobs request together. Without one there is no limit.
    With `--subject` there is no key: people log in as they do for kubectl, and several
    can share the namespace.

    Examples:
      riseml user create --username paul --email paul@example.com --output paul.key
      riseml user create --username ida --email ida@example.com --gpus 4 --mem 64Gi
      riseml user create --username vision --email vision@example.com --subject group:vision
    """
    from riseml.cluster import subjects as grants

    limits = _limits(gpus, cpus, mem)
    grant = grants.changed(None, add=subjects or (), with_key=key)
    key_file.check(output_file)
    user = _users(kubeconfig, api_host).create(username, email, limits, grant)
    _hand_out(user, output_file)
    user_records.login_note(user, output_file)


def update(
    username: OptionalUsername = None,
    every_user: AllUsers = False,
    email: Annotated[
        str | None,
        Option("--email", metavar="ADDRESS", help="New e-mail address."),
    ] = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    mem: Mem = None,
    subjects: Subjects = None,
    removed: RemovedSubjects = None,
    key: WithKey = None,
    output_file: KeyFile = None,
    api_host: ApiHost = "",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Change or repair a user; a disabled user gets access again, with a new key.

    Quotas that are not given stay as they are, and `none` removes a quota. `--subject`
    adds to the subjects. Missing objects of the user's namespace are created again. With
    --all, the namespaces of all users get what this version of RiseML and the values of
    the cluster say; nobody is enabled by it.

    Examples:
      riseml user update --username paul --gpus 8
      riseml user update --username paul --gpus none
      riseml user update --all
      riseml user update --username vision --subject ana@example.com --remove-subject ben@example.com
    """
    from riseml.cluster import subjects as grants

    users = _users(kubeconfig, api_host)
    limits = _limits(gpus, cpus, mem)
    if every_user:
        changes = (username, email, subjects, removed, key, output_file)
        user_refresh.check_alone(changes, limits)
        user_refresh.update_all(users)
        return
    if username is None:
        raise InvalidInputError(
            "which user?", "Name one with --username, or give --all."
        )
    key_file.check(output_file)
    previous = users.display(username)
    grant = grants.changed(
        previous.grant, add=subjects or (), remove=removed or (), with_key=key
    )
    user = users.update(username, email, limits, grant)
    output.say(f"Username: {user.name}\nEmail: {user.email}")
    if subjects or removed:
        output.say(f"Subjects: {listed(user.grant.subjects)}")
    if user.limits:
        output.say(f"Quota: {user_records.quota(user)}")
    _write_key(user, output_file)
    # The key is for the user alone, so it is printed only if it is needed.
    has_new_key = user.key not in {"", previous.key}
    if has_new_key and not output_file:
        output.say(f"API key: {user.key}")


def disable(
    name: Name, yes: options.Yes = False, kubeconfig: Kubeconfig = None
) -> None:
    """End a user's access; running jobs continue, and no run is deleted.

    The key is revoked, and subjects lose their rights in the namespace. `riseml user
    update` enables the user again, with a new key.
    """
    users = _users(kubeconfig)
    user = users.display(name)
    if not output.confirm(f"Disable {user.name} ({user.email})?", yes=yes):
        output.note("Nothing was changed.")
        return
    users.disable(name)
    output.say(f"User {user.name} disabled")
    for rights in users.other_rights(user):
        output.note(
            f"But the RoleBinding {rights} in {user.namespace}. RiseML did not make it: "
            "`kubectl delete rolebinding` ends that access, too."
        )


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
        titles += ["Namespace", "Subjects", "Quota"]
        for row, user in zip(rows, users, strict=True):
            names = ", ".join(user.grant.subjects)
            row += [user.namespace, names, user_records.quota(user)]
    data = formats.of_records(
        list(map(user_records.record, users)), UserRecord, "username"
    )
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
        user_records.show(user)
        return
    key = user.key or None
    record: UserWithKeyRecord = {**user_records.record(user), "api_key": key}
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


def _hand_out(user: "User", output_file: str | None) -> None:
    """Print a new user, with the key or into its file."""
    _write_key(user, output_file)
    user_records.show(user, with_key=not output_file)


def _write_key(user: "User", output_file: str | None) -> None:
    if output_file and user.key:
        key_file.write(output_file, user.key)


def _limits(gpus: str | None, cpus: str | None, mem: str | None) -> "Limits":
    """Return the quotas that were given; None removes one."""
    limits: dict[str, str | None] = {}
    for name, text in (("gpus", gpus), ("cpus", cpus), ("mem", mem)):
        if text is not None:
            limits[name] = None if text == _NO_LIMIT else text
    return limits


COMMANDS = {
    "create": create,
    "update": update,
    "disable": disable,
    "list": list_,
    "display": display,
    "login": login,
}
