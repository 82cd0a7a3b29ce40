"""Program that connects its standard streams to a command in a pod, for `git push`.

`python -m riseml.cluster.pipe NAMESPACE POD CONTAINER COMMAND...` runs the command. The
environment variable RISEML_CONNECTION contains the fields of the Connection as JSON: in
the arguments, the key would be visible to all users of the machine.
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
_CHUNK_BYTES = 1 << 16


def environment(connection: Connection) -> dict[str, str]:
    """Return the environment variable that this program needs."""
    return {VARIABLE: json.dumps(vars(connection))}


def main(arguments: list[str]) -> int:
    """Run the command, and return its exit status."""
    namespace, pod, container, *command = arguments
    api = Api(_connection())
    try:
        session = Session(api, namespace, pod, container, command, stdin=True)
        threading.Thread(target=_send_input, args=(session,), daemon=True).start()
        while (output := session.receive()) is not None:
            _write(output.descriptor, output.data)
    except RiseMLError as error:
        sys.stderr.write(f"riseml: {error}\n")
        return 1
    return session.status or 0


def _connection() -> Connection:
    fields = json.loads(os.environ[VARIABLE])
    # JSON has no tuples.
    for name in ("certificate", "kubeconfig"):
        if fields[name]:
            fields[name] = tuple(fields[name])
    return Connection(**fields)


def _send_input(session: Session) -> None:
    try:
        while data := os.read(0, _CHUNK_BYTES):
            session.send(data)
        session.end_input()
    except (RiseMLError, OSError):
        # The main thread gets the same error, and reports it.
        return


def _write(descriptor: int, data: bytes) -> None:
    # A pipe may accept only the beginning.
    unwritten = memoryview(data)
    while unwritten:
        unwritten = unwritten[os.write(descriptor, unwritten) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
