"""Results that experiments have reported into the output volume, complete and before their documents have them."""

import re
from collections.abc import Iterable, Mapping

from riseml.cluster.store import RunsScripts
from riseml.dataclass import replace
from riseml.engines.argo.output_folder import folder
from riseml.errors import RiseMLError
from riseml.metrics import result_file
from riseml.metrics.result_file import Reported, Tail
from riseml.status import ExperimentStatus, SetStatus
from riseml.status.measured import with_reported

# Reads lines `<attempt> <folder>` up to an empty one. Prints a line about the file of each
# folder below /output, and the end of that file: at most $1 bytes. Until an attempt runs its
# commands, the file is that of an earlier one.
_TAILS = """
cd /output
while read -r attempt folder && [ -n "$attempt" ]; do
  file=$folder/.riseml/results.jsonl
  [ "$attempt" = 0 ] || [ -e "$folder/.riseml/attempt.$attempt" ] || continue
  [ -s "$file" ] || continue
  size=$(wc -c < "$file"); before=$((size > $1 ? size - $1 : 0)); length=$((size - before)); lines=0
  [ "$before" = 0 ] || lines=$(head -c "$before" "$file" | wc -l)
  printf '%s %s %s %s\\n' "$length" "$before" "$((lines))" "$folder"
  tail -c "+$((before + 1))" "$file" | head -c "$length"
done
"""
_HEADER = re.compile(rb"(\d+) (\d+) (\d+) (.+)\n")
# Bytes that one read of all files may transfer, and what is read of each file at least.
_TOTAL_BYTES, _LEAST_BYTES = 8 << 20, 4096


def with_results(store: RunsScripts, run: SetStatus) -> SetStatus | None:
    """Return a run with the results that its experiments have reported so far.

    A document has only short results, and those of a gang only as they were when its first
    job ended. It returns None if the store is unavailable.
    """
    started = {}
    for experiment in run.experiments:
        if experiment.started is not None:
            started[folder(run, experiment)] = experiment
    try:
        reports = read(store, started)
    except RiseMLError:
        return None
    experiments = []
    for experiment in run.experiments:
        reported = reports.get(folder(run, experiment), Reported())
        experiments.append(with_reported(experiment, reported))
    return replace(run, experiments=tuple(experiments))


def read(
    store: RunsScripts, started: Mapping[str, ExperimentStatus]
) -> dict[str, Reported]:
    """Return what the files of experiments report, by their folders."""
    reports = {}
    remaining = set(started)
    share = _TOTAL_BYTES // max(1, len(started))
    limit = min(max(share, _LEAST_BYTES), result_file.TAIL_LIMIT)
    for size in (limit, result_file.LINE_LIMIT + 1):
        attempts = {name: started[name].attempt for name in remaining}
        tails = _tails(store, attempts, size)
        remaining = set()
        for name, tail in tails.items():
            has_ended = started[name].state.is_terminal
            reports[name] = result_file.read(tail, has_ended=has_ended)
            if result_file.lacks_result(tail, reports[name]):
                remaining.add(name)
    for name in remaining:
        reports[name] = result_file.with_long_line(reports[name])
    return reports


def _tails(
    store: RunsScripts, attempts: Mapping[str, int], size: int
) -> dict[str, Tail]:
    """Return at most `size` bytes of the end of the file of each folder that has one."""
    if not attempts:
        return {}
    lines = ""
    for name, attempt in attempts.items():
        lines += f"{attempt} {name}\n"
    # The empty line is the end of the input: some servers cannot report that.
    lines += "\n"
    data = store.script(_TAILS, str(size), stdin=[lines.encode()])
    return dict(_parse(data))


def _parse(data: bytes) -> Iterable[tuple[str, Tail]]:
    start = 0
    # A file that was moved while it was read has fewer bytes than its line says, and
    # then the next line is missing.
    while match := _HEADER.match(data, start):
        length, bytes_before, lines_before = map(int, match.groups()[:3])
        start = match.end() + length
        text = data[match.end() : start]
        yield match[4].decode(), Tail(text, bytes_before, lines_before)
