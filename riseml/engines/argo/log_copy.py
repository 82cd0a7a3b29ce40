"""Copies of jobs' logs in the output volume, for jobs whose pod is gone or cannot be reached.

Each attempt of a job leaves `<job>.<attempt>.log` in the experiment's output folder.
Beside it, lines `<seconds since 1970> <bytes>` in `….times` say how long it was when.
"""

from collections.abc import Sequence
from typing import NamedTuple

from riseml.cluster.store import StorePod
from riseml.engines import LogQuery, log_index
from riseml.engines.argo import live_results
from riseml.errors import RiseMLError
from riseml.status import JobStatus, SetStatus

# Prints the copies `$1/.riseml/logs/$2.<attempt>.log`: the last $4 lines from byte $3 on, none older than $5. With $6,
# only those of attempts before that one.
_PRINT = r"""
cd /output
for file in "$1/.riseml/logs/$2".[0-9]*.log; do
  attempt=${file%.log} attempt=${attempt##*.}
  [ -f "$file" ] && [ "$attempt" -lt "${6:-$((attempt + 1))}" ] || continue
  from=$3
  if [ -n "$5" ] && [ -f "$file.times" ]; then
    old=$(while read -r at length; do [ "${at%.*}" -ge "$5" ] || echo "$length"; done < "$file.times" | tail -n 1)
    [ "${old:-0}" -le "$from" ] || from=$old
  fi
  if [ -n "$4" ]; then tail -c "+$((from + 1))" "$file" | tail -n "$4"; else tail -c "+$((from + 1))" "$file"; fi
done
"""

# Prints each of the copies that the script above prints as a line `<attempt> <from> <to> <bytes>`,
# so many bytes of its index, and the bytes of this range.
_PRINT_WITH_TIMES = r"""
cd /output
for file in "$1/.riseml/logs/$2".[0-9]*.log; do
  attempt=${file%.log} attempt=${attempt##*.}
  [ -f "$file" ] && [ "$attempt" -lt "${6:-$((attempt + 1))}" ] || continue
  from=$3 size=$(wc -c < "$file") index=0
  if [ -n "$5" ] && [ -f "$file.times" ]; then
    old=$(while read -r at length; do [ "${at%.*}" -ge "$5" ] || echo "$length"; done < "$file.times" | tail -n 1)
    [ "${old:-0}" -le "$from" ] || from=$old
  fi
  [ "$from" -le "$size" ] || from=$size
  length=$((size - from))
  if [ -n "$4" ]; then length=$(tail -c "+$((from + 1))" "$file" | head -c "$length" | tail -n "$4" | wc -c); fi
  [ ! -f "$file.times" ] || index=$(wc -c < "$file.times")
  echo "$attempt $((size - length)) $((size)) $((index))"
  [ ! -f "$file.times" ] || head -c "$index" "$file.times"
  tail -c "+$((size - length + 1))" "$file" | head -c "$length"
done
"""


class Copy(NamedTuple):
    """A part of the copy of an attempt's log, with the index of the log.

    `start` is the position of the part, and `times` the index.
    """

    attempt: int
    start: int
    data: bytes
    times: list[log_index.Entry]


def read_with_times(
    store: StorePod,
    run: SetStatus,
    job: JobStatus,
    query: LogQuery,
    start: int = 0,
    *,
    stop: int | None = None,
) -> list[Copy]:
    """Return what `read` returns, for each attempt with the index of its log."""
    arguments = _arguments(run, job, query, start, stop)
    text = _print(store, _PRINT_WITH_TIMES, arguments)
    copies = []
    while text:
        header, _, text = text.partition(b"\n")
        attempt, first, size, index_size = map(int, header.split())
        end = index_size + size - first
        index = log_index.parse(text[:index_size].decode("ascii", "replace"))
        copies.append(Copy(attempt, first, text[index_size:end], index))
        text = text[end:]
    return copies


def read(
    store: StorePod,
    run: SetStatus,
    job: JobStatus,
    query: LogQuery,
    start: int = 0,
    *,
    stop: int | None = None,
) -> bytes:
    """Return what the output volume has of a job's log from byte `start` on.

    `stop` limits it to the attempts with smaller numbers.

    The result is empty if there is no copy or the store cannot be reached.
    """
    return _print(store, _PRINT, _arguments(run, job, query, start, stop))


def _print(store: StorePod, script: str, arguments: Sequence[str]) -> bytes:
    try:
        return store.script(script, *arguments)
    except RiseMLError:
        # The log is missing then, but all other lines and changes still arrive.
        return b""


def _arguments(
    run: SetStatus, job: JobStatus, query: LogQuery, start: int, stop: int | None
) -> Sequence[str]:
    """Return the arguments of the scripts, from $1 on."""
    name = f"{job.type}.{job.index}" if job.index else job.type
    tail = "" if query.tail is None else str(query.tail)
    since = "" if query.since is None else str(int(query.since.timestamp()))
    limit = "" if stop is None else str(stop)
    return (_folder(run, job), name, str(start), tail, since, limit)


def _folder(run: SetStatus, job: JobStatus) -> str:
    """Return the output folder of a job's experiment, or of the run for its own jobs."""
    for experiment in run.experiments:
        if job in experiment.jobs:
            return live_results.folder(run, experiment)
    return run.folder
