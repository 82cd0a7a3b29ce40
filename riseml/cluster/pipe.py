"""A command in a cluster's pod behind this process's own standard streams: what `git push` talks to.

`python -m riseml.cluster.pipe NAMESPACE POD CONTAINER COMMAND...`; the variable RISEML_CONNECTION holds the fields of
the Connection as JSON, so that no key stands in a list of processes.
"""

import json
import os
import sys
import threading

from riseml.cluster.api import Api
from riseml.cluster.connection import Connection
from riseml.cluster.pod_exec import Session
from riseml.errors import RiseMLError

VARIABLE = "RISEML_CONNECTION"
_PIECE = 1 << 16


def environment(connection: Connection) -> dict[str, str]:
    """Return the variable that tells this module how to reach the cluster."""
    return {VARIABLE: json.dumps(vars(connection))}


def main(arguments: list[str]) -> int:
    """Run the command; its exit status is ours."""
    told = json.loads(os.environ[VARIABLE])
    told["certificate"] = tuple(told["certificate"]) if told["certificate"] else None
    namespace, pod, container, *command = arguments
    try:
        session = Session(
            Api(Connection(**told)), namespace, pod, container, command, stdin=True
        )
        threading.Thread(target=_feed, args=(session,), daemon=True).start()
        while (received := session.receive()) is not None:
            _write(*received)
    except RiseMLError as error:
        sys.stderr.write(f"riseml: {error}\n")
        return 1
    return session.status or 0


def _feed(session: Session) -> None:
    try:
        while data := os.read(0, _PIECE):
            session.send(data)
        session.end_input()
    except (RiseMLError, OSError):
        # The other thread hears of it
        return


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
