"""TensorBoard of a run on a cluster: a connection to its own, or a copy of its event files."""

import posixpath
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from riseml import labels
from riseml.cluster.api import path
from riseml.cluster.port_forward import Forwarding
from riseml.cluster.store import StorePod
from riseml.engines.argo.run_reader import RunReader
from riseml.engines.argo.workflows import names_of, pod_selector
from riseml.ids import Id
from riseml.metrics import hparams
from riseml.status import SetStatus, State

# Events of most runs fit into memory; larger ones are buffered in a file.
_MAX_BYTES_IN_MEMORY = 1 << 24
_LIST = """cd "/output/$1" 2>/dev/null || exit 0
find . -type f -name '*tfevents*' -exec stat -c '%s %n' {} +
"""
_SEND = """cd "/output/$1"
while read -r first length name && [ "$first" != end ]; do tail -c "+$first" "$name" | head -c "$length"; done
"""


class _Piece(NamedTuple):
    """The bytes of a file that the copy lacks: from `start` to `end`."""

    name: str
    start: int
    end: int

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.end - self.start


def connect(
    reader: RunReader, run_id: Id, port: int, notify: Callable[[str], None]
) -> Forwarding | None:
    """Return a connection to the TensorBoard of a run, None if it has none.

    A TensorBoard that is starting is waited for, which `notify` says once.
    """
    has_notified = False
    for run in reader.follow(Id(run_id.user, run_id.number)):
        state = _tensorboard_state(run)
        if state is None or state.is_terminal or run.state.is_terminal:
            return None
        if state is State.RUNNING:
            return _forward(reader, run_id, run, port)
        if not has_notified:
            notify("TensorBoard is starting ...")
            has_notified = True
    return None


def _tensorboard_state(run: SetStatus) -> State | None:
    for job in run.jobs:
        if job.type == "tensorboard":
            return job.state
    return None


def _forward(
    reader: RunReader, run_id: Id, run: SetStatus, port: int
) -> Forwarding | None:
    namespace = reader.workflows.namespace_of(run_id)
    api = reader.workflows.api
    pods = list(
        api.items(
            path("pods", namespace),
            labelSelector=pod_selector(names_of(run), f"{labels.TYPE}=tensorboard"),
            fieldSelector="status.phase=Running",
        )
    )
    if not pods:
        return None
    pod = pods[-1]["metadata"]["name"]
    return Forwarding(api, namespace, pod, labels.TENSORBOARD_PORT, port)


def fetch(store: StorePod, source: str, copy: Path) -> bool:
    """Copy what was added to the event files below `source` of the output volume.

    Returns whether a trainer has written any event files.
    """
    sizes = _event_files(store, source)
    pieces = []
    for name, size in sizes.items():
        piece = _Piece(name, _size(copy / name), size)
        if piece.start < piece.end and _is_inside(copy, name):
            pieces.append(piece)
    if pieces:
        _fetch_pieces(store, source, copy, pieces)
    names = set(map(posixpath.basename, sizes))
    return not all(map(hparams.is_own, names))


def _event_files(store: StorePod, source: str) -> dict[str, int]:
    """Return the sizes of the event files below a folder of the output volume."""
    sizes = {}
    for line in store.script(_LIST, source).decode(errors="replace").splitlines():
        size, _, name = line.partition(" ")
        # A name with a line break leaves lines without a size.
        if size.isdigit():
            sizes[name] = int(size)
    return sizes


def _fetch_pieces(
    store: StorePod, source: str, copy: Path, pieces: Sequence[_Piece]
) -> None:
    requests = [f"{piece.start + 1} {piece.size} {piece.name}\n" for piece in pieces]
    with tempfile.SpooledTemporaryFile(_MAX_BYTES_IN_MEMORY) as received:

        def receive(data: bytes) -> None:
            received.write(data)

        request = "".join([*requests, "end\n"]).encode()
        store.script(_SEND, source, stdin=[request], on_output=receive)
        # Too few bytes mean that a file was truncated meanwhile. Which bytes belong
        # to which file is then unknown, so nothing is kept until the next call.
        if received.tell() == sum(piece.size for piece in pieces):
            received.seek(0)
            _append(received, pieces, copy)


def _append(received: IO[bytes], pieces: Sequence[_Piece], copy: Path) -> None:
    for piece in pieces:
        file = copy / piece.name
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as copied:
            copied.write(received.read(piece.size))


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _is_inside(folder: Path, name: str) -> bool:
    return (folder / name).resolve().is_relative_to(folder.resolve())
