"""Updates of the namespaces of all users, after a change of the values or of the version."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

from riseml.cli import output
from riseml.cli.parameters import Option
from riseml.errors import InvalidInputError, NotFoundError, RiseMLError

if TYPE_CHECKING:
    from riseml.cluster.users import Users

AllUsers = Annotated[
    bool,
    Option("--all", help="Bring the namespaces of all users up to date."),
]
OptionalUsername = Annotated[
    str | None, Option("--username", metavar="NAME", help="Name of the user.")
]


def check_alone(changes: Iterable[object], limits: Mapping[str, str | None]) -> None:
    """Refuse changes of one user together with --all.

    Raises:
        InvalidInputError: there is such a change.
    """
    if limits or any(change is not None for change in changes):
        raise InvalidInputError(
            "--all changes nothing but what this version and the values say",
            "Change one user with --username NAME.",
        )


def update_all(users: "Users") -> None:
    """Bring the namespaces of all users up to date, and print their names.

    Raises:
        RiseMLError: some could not be updated.
    """
    from riseml.cluster import user_versions

    names = user_versions.user_namespaces(users.api).values()
    update_these(users, sorted(names))


def update_these(users: "Users", names: Iterable[str]) -> None:
    """Bring the namespaces of some users up to date, and print their names.

    Raises:
        RiseMLError: some could not be updated; all others are.
    """
    failed = []
    for name in names:
        try:
            users.refresh(name)
        except NotFoundError:
            # An administrator has deleted the user in the meantime.
            continue
        except RiseMLError as error:
            failed.append(name)
            output.note(f"{name}: {error}")
        else:
            output.say(f"~ user {name} updated")
    if failed:
        raise RiseMLError(
            f"not updated: {', '.join(failed)}",
            "Repeat it with `riseml user update --all` when the cause is gone.",
        )
