"""First riseml.yml of a project: what `riseml init` writes, and the project's name in it."""

import json
import re
from pathlib import Path

from riseml import config, templating
from riseml.errors import InvalidInputError, RiseMLError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*[A-Za-z0-9]")
# YAML reads such a bare name as a number, a truth value or null.
_OTHER_TYPE = re.compile(
    r"[\d_]+|\d[\d_]*e\d+|0[xob][\da-fA-F_]+|true|false|null|yes|no|on|off",
    re.IGNORECASE,
)
# The templates contain this name.
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
"""Names of the files below `templates/init`."""

COMPLETE = frozenset({"grid", "sklearn"})
"""Templates whose `run` is a program already."""

SCHEMA = ".riseml/riseml.schema.json"
"""The JSON Schema that the first line of each template names, relative to the project."""

_INSTALL = "  install:\n    - pip install -r requirements.txt\n"
_PROPOSED_INSTALL = "  # install:\n  #   - pip install -r requirements.txt\n"
# In this order: the first one that exists starts the project.
_USUAL_PROGRAMS = ("train.py", "main.py", "run.py")
# Names of other characters would need quotes in the shell and in YAML.
_OTHER_PROGRAM = re.compile(
    r"(?!setup\.py|conftest\.py|__|test_)[\w.-]+(?<!_test)\.py", re.ASCII
)


def text(template: str, project: str) -> str:
    """Return a riseml.yml.

    Raises:
        InvalidInputError: the project cannot have this name; the advice proposes one.
    """
    if not _NAME.fullmatch(project):
        raise InvalidInputError(
            f"'{project}' is not a valid project name",
            "A name has two or more letters, digits, '-' and '_', and begins and ends with a letter or digit. "
            f"Try `riseml init -n {proposal(project)}`.",
        )
    name = f"'{project}'" if _OTHER_TYPE.fullmatch(project) else project
    return templating.read(f"init/{template}.yml").replace(
        f"project: {_DEFAULT}", f"project: {name}", 1
    )


def project_name(folder: Path) -> tuple[str, str]:
    """Return a project name for a folder, and a note for the user where the two differ."""
    if _NAME.fullmatch(folder.name):
        return folder.name, ""
    name = proposal(folder.name)
    return (
        name,
        f"'{folder.name}' is not a valid project name; the project is called {name}. Use -n to choose another name.",
    )


def proposal(name: str) -> str:
    """Return the nearest valid name."""
    # Few names need it, and it takes long to load.
    from unicodedata import normalize  # noqa: PLC0415

    plain = normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-_")
    if len(words) == 1:
        return f"{words}-project"
    return words or _DEFAULT


def find_program(folder: Path) -> str:
    """Return the name of the Python program that starts a project; empty if it is not obvious."""
    programs = {path.name for path in folder.glob("*.py")}
    usual = list(filter(programs.__contains__, _USUAL_PROGRAMS))
    others = list(filter(_OTHER_PROGRAM.fullmatch, programs))
    if usual:
        return usual[0]
    return others[0] if len(others) == 1 else ""


def with_program(content: str, program: str) -> str:
    """Return a riseml.yml whose `run`, its last key, starts a Python program."""
    before, _, _ = content.partition("\n  run:\n")
    return f"{before}\n  run:\n    - python {program}\n"


def with_requirements(content: str, folder: Path) -> str:
    """Return a riseml.yml that installs the folder's requirements.txt if there is one."""
    if not (folder / "requirements.txt").exists():
        return content
    return content.replace(_PROPOSED_INSTALL, _INSTALL, 1)


def write_schema(folder: Path) -> None:
    """Write the JSON Schema of riseml.yml for editors.

    Raises:
        RiseMLError: the file cannot be written.
    """
    path = folder / SCHEMA
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(config.json_schema(), indent=1) + "\n", "utf-8")
    except OSError as error:
        raise RiseMLError(f"cannot write {path}: {error.strerror}") from None


def write(path: Path, content: str) -> None:
    """Write a new file.

    Raises:
        RiseMLError: the file already exists or cannot be written.
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
