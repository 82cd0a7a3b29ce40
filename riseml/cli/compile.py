"""Command `riseml compile`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from riseml.cli import arguments, options, output
from riseml.client.client import Client
from riseml.client.project_folder import CONFIG_FILE
from riseml.errors import RiseMLError

Target = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        show_default=False,
        help="Write to this file, as JSON if it ends in .json or is just json.",
    ),
]
Git = Annotated[
    str | None,
    typer.Option(
        "--git",
        metavar="URL",
        show_default=False,
        help="Check out the code from a Git remote, URL[#REVISION].",
    ),
]
Number = Annotated[
    int | None,
    typer.Option(
        "--number",
        metavar="N",
        min=1,
        show_default=False,
        help="Number of the run.",
    ),
]
User = Annotated[str, typer.Option("--user", metavar="NAME", help="Owner of the run.")]


def command(
    words: arguments.Words = None,
    config_file: options.ConfigFile = CONFIG_FILE,
    settings: arguments.Settings = None,
    target: Target = None,
    git: Git = None,
    number: Number = None,
    user: User = "me",
) -> None:
    """Print the Argo Workflow of a riseml.yml.

    The document is complete: `kubectl create -f` runs it. Without --number, Argo
    generates the name.

    Examples:
      riseml compile > workflow.yaml
      riseml compile -o workflow.json --git https://example.org/me/toaster.git
    """
    from riseml import manifest

    file, overrides = arguments.read(config_file, words, settings)
    document = Client().compile(
        file,
        git=git,
        number=number,
        user=user,
        on_warning=output.note,
        overrides=overrides,
    )
    extension = (target or "yaml").rpartition(".")[2]
    to_text = manifest.to_json if extension == "json" else manifest.to_yaml
    # JSON has no line end.
    content = to_text(document).removesuffix("\n") + "\n"
    # As with other commands, `-o json` is a format and not a file.
    if target in {None, "-", "json", "yaml"}:
        output.write(content)
        return
    _save(Path(target), content)
    output.note(f"Wrote {target}.")


def _save(path: Path, content: str) -> None:
    # A reader of the file never sees half of it.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RiseMLError(
            f"cannot write {path}: {error.strerror}", "Choose another file with -o."
        ) from None
