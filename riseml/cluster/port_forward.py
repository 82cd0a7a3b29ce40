"""Port of this machine that leads to a port of a pod, while this process runs.

The protocol is Kubernetes' `v4.channel.k8s.io` for port forwarding, with one WebSocket
for each connection. Channel 0 contains data, channel 1 the text of an error. The first
message of each channel is the port's number.
"""

import errno
import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import websocket

from riseml.cluster.api import Api, path
from riseml.cluster.pod_exec import address, connect
from riseml.connections import PortListener
from riseml.errors import RiseMLError

_PROTOCOLS = ["v4.channel.k8s.io"]
_DATA = 0
_CHUNK_BYTES = 1 << 16
# Each check of the pod is a request to the API server.
_CHECK_SECONDS = 5.0
# The protocol cannot say that a client has ended its output but still reads. A client
# that has left looks the same, so a connection ends after such a silence.
_SILENCE_SECONDS = 30.0


class Forwarding:
    """Listener at `url` that forwards connections to a port of a pod.

    `port` is the port of this machine; 0 picks a free one.

    Raises:
        RiseMLError: the port of this machine cannot be used.
    """

    def __init__(
        self, api: Api, namespace: str, pod: str, target: int, port: int = 0
    ) -> None:
        self._api, self._namespace, self._pod = api, namespace, pod
        self._target = target
        self._closed = threading.Event()
        self._listener = PortListener(port, self._forward)
        self.url = f"http://127.0.0.1:{self._listener.port}"

    def is_open(self) -> bool:
        """Return whether the pod is running."""
        pod = self._api.find(path("pods", self._namespace, self._pod))
        return pod is not None and pod["status"].get("phase") == "Running"

    def wait(self) -> None:
        """Wait until the pod has ended, or the forwarding is closed."""
        while not self._closed.wait(_CHECK_SECONDS):
            # An unreachable cluster does not mean that the pod has ended.
            with suppress(RiseMLError):
                if not self.is_open():
                    return

    def close(self) -> None:
        """Accept no more connections; open ones end with this process."""
        self._closed.set()
        self._listener.close()

    def _forward(self, client: socket.socket) -> None:
        # The client sees its connection end, as with any server that is gone.
        with suppress(RiseMLError, OSError):
            pass_on(self._api, self._namespace, self._pod, self._target, client)


def pass_on(
    api: Api, namespace: str, pod: str, port: int, client: socket.socket
) -> None:
    """Connect a client with a port of a pod until both sides have ended; close it.

    Raises:
        ConnectionRefusedError: nothing listens at the port.
        RiseMLError: the pod does not run, or the cluster does not answer.
    """
    url = address(api, namespace, pod, "portforward", [("ports", str(port))])
    with client:
        connection = _Connection(client, connect(api, url, pod, _PROTOCOLS))
        connection.exchange()


class _Connection:
    """A client's connection and the WebSocket that it leads to."""

    def __init__(self, client: socket.socket, remote: Any) -> None:
        self._client, self._remote = client, remote
        self._has_ended = threading.Event()
        self._received_at = time.monotonic()

    def exchange(self) -> None:
        """Copy the bytes in both directions until the pod has ended its output."""
        sender = threading.Thread(target=self._send, daemon=True)
        sender.start()
        is_refused = self._receive()
        self._has_ended.set()
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)
        sender.join()
        self._remote.shutdown()
        if is_refused:
            raise ConnectionRefusedError(
                errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)
            )

    def _send(self) -> None:
        with suppress(OSError, websocket.WebSocketException):
            while data := self._client.recv(_CHUNK_BYTES):
                self._remote.send_binary(bytes([_DATA]) + data)
            while not self._has_ended.wait(1):
                if time.monotonic() - self._received_at > _SILENCE_SECONDS:
                    break
        with suppress(OSError, websocket.WebSocketException):
            self._remote.close(timeout=1)

    def _receive(self) -> bool:
        """Copy what the pod sends; return whether nothing listens there."""
        started: set[int] = set()
        with suppress(OSError, websocket.WebSocketException):
            while message := self._remote.recv():
                self._received_at = time.monotonic()
                channel, data = message[0], message[1:]
                if channel not in started:
                    # The first message contains only the port's number.
                    started.add(channel)
                elif channel == _DATA:
                    self._client.sendall(data)
                else:
                    return b"refused" in bytes(data)
        return False
