"""Records for TensorBoard's HPARAMS tab, written before the first job of an experiment starts."""

import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from riseml import labels
from riseml.engines.local.jobs.pod import Pod
from riseml.metrics import hparams


class SessionRecords:
    """Writer of the records of one run; `document` is its Workflow."""

    def __init__(self, document: Mapping[str, Any], number: int) -> None:
        self._document, self._number = document, number

    def write(self, pod: Pod) -> None:
        """Write the record of a pod's experiment into its output, unless it has no parameters."""
        parameters = _parameters(self._items.get(pod.experiment, {}))
        if not parameters:
            return
        # Logs are in <output>/.riseml/logs.
        file = pod.log.parents[2] / hparams.START_FILE
        experiment = f"{self._number}.{pod.experiment}"
        data = hparams.start(experiment, parameters, time.time())
        # A further attempt finds it. A full disk must not keep a job from starting.
        with suppress(OSError), file.open("xb") as record:
            record.write(data)

    @cached_property
    def _items(self) -> dict[str, Mapping[str, Any]]:
        """The items of the document by the numbers of their experiments.

        They are not copied: a set may have thousands.
        """
        items = {}
        for item in _items(self._document):
            items[item.get(labels.SUB_PARAMETER, "")] = item
        return items


def _parameters(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the user's parameters of an experiment."""
    parameters = {}
    for name, value in item.items():
        if not name.startswith(labels.OWN):
            parameters[name] = str(value)
    return parameters


def _items(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    for template in document["spec"]["templates"]:
        for task in template.get("dag", {}).get("tasks", ()):
            items = task.get("withItems", ())
            if task["name"] == "experiment" and items and isinstance(items[0], dict):
                return list(items)
    return []
