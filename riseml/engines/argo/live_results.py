"""What experiments have reported in the output volume, before their documents say so."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from riseml.cluster.store import StorePod
from riseml.errors import RiseMLError
from riseml.status import ExperimentStatus, SetStatus, State

# For each folder below /output: the last line that its job has reported, after the folder's name.
_RESULTS = """
cd /output
for folder; do
  file=$folder/.riseml/results.jsonl
  [ ! -s "$file" ] || printf '%s\\t%s\\n' "$folder" "$(tail -n 1 "$file" | head -c 4096)"
done
"""
# Experiments whose live results are asked for at once
_MOST = 500


def folder(whole: SetStatus, experiment: ExperimentStatus) -> str:
    """Return where in the output volume an experiment has its folder."""
    run = run_folder(whole)
    return f"{run}/{experiment.sub}" if whole.is_set else run


def run_folder(whole: SetStatus) -> str:
    """Return where in the output volume a run has its folder."""
    return f"{whole.user}/{whole.project}/{whole.number}"


def with_results(store: StorePod, whole: SetStatus) -> SetStatus:
    """Return a run with the results that its experiments have reported so far."""
    wanted = {
        folder(whole, each): each.id
        for each in whole.experiments
        if each.result is None and each.started and each.state is not State.FINISHED
    }
    if not wanted:
        return whole
    try:
        told = store.script(_RESULTS, *list(wanted)[-_MOST:]).decode(errors="replace")
    except RiseMLError:
        # The store may be away; everything else is known
        return whole
    found: dict[str, Mapping[str, Any]] = {}
    for line in told.splitlines():
        place, _, text = line.partition("\t")
        try:
            value = json.loads(text)
        except ValueError:
            continue
        if place in wanted:
            found[wanted[place]] = (
                value if isinstance(value, dict) else {"result": value}
            )
    experiments = tuple(
        replace(each, result=found[each.id]) if each.id in found else each
        for each in whole.experiments
    )
    return replace(whole, experiments=experiments)
