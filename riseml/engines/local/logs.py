"""Replay and follow the logs of a run: files that jobs write themselves, read by position, never by the line.

A log of one job is `<job>.<attempt>.log`; its attempts follow each other. Beside it `….times` holds lines of
`<seconds since 1970> <bytes>`: by then the log was that long.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from riseml.engines import Change, Chunk, LogQuery
from riseml.engines.local import secrets
from riseml.engines.selection import change, experiments, parts
from riseml.errors import NotFoundError
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus, State

if TYPE_CHECKING:
    from riseml.engines.local.engine import LocalEngine

# Bytes read at once
_PIECE = 1 << 18
# Bytes from the end in which `tail` looks for lines
_FAR = 1 << 24
# Seconds between looks at the files
_BLINK = 0.03
# Seconds after which a line without its end is shown: a prompt, or a progress bar
_PATIENCE = 0.3
_NAME = re.compile(r"(?P<job>.+)\.(?P<attempt>\d+)\.log")
_UNBEGUN = frozenset({State.CREATED, State.PENDING, State.BUILDING})


@dataclass
class _Log:
    """A log file and how far it has been told."""

    job: str
    path: Path
    position: int = 0
    since: float = field(default_factory=time.monotonic)

    def read(self, *, final: bool) -> Iterator[Chunk]:
        """Yield what is new: whole lines, and a line without its end once it has been so for a while, or for good."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.position)
                while data := file.read(_PIECE):
                    end = (
                        len(data)
                        if len(data) == _PIECE and b"\n" not in data
                        else data.rfind(b"\n") + 1
                    )
                    if end:
                        yield self._told(data[:end])
                    rest = data[end:]
                    if len(data) == _PIECE:
                        file.seek(self.position)
                        continue
                    if rest and (final or time.monotonic() - self.since > _PATIENCE):
                        yield self._told(rest, partial=not final)
                    return
        except FileNotFoundError:
            return

    def _told(self, data: bytes, *, partial: bool = False) -> Chunk:
        self.position += len(data)
        self.since = time.monotonic()
        return Chunk(self.job, data, partial)

    def skip(self, query: LogQuery) -> None:
        """Go to where the query's `since` and `tail` begin."""
        if query.since is not None:
            self.position = _offset(self.path, query.since)
        if query.tail is not None:
            self.position = max(self.position, _tail(self.path, query.tail))


class _Follower:
    """What has been told of one run so far."""

    def __init__(self, engine: "LocalEngine", query: LogQuery) -> None:
        self._query, self._folder, self._secrets = (
            query,
            engine.folder(Id(query.id.user, query.id.number)),
            [value.encode() for value in secrets.hidden(engine.home)],
        )
        self._logs: dict[Path, _Log] = {}
        self._closed: set[Path] = set()
        self._states: dict[str, State] = {}

    def told(self, whole: SetStatus) -> Iterator[Chunk | Change]:
        """Yield what is new of a run, each job's last lines before its end."""
        ended = []
        for part in parts(whole, self._query.id):
            if self._states.get(part.id) == part.state:
                continue
            self._states[part.id] = part.state
            if part.state.is_terminal:
                ended.append(part)
            elif part.state is not State.CREATED:
                yield change(part)
        self._find_own(whole)
        for experiment in (
            part
            for part in experiments(whole, self._query.id)
            if part.state not in _UNBEGUN
        ):
            self._find(whole, experiment)
        for part in ended:
            yield from self.lines(final=True, below=part.id)
            yield change(part)

    def lines(self, *, final: bool = False, below: str = "") -> Iterator[Chunk]:
        """Yield new lines of the open logs; with `final` of those `below` an id, which then are closed."""
        for path, log in list(self._logs.items()):
            if below and not f"{log.job}.".startswith(f"{below}."):
                continue
            for chunk in log.read(final=final):
                yield self._masked(chunk)
            if final:
                self._closed.add(path)
                del self._logs[path]

    def _find(self, whole: SetStatus, experiment: ExperimentStatus) -> None:
        folder = self._folder / str(experiment.sub) if whole.is_set else self._folder
        self._open(experiment.id, folder)

    def _find_own(self, whole: SetStatus) -> None:
        if whole.is_set and self._query.id.sub is None:
            self._open(whole.id, self._folder)

    def _open(self, owner: str, folder: Path) -> None:
        wanted = self._query.id
        for path in sorted((folder / ".riseml" / "logs").glob("*.log")):
            match = _NAME.fullmatch(path.name)
            if match is None or path in self._logs or path in self._closed:
                continue
            if wanted.type and match["job"] != ".".join(
                map(str, filter(None, (wanted.type, wanted.index)))
            ):
                continue
            log = self._logs[path] = _Log(f"{owner}.{match['job']}", path)
            log.skip(self._query)

    def _masked(self, chunk: Chunk) -> Chunk:
        data = chunk.data
        for secret in self._secrets:
            data = data.replace(secret, b"***")
        return Chunk(chunk.job, data, chunk.partial)


def follow(engine: "LocalEngine", query: LogQuery) -> Iterator[Chunk | Change]:
    """Yield the lines and changes of state of a run, of one of its experiments, or of a job."""
    follower, found = _Follower(engine, query), False
    for whole, fresh in engine.glances(query.id, _BLINK):
        if fresh:
            found = found or any(parts(whole, query.id))
            if not found and (query.id.type is None or whole.state.is_terminal):
                raise NotFoundError(
                    f"could not find {query.id}",
                    f"`riseml status {query.id.number}` lists what there is.",
                )
            yield from follower.told(whole)
        yield from follower.lines()
        if fresh and (
            not query.follow
            or all(part.state.is_terminal for part in parts(whole, query.id))
        ):
            yield from follower.lines(final=True)
            return


def _offset(path: Path, since: datetime) -> int:
    """Return where in a log the lines begin that were written after `since`, as exactly as its index knows."""
    start = since.timestamp()
    try:
        lines = path.with_name(f"{path.name}.times").read_text("ascii").splitlines()
    except FileNotFoundError:
        lines = []
    looks = [
        (float(moment), int(length))
        for moment, _, length in (line.partition(" ") for line in lines)
        if length
    ]
    if looks:
        return max((length for moment, length in looks if moment < start), default=0)
    status = path.stat()
    return status.st_size if status.st_mtime < start else 0


def _tail(path: Path, lines: int) -> int:
    """Return where the last `lines` lines of a log begin; of one without line ends only the last megabytes are seen."""
    with path.open("rb") as file:
        end = position = file.seek(0, 2)
        if not lines or not end:
            return end
        file.seek(end - 1)
        wanted = lines + (file.read(1) == b"\n")
        while position and end - position < _FAR:
            step = min(_PIECE, position)
            position -= step
            file.seek(position)
            data = file.read(step)
            found = data.count(b"\n")
            if found >= wanted:
                return position + _nth(data, found - wanted) + 1
            wanted -= found
    return position


def _nth(data: bytes, number: int) -> int:
    """Return where the line end with this number (from 0) is."""
    place = -1
    for _ in range(number + 1):
        place = data.index(b"\n", place + 1)
    return place
