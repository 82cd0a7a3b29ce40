"""The riseml.yml that `riseml init` writes, and the name of its project."""

import re
from pathlib import Path

from riseml import templating
from riseml.errors import InvalidInputError, RiseMLError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*[A-Za-z0-9]")
# Also in the templates
_DEFAULT = "my-project"

TEMPLATES = (
    "plain",
    "grid",
    "sklearn",
    "tensorflow",
    "pytorch",
    "horovod",
    "mpi",
    "jax",
)


def text(template: str, project: str) -> str:
    """Return a riseml.yml.

    Raises:
        InvalidInputError: the name cannot be a project's; the advice proposes one.
    """
    if not _NAME.fullmatch(project):
        raise InvalidInputError(
            f"'{project}' cannot be the name of a project",
            "A name has two or more letters, digits, '-' and '_', and begins and ends with a letter or digit. "
            f"Try `riseml init -n {proposal(project)}`.",
        )
    name = f"'{project}'" if _looks_like_another_type(project) else project
    return templating.read(f"init/{template}.yml").replace(
        f"project: {_DEFAULT}", f"project: {name}", 1
    )


def project_name(folder: Path) -> tuple[str, str]:
    """Return a name made from a folder's, and a remark where it had to differ."""
    if _NAME.fullmatch(folder.name):
        return folder.name, ""
    name = proposal(folder.name)
    return (
        name,
        f"'{folder.name}' cannot be the name of a project; it is called {name}. Choose another one with -n.",
    )


def proposal(name: str) -> str:
    """Return the nearest valid name."""
    # Few names need it
    from unicodedata import normalize  # noqa: PLC0415

    plain = normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-_")
    if len(words) == 1:
        return f"{words}-project"
    return words or _DEFAULT


def write(path: Path, content: str) -> None:
    """Write a new file.

    Raises:
        RiseMLError: it is there already, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        raise RiseMLError(
            f"{path} already exists",
            "Nothing was changed; choose another file with -f.",
        ) from None
    except OSError as error:
        raise RiseMLError(f"cannot write {path}: {error.strerror}") from None


def _looks_like_another_type(name: str) -> bool:
    """Whether YAML reads a bare name as a number, a truth or nothing."""
    return bool(
        re.fullmatch(
            r"[\d_]+|\d[\d_]*e\d+|0[xob][\da-fA-F_]+|true|false|null|yes|no|on|off",
            name,
            re.IGNORECASE,
        )
    )
