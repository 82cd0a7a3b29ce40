"""Command `riseml port-forward`."""

import sys
from typing import Annotated

from riseml.cli import output
from riseml.cli.exec import JobId
from riseml.cli.parameters import Argument
from riseml.client.client import Client
from riseml.client.port_forward import PortForward


def command(
    id: JobId,
    ports: Annotated[
        list[str],
        Argument(
            metavar="[LOCAL:]PORT...",
            help="Ports of the job; LOCAL is this machine's port if it differs.",
        ),
    ],
) -> None:
    """Reach ports of a running job from this machine.

    Without a number before the colon, a free port is picked. It runs until the job ends,
    or until Ctrl-C, which does not affect the job.

    Examples:
      riseml port-forward 14 8888             localhost:8888 is the job's port 8888
      riseml port-forward 14.3 8080:8888 :6006
    """
    with Client().port_forward(id, *ports, on_note=output.note) as forwarding:
        try:
            _show(forwarding)
            forwarding.wait()
        except KeyboardInterrupt:
            output.note("")
            return
        output.note(f"riseml: {forwarding.job} has ended")


def _show(forwarding: PortForward) -> None:
    for port in forwarding.ports:
        output.say(f"127.0.0.1:{port.local} → {forwarding.job}:{port.remote}")
        if port.is_own:
            output.note(
                f"{forwarding.job} has the network of this machine,"
                f" so its port {port.local} needs no forwarding."
            )
    # A script may wait for the addresses while this command keeps running.
    sys.stdout.flush()
    output.note("Press Ctrl-C to stop it.")
