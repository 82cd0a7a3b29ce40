"""A port of this machine behind which a port of a pod answers, for as long as this process wants.

Protocol: Kubernetes' `v4.channel.k8s.io` for port forwarding, one WebSocket for each connection; channel 0 is data,
channel 1 an error's text, and the first message of each is the port's number.
"""

import socket
import threading
from contextlib import suppress
from typing import Any

import websocket

from riseml.cluster.api import Api, path
from riseml.cluster.pod_exec import address, connect
from riseml.errors import RiseMLError

_HERE = "127.0.0.1"
_PROTOCOLS = ["v4.channel.k8s.io"]
_DATA = 0
# Bytes
_PIECE = 1 << 16
# Seconds between two looks at the pod
_LOOK = 5.0


class Forwarding:
    """Connections to `url` go to a port of a pod; `port` 0 is any free one of this machine.

    Raises:
        RiseMLError: the port of this machine cannot be used.
    """

    def __init__(
        self, api: Api, namespace: str, pod: str, target: int, port: int = 0
    ) -> None:
        self._api, self._namespace, self._pod, self._target = (
            api,
            namespace,
            pod,
            target,
        )
        self._closed = threading.Event()
        try:
            self._listener = socket.create_server((_HERE, port))
        except OSError as error:
            advice = "Without a port, a free one is taken."
            raise RiseMLError(
                f"port {port} cannot be used: {error.strerror}", advice
            ) from None
        self.url = f"http://{_HERE}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def is_open(self) -> bool:
        """Whether the pod runs."""
        pod = self._api.find(path("pods", self._namespace, self._pod))
        return pod is not None and pod["status"].get("phase") == "Running"

    def wait(self) -> None:
        """Return once the pod has ended; a cluster that is away for a while says nothing about that."""
        while not self._closed.wait(_LOOK):
            with suppress(RiseMLError):
                if not self.is_open():
                    return

    def close(self) -> None:
        """Take no more connections; those that there are end with this process."""
        self._closed.set()
        with suppress(OSError):
            # Wakes who waits in `accept`
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        """Move one connection's bytes in both directions until one side has ended."""
        url = address(
            self._api,
            self._namespace,
            self._pod,
            "portforward",
            [("ports", str(self._target))],
        )
        with client:
            try:
                there = connect(self._api, url, self._pod, _PROTOCOLS)
            except RiseMLError:
                # Whoever connected sees the end of the connection, as with any server that has gone
                return
            up = threading.Thread(target=_send, args=(client, there), daemon=True)
            up.start()
            _receive(there, client)
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            up.join()
            there.shutdown()


def _send(client: socket.socket, there: Any) -> None:
    with suppress(OSError, websocket.WebSocketException):
        while data := client.recv(_PIECE):
            there.send_binary(bytes([_DATA]) + data)
        there.close(timeout=1)


def _receive(there: Any, client: socket.socket) -> None:
    begun: set[int] = set()
    with suppress(OSError, websocket.WebSocketException):
        while message := there.recv():
            channel, data = message[0], message[1:]
            if channel not in begun:
                begun.add(channel)
            elif channel == _DATA:
                client.sendall(data)
            else:
                return
