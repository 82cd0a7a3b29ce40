"""Metrics of a run on a cluster, read from the logs and files in the output volume.

    one request lists the files of all experiments ──▶ one request returns what is new in them

How far each file has been read is kept on this machine, so that no byte travels twice.
Once the run has ended, the values are in its archive.
"""

import gzip
import re
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from riseml import home_folder
from riseml.cluster.store import RunsScripts
from riseml.dataclass import replace
from riseml.engines.argo import output_folder
from riseml.errors import HomeError, RiseMLError
from riseml.metrics import cache
from riseml.metrics.experiment import Reading
from riseml.metrics.files import File, of_last_attempt
from riseml.status import ExperimentStatus, SetStatus
from riseml.status.measured import with_measured

# Reads lines with folders below /output up to an empty one. Prints size, time and path of
# each file that may have metrics.
_LIST = """cd /output
while read -r folder && [ -n "$folder" ]; do
  [ -d "$folder" ] || continue
  find "$folder" \\( -name .git -o -name __pycache__ -o -name node_modules -o -name site-packages \\) -prune -o \\
    -type f \\( -path '*/.riseml/logs/*' -o -name '*tfevents*' -o -name '*.[ct]sv' -o -name training.log \\
    -o -name '*.json' -o -name '*.jsonl' \\) -exec stat -c '%s %Y %n' {} + 2> /dev/null || :
done
"""
# Reads lines `<start, from 1> <bytes> <path>` up to `end`. A file that has become shorter is
# filled up, so that the others are found in what this prints.
_SEND = """cd /output
while read -r first length name && [ "$first" != end ]; do
  { tail -c "+$first" "$name" 2> /dev/null | head -c "$length"; head -c "$length" /dev/zero; } | head -c "$length"
done | gzip -1
"""
_LINE = re.compile(r"(\d+) (\d+) (.+)")
# One request transfers so many bytes, before they are compressed.
_TOTAL_BYTES = 64 << 20
_FILE_BYTES = 16 << 20
# Requests for the files of one run that has ended; the next command reads the rest.
_MAX_ROUNDS = 32


class _Piece(NamedTuple):
    """Bytes of a file that are wanted: `length` bytes from `start`."""

    experiment: ExperimentStatus
    path: str
    file: File
    start: int
    length: int


class MetricFiles:
    """Reader of the metrics of one run; `cache` is the file that keeps what it has read."""

    def __init__(self, store: RunsScripts, run: SetStatus, cache: Path) -> None:
        self._store, self._run, self._cache = store, run, cache
        self._folders: dict[str, ExperimentStatus] = {}
        for experiment in run.experiments:
            if experiment.started is not None:
                self._folders[output_folder.folder(run, experiment)] = experiment
        self._readings: dict[str, Reading] = {}

    def read(self) -> SetStatus | None:
        """Return the run with its metrics; None if the store is unavailable."""
        try:
            listed = _listed(self._store, list(self._folders))
            self._fetch(self._open(listed))
        except (RiseMLError, OSError, EOFError, zlib.error):
            return None
        self._save()
        values = {}
        for name, reading in self._readings.items():
            values[name] = reading.measured()
        return with_measured(self._run, values)

    def _open(self, listed: Mapping[str, Sequence[File]]) -> dict[str, list[File]]:
        """Continue the readings of all experiments; return the files of each folder to read."""
        cached = cache.load(self._cache)
        files = {}
        for folder, experiment in self._folders.items():
            attempt, files[folder] = of_last_attempt(listed.get(folder, ()))
            reading = Reading(self._run.metrics, attempt)
            # A damaged cache is of no use, and a new one replaces it.
            with suppress(AttributeError, KeyError, TypeError, ValueError):
                reading.restore(cached[experiment.id])
            self._readings[experiment.id] = reading
        return files

    def _fetch(self, files: Mapping[str, Sequence[File]]) -> None:
        """Read what is new in all files."""
        previous: list[_Piece] = []
        for _ in range(_MAX_ROUNDS):
            pieces = self._pieces(files)
            # A damaged file stays where it is.
            if not pieces or pieces == previous:
                return
            contents = _sent(self._store, pieces)
            for piece, content in zip(pieces, contents, strict=True):
                self._advance(piece, content)
            previous = pieces

    def _pieces(self, files: Mapping[str, Sequence[File]]) -> list[_Piece]:
        """Return what to ask for in one request."""
        pieces: list[_Piece] = []
        remaining = _TOTAL_BYTES
        for folder, experiment in self._folders.items():
            reading = self._readings[experiment.id]
            is_end = experiment.state.is_terminal
            for file, start in reading.ranges(files[folder], is_end=is_end):
                length = min(max(0, file.size - start), _FILE_BYTES)
                remaining -= length
                # Each request makes progress with one file at least.
                if remaining < 0:
                    return pieces
                path = f"{folder}/{file.path}"
                pieces.append(_Piece(experiment, path, file, start, length))
        return pieces

    def _advance(self, piece: _Piece, content: bytes) -> None:
        def read(_file: File, start: int, size: int) -> bytes:
            offset = start - piece.start
            return content[offset : offset + size] if offset >= 0 else b""

        end = piece.start + piece.length
        available = replace(piece.file, size=min(piece.file.size, end))
        is_end = piece.experiment.state.is_terminal and available == piece.file
        reading = self._readings[piece.experiment.id]
        reading.advance([available], read, is_end=is_end)

    def _save(self) -> None:
        """Keep the readings, unless the archive is about to have the values."""
        # A full disk must not hide the values.
        with suppress(OSError, HomeError):
            if self._run.state.is_terminal:
                self._cache.unlink(missing_ok=True)
                return
            data = {name: reading.to_data() for name, reading in self._readings.items()}
            home_folder.prepare(self._cache.parents[1])
            home_folder.make_folder(self._cache.parent)
            cache.save(self._cache, data)


def cache_file(home: Path, run: SetStatus, namespace: str) -> Path:
    """Return the file of a home that keeps how far the files of a run have been read."""
    created = run.created.timestamp() if run.created else 0
    return home / "metrics" / f"{namespace}.{run.name}.{int(created)}.json"


def _listed(store: RunsScripts, folders: Sequence[str]) -> dict[str, list[File]]:
    """Return the files of each folder that may have metrics."""
    # The empty line is the end of the input: some servers cannot report that.
    lines = [*folders, "", ""]
    output = store.script(_LIST, stdin=["\n".join(lines).encode()])
    files: dict[str, list[File]] = {folder: [] for folder in folders}
    depth = max(folder.count("/") for folder in ("", *folders)) + 1
    for line in output.decode("utf-8", "surrogateescape").splitlines():
        match = _LINE.fullmatch(line)
        # A name with a line break leaves lines that are none.
        if match is None:
            continue
        parts = match[3].split("/")
        folder, path = "/".join(parts[:depth]), "/".join(parts[depth:])
        file = File(path, int(match[1]), float(match[2]))
        files.setdefault(folder, []).append(file)
    return files


def _sent(store: RunsScripts, pieces: Sequence[_Piece]) -> list[bytes]:
    """Return the bytes of all pieces."""
    lines = []
    for piece in pieces:
        lines.append(f"{piece.start + 1} {piece.length} {piece.path}\n")
    request = "".join([*lines, "end\n"]).encode("utf-8", "surrogateescape")
    data = gzip.decompress(store.script(_SEND, stdin=[request]))
    contents = []
    position = 0
    for piece in pieces:
        contents.append(data[position : position + piece.length])
        position += piece.length
    return contents
