"""Command `riseml exec`."""

from typing import Annotated

from riseml.cli import output
from riseml.cli.parameters import Argument, Option
from riseml.client.client import Client
from riseml.errors import InvalidInputError
from riseml.excerpts import excerpt

JobId = Annotated[
    str,
    Argument(metavar="ID", help="A job, or a run or experiment of which one job runs."),
]
Terminal = Annotated[
    bool | None,
    Option(
        "-t/-T",
        "--tty/--no-tty",
        show_default=False,
        help="Give it a terminal, or none. Default: if stdin and stdout are one.",
    ),
]


def command(
    id: JobId,
    words: Annotated[
        list[str] | None,
        Argument(metavar="COMMAND...", show_default=False, help="After `--`."),
    ] = None,
    tty: Terminal = None,
) -> int:
    """Run a command in a running job.

    It has the files, the working directory and the environment of the job's own
    commands. Its exit status is that of this command: 127 if there is no such command,
    128 + n after signal n. It ends with the job at the latest.

    Examples:
      riseml exec 14 -- nvidia-smi
      riseml exec 14.3.worker.2 -- py-spy dump --pid 17
      riseml exec 14 -- tar cz checkpoints > checkpoints.tgz
    """
    if not words:
        job = excerpt(id)
        raise InvalidInputError(
            "`riseml exec` needs a command",
            f"`riseml exec {job} -- ls` lists the job's files, `riseml shell {job}` starts a shell.",
        )
    return Client().exec(id, words, tty=tty, on_note=output.note)
