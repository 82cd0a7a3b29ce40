"""Methods of `riseml.Client` that reach into running jobs."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from riseml.client.context import ClientContext
from riseml.ids import Id

if TYPE_CHECKING:
    from riseml.client.port_forward import PortForward
    from riseml.engines.access import Streams


class AccessMethods:
    """The part of a client whose methods need a job that runs."""

    _context: ClientContext

    def exec(
        self,
        id: str | Id,
        command: Sequence[str],
        *,
        tty: bool | None = None,
        streams: "Streams | None" = None,
        on_note: Callable[[str], None] | None = None,
    ) -> int:
        """Run a command in a running job, and return its exit status.

        It has the job's working directory, environment and files. The status is 128 + n
        after signal n, and 127 if there is no such command. `tty` forces a terminal, or
        none; None gives it one if stdin and stdout are terminals. `streams` are the
        descriptors that it uses (None: those of this process). It ends with the job at
        the latest, and `on_note` gets the sentence that says so.

        Raises:
            InvalidInputError: several jobs run, and the id does not say which is meant.
            NotFoundError: nothing has this id, or it does not run.
        """
        from riseml.client import access

        return access.run(
            self._context, id, command, tty=tty, streams=streams, on_note=on_note
        )

    def shell(
        self,
        id: str | Id,
        *,
        tty: bool | None = None,
        streams: "Streams | None" = None,
        on_note: Callable[[str], None] | None = None,
    ) -> int:
        """Run a shell in a running job, and return its exit status; see `exec`.

        On this machine it is the user's own shell, on a cluster bash, else sh.
        """
        from riseml.client import access

        return access.run(
            self._context, id, (), tty=tty, streams=streams, on_note=on_note
        )

    def port_forward(
        self,
        id: str | Id,
        *ports: str | int,
        on_note: Callable[[str], None] | None = None,
    ) -> "PortForward":
        """Return ports of this machine that lead to ports of a running job.

        A port is 8888, or text: `8080:8888` with the port of this machine first, or
        `:8888` for any free one. A `with` statement closes them. `on_note` gets
        sentences about ports at which the job does not answer.

        Raises:
            InvalidInputError: a port is not valid, or several jobs run.
            NotFoundError: nothing has this id, or it does not run.
            RiseMLError: a port of this machine is in use.
        """
        from riseml.client import port_forward

        return port_forward.forward(self._context, id, ports, on_note or _ignore_note)


def _ignore_note(_text: str) -> None:
    """Do nothing."""
