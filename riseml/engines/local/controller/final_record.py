"""Final status of a run as JSON text: of a set, each experiment is read, written and dropped in turn.

    nodes of one experiment ──▶ ExperimentStatus ──▶ text ─┐
    all other fields of the run ───────────────────────────┴──▶ column `status`, run.json

The statuses of 10,000 experiments take 200 MB, their texts 9 MB, and compressed 1 MB.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from riseml import status
from riseml.dataclass import replace
from riseml.engines.local import archive_text, reports
from riseml.engines.local.interpreter.run import WorkflowRun
from riseml.status import ExperimentStatus, SetStatus
from riseml.status.data import encode, experiment_to_data, to_data

_TEXTS_PER_BLOCK: Final = 200


class FinalRecord(NamedTuple):
    """The final status of a run: without experiments, and the JSON of each of these."""

    run: SetStatus
    experiments: "Texts"

    def parts(self) -> Iterator[str]:
        """Yield the JSON of the run, on one line and in ASCII, in parts."""
        head, tail = self._surroundings()
        yield f'{head.removesuffix("}")}, "experiments": ['
        separator = ""
        for experiment in self.experiments:
            yield separator
            yield experiment
            separator = ", "
        yield f"], {tail.removeprefix('{')}"

    def archive_parts(self) -> Iterator[str]:
        """Yield the text of run.json in parts."""
        return archive_text.parts(to_data(self.run), self.experiments, encode)

    def _surroundings(self) -> tuple[str, str]:
        """Return the fields ahead of the experiments as JSON, and those behind them."""
        fields = list(to_data(self.run).items())
        position = [name for name, _ in fields].index("experiments")
        head = dict(fields[:position])
        tail = dict(fields[position + 1 :])
        return json.dumps(head, default=encode), json.dumps(tail, default=encode)


def of_run(run: SetStatus) -> FinalRecord:
    """Return the record of a run that was read with its experiments."""
    texts = Texts()
    for experiment in run.experiments:
        texts.append(_text(experiment))
    return FinalRecord(replace(run, experiments=()), texts)


class Texts:
    """Texts in their order; all but the last ones are compressed, to a tenth of their size."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._last: list[str] = []

    def append(self, text: str) -> None:
        """Add a text, which contains no line break."""
        self._last.append(text)
        if len(self._last) == _TEXTS_PER_BLOCK:
            block = "\n".join(self._last).encode()
            self._blocks.append(zlib.compress(block, level=1))
            self._last = []

    def __iter__(self) -> Iterator[str]:
        for block in self._blocks:
            yield from zlib.decompress(block).decode().split("\n")
        yield from self._last


class FinalReader:
    """Reader of the final status of a run; `nodes` are the ids of some, by their owner.

    The nodes of an experiment belong to its position, those of the run itself to None.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        run: WorkflowRun,
        nodes: Mapping[int | None, Iterable[str]],
    ) -> None:
        self._run, self._nodes = run, nodes
        summary = {**run.summary(), "nodes": _NodeStatuses(run)}
        self._document = {**document, "status": summary}

    def read(self, folder: Path) -> FinalRecord:
        """Return the status with what experiments reported to the output folder of the run."""
        outline = status.read_outline(self._document, self._statuses(None))
        totals = status.Totals()
        texts = Texts()
        for position in range(len(outline.items)):
            nodes = self._statuses(position)
            experiment = status.read_experiment(outline, position, nodes)
            totals.add(experiment)
            output_folder = reports.experiment_folder(folder, experiment)
            texts.append(_text(reports.with_result(experiment, output_folder)))
        return FinalRecord(status.run_status(outline, totals), texts)

    def _statuses(self, owner: int | None) -> list[dict[str, Any]]:
        nodes = [self._run.nodes[key] for key in self._nodes.get(owner, ())]
        nodes.sort(key=lambda node: node.sequence)
        return [self._run.complete_node_status(node.id) for node in nodes]


class _NodeStatuses(Mapping[str, Any]):
    """The nodes as `.status.nodes` has them, each made when it is read."""

    def __init__(self, run: WorkflowRun) -> None:
        self._run = run

    def __getitem__(self, key: str) -> Any:
        return self._run.complete_node_status(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._run.nodes)

    def __len__(self) -> int:
        return len(self._run.nodes)


def _text(experiment: ExperimentStatus) -> str:
    return json.dumps(experiment_to_data(experiment), default=encode)
