"""Results that experiments have reported in the output volume, before their documents have them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from riseml.cluster.store import StorePod
from riseml.errors import RiseMLError
from riseml.status import ExperimentStatus, SetStatus, State

# Prints for each folder below /output its name and the last line that its job has reported.
_RESULTS = """
cd /output
for folder; do
  file=$folder/.riseml/results.jsonl
  [ ! -s "$file" ] || printf '%s\\t%s\\n' "$folder" "$(tail -n 1 "$file" | head -c 4096)"
done
"""
# The folders are arguments of one command, whose length is limited.
_MAX_EXPERIMENTS = 500


def folder(run: SetStatus, experiment: ExperimentStatus) -> str:
    """Return the folder of an experiment, relative to the output volume."""
    parent = run_folder(run)
    return f"{parent}/{experiment.sub}" if run.is_set else parent


def run_folder(run: SetStatus) -> str:
    """Return the folder of a run, relative to the output volume."""
    return f"{run.user}/{run.project}/{run.number}"


def with_results(store: StorePod, run: SetStatus) -> SetStatus:
    """Return a run with the results that its experiments have reported so far."""
    ids = {}
    for experiment in run.experiments:
        if _lacks_result(experiment):
            ids[folder(run, experiment)] = experiment.id
    if not ids:
        return run
    folders = list(ids)[-_MAX_EXPERIMENTS:]
    try:
        lines = store.script(_RESULTS, *folders).decode(errors="replace")
    except RiseMLError:
        # The store may be unavailable; the rest of the status does not need it.
        return run
    results = _parse(lines, ids)
    experiments = []
    for experiment in run.experiments:
        result = results.get(experiment.id, experiment.result)
        experiments.append(replace(experiment, result=result))
    return replace(run, experiments=tuple(experiments))


def _lacks_result(experiment: ExperimentStatus) -> bool:
    if experiment.result is not None or not experiment.started:
        return False
    # Argo has written the result of a finished experiment into its document.
    return experiment.state is not State.FINISHED


def _parse(lines: str, ids: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
    """Return the results by the ids of their experiments."""
    results: dict[str, Mapping[str, Any]] = {}
    for line in lines.splitlines():
        reported_folder, _, text = line.partition("\t")
        try:
            value = json.loads(text)
        except ValueError:
            # The job is just writing the line.
            continue
        if reported_folder in ids:
            result = value if isinstance(value, dict) else {"result": value}
            results[ids[reported_folder]] = result
    return results
