"""Command `riseml shell`."""

from riseml.cli import output
from riseml.cli.exec import JobId, Terminal
from riseml.client.client import Client


def command(id: JobId, tty: Terminal = None) -> int:
    """Open a shell in a running job.

    On this machine it is your own shell, on a cluster bash, else sh. It has the files,
    the working directory and the environment of the job's own commands. Leaving it does
    not affect the job; it ends with the job at the latest. Without a terminal it
    reads commands from stdin.

    Examples:
      riseml shell 14
      riseml shell 14.3.worker.2
      echo 'du -sh /output' | riseml shell 14
    """
    return Client().shell(id, tty=tty, on_note=output.note)
