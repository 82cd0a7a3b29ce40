"""Command `riseml init`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from riseml.cli import options, output
from riseml.client.context import CONFIG_FILE
from riseml.config import scaffold


def command(
    config_file: options.ConfigFile = CONFIG_FILE,
    project: Annotated[
        str | None,
        typer.Option(
            "-n",
            "--project-name",
            metavar="NAME",
            show_default=False,
            help="Default: the name of the folder.",
        ),
    ] = None,
    template: Annotated[
        Literal[
            "plain", "grid", "sklearn", "tensorflow", "pytorch", "horovod", "mpi", "jax"
        ],
        typer.Option(
            "--framework",
            "--template",
            metavar="KIND",
            help="plain, grid or sklearn (sets), or a framework.",
        ),
    ] = "plain",
) -> None:
    """Write a first riseml.yml.

    An existing file is never overwritten.

    Examples:
      riseml init
      riseml init -n toaster-net --template grid
    """
    path = Path(config_file)
    # The name of a folder may not be a valid name for a project.
    if project is None:
        project, remark = scaffold.project_name(path.absolute().parent)
        if remark:
            output.note(remark)
    scaffold.write(path, scaffold.text(template, project))
    output.say(f"{config_file} successfully created")
    output.note("Now fill in `run` and try `riseml check`, then `riseml train -l`.")
