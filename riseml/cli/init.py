"""Command `riseml init`."""

from pathlib import Path
from typing import Annotated, Literal

from riseml.cli import output
from riseml.cli.parameters import Option
from riseml.client.project_folder import CONFIG_FILE
from riseml.config import scaffold


def command(
    config_file: Annotated[
        str,
        Option("-f", "--config-file", metavar="FILE", help="The file to write."),
    ] = CONFIG_FILE,
    project: Annotated[
        str | None,
        Option(
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
        Option(
            "--framework",
            "--template",
            metavar="KIND",
            help="plain, grid or sklearn (sets), or a framework.",
        ),
    ] = "plain",
) -> None:
    """Write a first riseml.yml.

    `run` starts the folder's program if it is obvious which one: train.py, main.py,
    run.py, or the only Python program. `install` installs what a requirements.txt names.
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
    content = scaffold.text(template, project)
    program = scaffold.find_program(path.absolute().parent)
    if program and template not in scaffold.COMPLETE:
        content = scaffold.with_program(content, program)
        advice = f"`run` starts {program}. Try"
    else:
        advice = "Now fill in `run` and try"
    content = scaffold.with_requirements(content, path.absolute().parent)
    scaffold.write(path, content)
    scaffold.write_schema(path.parent)
    output.say(f"{config_file} successfully created")
    output.note(f"{advice} `riseml check`, then `riseml train -l`.")
