"""Reference of the Python API: which public names are documented under which heading, by autodoc."""

from collections.abc import Iterator

import riseml

FURTHER = (
    "riseml.client.compilation.Export",
    "riseml.client.compilation.Exported",
    "riseml.client.diff.ExperimentPair",
    "riseml.client.port_forward.ForwardedPort",
    "riseml.client.port_forward.PortForward",
    "riseml.client.result_fields.ResultColumn",
    "riseml.client.tensorboard.Server",
    "riseml.consumption.Disk",
    "riseml.consumption.ProjectUsage",
    "riseml.consumption.Prunable",
    "riseml.consumption.RunUsage",
    "riseml.engines.Submission",
    "riseml.engines.Growth",
    "riseml.engines.access.Command",
    "riseml.engines.access.JobAccess",
    "riseml.engines.access.Outcome",
    "riseml.engines.access.Streams",
    "riseml.engines.capabilities.RunnerChoice",
    "riseml.engines.queries.LogQuery",
    "riseml.engines.queries.Query",
    "riseml.engines.views.UsageView",
    "riseml.metric.Metric",
    "riseml.plan.EarlyStop",
    "riseml.plan.GitState",
    "riseml.plan.Rounds",
    "riseml.plan.Search",
    "riseml.project.revision_diff.CodeDifference",
    "riseml.project.revision_diff.FileChange",
)
"""Types that public methods take or return, and that are not names of `riseml` themselves."""

_IN_JOBS = ("report_result", "report_progress", "should_stop", "experiment_id")
_FIRST = ("Client",)


def names() -> dict[str, list[str]]:
    """Return all public names by heading."""
    errors: list[str] = []
    types: list[str] = []
    for name in riseml.__all__:
        value = getattr(riseml, name)
        if name in (*_IN_JOBS, *_FIRST) or not isinstance(value, type):
            continue
        (errors if issubclass(value, Exception) else types).append(name)
    errors.sort(key=lambda name: len(getattr(riseml, name).__mro__))
    return {
        "In jobs": list(_IN_JOBS),
        "Client": list(_FIRST),
        "Types": types,
        "Errors": errors,
    }


def markdown() -> str:
    """Return a section for each heading, with a directive for each name."""
    lines: list[str] = []
    for heading, members in names().items():
        lines += [f"## {heading}", "", "```{eval-rst}"]
        for name in members:
            lines += _directive(name)
        lines += ["```", ""]
    lines += ["## Further types", ""]
    lines += ["What methods take and return besides; these names may move.", ""]
    lines.append("```{eval-rst}")
    for name in FURTHER:
        lines += _class(name, "class")
    lines += ["```", ""]
    return "\n".join(lines)


def _directive(name: str) -> Iterator[str]:
    value = getattr(riseml, name)
    if not isinstance(value, type):
        yield f".. autofunction:: riseml.{name}"
        yield ""
        return
    kind = "exception" if issubclass(value, Exception) else "class"
    yield from _class(f"riseml.{name}", kind)


def _class(name: str, kind: str) -> Iterator[str]:
    yield f".. auto{kind}:: {name}"
    yield "   :members:"
    yield "   :inherited-members: Exception, NamedTuple, tuple, Enum, str"
    yield ""
