"""Metric of a search: which of the metrics in `results` decides, and whether small or large values are best."""

from collections.abc import Mapping
from itertools import filterfalse
from typing import Any

from yaml.nodes import MappingNode

from riseml import search
from riseml.config.strategy import SearchConfig
from riseml.dataclass import replace
from riseml.excerpts import excerpt
from riseml.plan import Metric
from riseml.schema.yaml_document import Document, Entries

_EXAMPLE = "Write for example metric: val_loss, mode: min."


def complete(
    config: SearchConfig, results: tuple[Metric, ...]
) -> tuple[SearchConfig, tuple[Metric, ...]]:
    """Return a search with its metric and mode, and the metrics with that of the search first.

    A strategy that compares experiments uses the first metric with a mode if the file
    names none for the search. Other strategies need no metric.
    """
    name = config.metric or _default(config, results)
    if not name:
        return config, results
    metric = _find(name, results)
    mode = config.mode or metric.mode
    others = filterfalse(metric.__eq__, results)
    return replace(config, metric=name, mode=mode), (
        replace(metric, mode=mode),
        *others,
    )


def check(values: Mapping[str, Any], entries: Entries, doc: Document) -> None:
    """Note a search without a metric that it needs, and a metric with no mode or with two."""
    config: SearchConfig | None = values.get("search")
    if config is None:
        return
    results: tuple[Metric, ...] = values.get("results") or ()
    completed, _ = complete(config, results)
    node = entries["search"][1]
    # A search without a mapping has neither a metric nor a mode.
    inner = doc.entries(node, "search") if isinstance(node, MappingNode) else {}
    if not completed.metric:
        if search.measures(search.find(config.method)):
            doc.error(node, "'metric' is missing in train.search", _EXAMPLE)
        elif config.mode:
            doc.error(inner["mode"][0], "mode has no effect without metric", _EXAMPLE)
        return
    name = excerpt(completed.metric)
    modes = {config.mode, _find(completed.metric, results).mode}
    if modes == {""}:
        doc.error(
            inner["metric"][0],
            f"the search does not know whether small or large values of '{name}' are best",
            "Write mode: min or mode: max.",
        )
    elif modes == {"min", "max"}:
        doc.error(
            inner["mode"][1],
            f"mode is {config.mode}, but results say otherwise about '{name}'",
            "Remove one of the two.",
        )


def _default(config: SearchConfig, results: tuple[Metric, ...]) -> str:
    """Return the first metric with a mode, if the strategy needs one."""
    if not search.measures(search.find(config.method)):
        return ""
    names = (metric.name for metric in results if metric.mode)
    return next(names, "")


def _find(name: str, results: tuple[Metric, ...]) -> Metric:
    """Return the metric of this name as `results` have it, a new one if they have none."""
    named = {metric.name: metric for metric in results}
    return named.get(name, Metric(name))
