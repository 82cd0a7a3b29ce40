"""Record of an experiment's configuration: `riseml-configuration.yml` in its output folder.

The text is made here, with Argo's tags in place of the experiment's own values.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from riseml import labels, manifest
from riseml.compiler import quotes
from riseml.compiler.names import Names
from riseml.compiler.text import literal, reference, safe_reference
from riseml.plan import ExperimentSet, Job, Origin, Resources, Target
from riseml.quantities import memory_text

_MEGABYTE = 1_000_000
# Marks where a parameter's tag goes, until all other text is escaped.
_MARK = re.compile("\0([^\0]+)\0")
# The kernel accepts no variable of 128 KiB.
_MAX_BYTES = 100_000


def configuration(names: Names) -> str:
    """Return the text of riseml-configuration.yml, with tags.

    A text that is too long for a variable has no jobs, and then no parameters.
    """
    longest = _bytes_of_parameters(names)
    text = "".join(_lines(names, names.plan.jobs))
    if len(text.encode()) + longest >= _MAX_BYTES:
        text = "".join(_lines(names, ()))
    if len(text.encode()) + longest >= _MAX_BYTES:
        text = "".join(_lines(names, (), with_parameters=False))
    tagged = _MARK.sub(lambda mark: _tag(mark[1], names), literal(text))
    return tagged.rstrip("\n")


def _bytes_of_parameters(names: Names) -> int:
    """Return the bytes that the longest values of all parameters take."""
    total = 0
    for name in names.parameters:
        total += max(len(value.encode()) for value in names.values(name))
    return total


def texts(
    plan: ExperimentSet, origin: Origin, target: Target
) -> Iterator[tuple[str, str]]:
    """Yield each experiment's folder in the output volume and the text of its record."""
    names = Names(plan, origin, target)
    # The jobs complete it with parameters that are chosen later.
    lines = _lines(names, plan.jobs, with_parameters=plan.rounds is None)
    template = "".join(lines).rstrip("\n")
    sub_tag = reference(labels.SUB_PARAMETER)
    for experiment in plan.experiments:
        values = {
            name: manifest.quoted(value) if name in names.individually_quoted else value
            for name, value in experiment.parameters.items()
        }
        sub = str(experiment.sub)
        text = _MARK.sub(partial(_value, values), template.replace(sub_tag, sub))
        yield names.output_path.replace(sub_tag, sub), f"{text}\n"


def _value(values: Mapping[str, str], mark: re.Match[str]) -> str:
    return values[mark[1]]


def _tag(name: str, names: Names) -> str:
    if name in names.individually_quoted:
        return safe_reference(quotes.companion(name), names.values(name))
    return names.tags[name]


def _lines(
    names: Names, jobs: tuple[Job, ...], *, with_parameters: bool = True
) -> Iterable[str]:
    """Yield the lines of the record, with marks for the values of parameters."""
    plan = names.plan
    yield f"project: {manifest.scalar(plan.project)}\n"
    yield f"experiment: '{names.experiment}'\n"
    if names.origin.revision:
        yield f"revision: {manifest.scalar(names.origin.revision)}\n"
    base = {"base": names.base} if names.base != plan.image else {}
    yield manifest.to_yaml(
        {"image": {"name": plan.image, **base, "install": list(plan.install)}}
    )
    if plan.framework:
        yield f"framework: {manifest.scalar(plan.framework)}\n"
    if names.parameters and with_parameters:
        yield "params:\n"
        yield from _parameter_lines(names)
    if len(jobs) == 1 and jobs[0].count == 1:
        yield manifest.to_yaml(_job(jobs[0]))
    elif jobs:
        entries = {job.type: {"count": job.count, **_job(job)} for job in jobs}
        yield manifest.to_yaml({"jobs": entries})


def _parameter_lines(names: Names) -> Iterable[str]:
    for name, form in names.quoting.items():
        # The mark of an individually quoted parameter stands for its quoted text.
        value = (form or "{}").format(f"\0{name}\0")
        yield f"  {manifest.scalar(name)}: {value}\n"


def _job(job: Job) -> dict[str, Any]:
    return {"resources": _resources(job.resources), "run": list(job.run)}


def _resources(resources: Resources) -> dict[str, Any]:
    values: dict[str, Any] = {
        "cpus": _number(resources.cpus),
        "mem": _number(Decimal(resources.mem) / _MEGABYTE),
        "gpus": resources.gpu_number,
    }
    if resources.gpu_mem:
        values["gpu_mem"] = memory_text(resources.gpu_mem)
    if resources.gpu_type:
        values["gpu_type"] = resources.gpu_type
    return values


def _number(value: Decimal) -> int | float:
    return int(value) if value == int(value) else float(value)
