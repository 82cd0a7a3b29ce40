"""Port of this machine that leads to a port of a pod, while this process runs.

The protocol is Kubernetes' `v4.channel.k8s.io` for port forwarding, with one WebSocket
for each connection. Channel 0 contains data, channel 1 the text of an error. The first
message of each channel is the port's number.
"""

import socket
import threading
from contextlib import suppress
from typing import Any

import websocket

from riseml.cluster.api import Api, path
from riseml.cluster.pod_exec import address, connect
from riseml.errors import RiseMLError

_LOOPBACK = "127.0.0.1"
_PROTOCOLS = ["v4.channel.k8s.io"]
_DATA = 0
_CHUNK_BYTES = 1 << 16
# Each check of the pod is a request to the API server.
_CHECK_SECONDS = 5.0


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
        try:
            self._listener = socket.create_server((_LOOPBACK, port))
        except OSError as error:
            raise RiseMLError(
                f"port {port} cannot be used: {error.strerror}",
                "Omit the port, so that a free one is picked.",
            ) from None
        self.url = f"http://{_LOOPBACK}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

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
        with suppress(OSError):
            # Closing alone does not wake a thread that is blocked in `accept`.
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
        """Copy the bytes of a connection in both directions until one side ends."""
        query = [("ports", str(self._target))]
        url = address(self._api, self._namespace, self._pod, "portforward", query)
        with client:
            try:
                remote = connect(self._api, url, self._pod, _PROTOCOLS)
            except RiseMLError:
                # The client sees its connection end, as with any server that is gone.
                return
            sender = threading.Thread(target=_send, args=(client, remote), daemon=True)
            sender.start()
            _receive(remote, client)
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            sender.join()
            remote.shutdown()


def _send(client: socket.socket, remote: Any) -> None:
    with suppress(OSError, websocket.WebSocketException):
        while data := client.recv(_CHUNK_BYTES):
            remote.send_binary(bytes([_DATA]) + data)
        remote.close(timeout=1)


def _receive(remote: Any, client: socket.socket) -> None:
    started: set[int] = set()
    with suppress(OSError, websocket.WebSocketException):
        while message := remote.recv():
            channel, data = message[0], message[1:]
            if channel not in started:
                # The first message contains only the port's number.
                started.add(channel)
            elif channel == _DATA:
                client.sendall(data)
            else:
                return
