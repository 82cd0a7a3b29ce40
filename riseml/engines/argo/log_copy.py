"""Copies of jobs' logs in the output volume, for jobs whose pod is gone or cannot be reached.

Each attempt of a job leaves `<job>.<attempt>.log` in the experiment's output folder.
Beside it, lines `<seconds since 1970> <bytes>` in `….times` say how long it was when.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from riseml.cluster.store import StorePod
from riseml.engines import LogQuery, log_index
from riseml.engines.argo import attempt_copy, output_folder
from riseml.errors import RiseMLError
from riseml.status import JobStatus, SetStatus

# Prints the copies `$1/.riseml/logs/$2.<attempt>.log`: the last $3 lines, none older than $4. With $5, only those of
# attempts before that one.
_PRINT = r"""
cd /output
for file in "$1/.riseml/logs/$2".[0-9]*.log; do
  attempt=${file%.log} attempt=${attempt##*.}
  [ -f "$file" ] && [ "$attempt" -lt "${5:-$((attempt + 1))}" ] || continue
  from=0
  if [ -n "$4" ] && [ -f "$file.times" ]; then
    old=$(while read -r at length; do [ "${at%.*}" -ge "$4" ] || echo "$length"; done < "$file.times" | tail -n 1)
    from=${old:-0}
  fi
  if [ -n "$3" ]; then tail -c "+$((from + 1))" "$file" | tail -n "$3"; else tail -c "+$((from + 1))" "$file"; fi
done
"""

# Prints each of the copies that the script above prints as a line `<attempt> <from> <to> <bytes>`,
# so many bytes of its index, and the bytes of this range.
_PRINT_WITH_TIMES = r"""
cd /output
for file in "$1/.riseml/logs/$2".[0-9]*.log; do
  attempt=${file%.log} attempt=${attempt##*.}
  [ -f "$file" ] && [ "$attempt" -lt "${5:-$((attempt + 1))}" ] || continue
  from=0 size=$(wc -c < "$file") index=0
  if [ -n "$4" ] && [ -f "$file.times" ]; then
    old=$(while read -r at length; do [ "${at%.*}" -ge "$4" ] || echo "$length"; done < "$file.times" | tail -n 1)
    from=${old:-0}
  fi
  [ "$from" -le "$size" ] || from=$size
  length=$((size - from))
  if [ -n "$3" ]; then length=$(tail -c "+$((from + 1))" "$file" | head -c "$length" | tail -n "$3" | wc -c); fi
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
    *,
    stop: int | None = None,
) -> list[Copy]:
    """Return what `read` returns, for each attempt with the index of its log."""
    try:
        text = store.script(_PRINT_WITH_TIMES, *_arguments(run, job, query, stop))
    except RiseMLError:
        return []
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
    *,
    stop: int | None = None,
) -> Iterator[bytes]:
    """Yield what the output volume has of a job's log: complete lines, and the rest at the end.

    `stop` limits it to the attempts with smaller numbers. Nothing is yielded if there is
    no copy or the store cannot be reached: all other lines and changes still arrive.
    """
    unfinished = b""
    with contextlib.suppress(RiseMLError):
        for piece in store.stream(_PRINT, *_arguments(run, job, query, stop)):
            lines, end, unfinished = (unfinished + piece).rpartition(b"\n")
            yield lines + end
    yield unfinished


def path(run: SetStatus, job: JobStatus, attempt: int) -> str:
    """Return the copy of an attempt's log, relative to the output volume."""
    return f"{_folder(run, job)}/.riseml/logs/{_name(job)}.{attempt}.log"


def _name(job: JobStatus) -> str:
    return f"{job.type}.{job.index}" if job.index else job.type


def _arguments(
    run: SetStatus, job: JobStatus, query: LogQuery, stop: int | None
) -> Sequence[str]:
    """Return the arguments of the scripts, from $1 on."""
    limit = "" if stop is None else str(stop)
    return (_folder(run, job), _name(job), *attempt_copy.bounds(query), limit)


def _folder(run: SetStatus, job: JobStatus) -> str:
    """Return the output folder of a job's experiment, or of the run for its own jobs."""
    for experiment in run.experiments:
        if job in experiment.jobs:
            return output_folder.folder(run, experiment)
    return run.folder
