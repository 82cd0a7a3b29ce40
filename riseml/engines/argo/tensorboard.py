"""TensorBoard of runs on a cluster, opened from here: a way to a run's own, or a copy of what it would read."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from riseml import labels
from riseml.cluster.api import path
from riseml.cluster.port_forward import Forwarding
from riseml.cluster.store import StorePod
from riseml.ids import Id
from riseml.status import SetStatus, State

if TYPE_CHECKING:
    from riseml.engines.argo.engine import ArgoEngine

# Bytes
_IN_MEMORY = 1 << 24
_LIST = """cd "/output/$1" 2>/dev/null || exit 0
find . -type f -name '*tfevents*' -exec stat -c '%s %n' {} +
"""
_SEND = """cd "/output/$1"
while read -r first length name && [ "$first" != end ]; do tail -c "+$first" "$name" | head -c "$length"; done
"""


class _Piece(NamedTuple):
    name: str
    start: int
    size: int


def way(
    engine: "ArgoEngine", run: Id, port: int, tell: Callable[[str], None]
) -> Forwarding | None:
    """Return a way to the TensorBoard of a run once its pod runs; None where the run has none, or none any more."""
    told = False
    for whole in engine.looks(Id(run.user, run.number)):
        state = next(
            (job.state for job in whole.jobs if job.type == "tensorboard"), None
        )
        if state is None or state.is_terminal or whole.state.is_terminal:
            return None
        if state is State.RUNNING:
            return _way(engine, run, whole, port)
        if not told:
            tell("TensorBoard is about to begin ...")
            told = True
    return None


def _way(
    engine: "ArgoEngine", run: Id, whole: SetStatus, port: int
) -> Forwarding | None:
    namespace = engine.namespace_of(run)
    names = ",".join(engine.workflows(whole))
    chosen = f"{labels.WORKFLOW} in ({names}),{labels.TYPE}=tensorboard"
    pods = list(
        engine.api.items(
            path("pods", namespace),
            labelSelector=chosen,
            fieldSelector="status.phase=Running",
        )
    )
    return (
        Forwarding(
            engine.api, namespace, pods[-1]["metadata"]["name"], labels.BOARD_PORT, port
        )
        if pods
        else None
    )


def fetch(store: StorePod, place: str, folder: Path) -> bool:
    """Bring what has been added to the event files below `place` of the output volume; whether there are any."""
    there = [
        line.partition(" ")
        for line in store.script(_LIST, place).decode(errors="replace").splitlines()
    ]
    files = {name: int(size) for size, _, name in there if size.isdigit()}
    missing = [_Piece(name, _size(folder / name), size) for name, size in files.items()]
    missing = [
        each
        for each in missing
        if each.start < each.size and _is_inside(folder, each.name)
    ]
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as received:
        if missing:
            asked = "".join(
                f"{each.start + 1} {each.size - each.start} {each.name}\n"
                for each in missing
            )
            store.script(
                _SEND,
                place,
                stdin=[f"{asked}end\n".encode()],
                on_output=lambda data: _keep(received, data),
            )
        if received.tell() == sum(
            each.size - each.start for each in missing
        ):  # else a file was cut: next time
            received.seek(0)
            _add(received, missing, folder)
    return bool(files)


def _keep(received: IO[bytes], data: bytes) -> None:
    received.write(data)


def _add(received: IO[bytes], pieces: Sequence[_Piece], folder: Path) -> None:
    for piece in pieces:
        file = folder / piece.name
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as mirrored:
            mirrored.write(received.read(piece.size - piece.start))


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _is_inside(folder: Path, name: str) -> bool:
    return (folder / name).resolve().is_relative_to(folder.resolve())
