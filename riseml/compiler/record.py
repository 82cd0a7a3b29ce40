"""The record of its configuration that every experiment gets: `riseml-configuration.yml` in its output folder.

The text is made here, with Argo's tags where an experiment's own values will stand.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from riseml import labels, manifest
from riseml.compiler import quotes
from riseml.compiler.names import Names
from riseml.compiler.text import kept, literal, reference
from riseml.plan import ExperimentSet, Job, Origin, Resources, Target

_MEGABYTE = 1_000_000
_PLACE = re.compile(
    "\0([^\0]+)\0"
)  # where the tag of a parameter goes, once all other text is as it will be
# Bytes: the kernel takes no variable of 128 KiB
_LIMIT = 100_000


def configuration(names: Names) -> str:
    """Return the text of riseml-configuration.yml."""
    whole = "".join(_text(names, names.plan.jobs))
    text = literal(whole if len(whole.encode()) < _LIMIT else "".join(_text(names, ())))
    return _PLACE.sub(lambda place: _tag(place[1], names), text).rstrip("\n")


def texts(
    plan: ExperimentSet, origin: Origin, target: Target
) -> Iterator[tuple[str, str]]:
    """Yield for each experiment its folder in the output volume, and what riseml-configuration.yml will say there."""
    names = Names(plan, origin, target)
    whole = "".join(_text(names, plan.jobs)).rstrip("\n")
    own = reference(labels.SUB_PARAMETER)
    for experiment in plan.experiments:
        values = {
            name: manifest.quoted(value) if name in names.hard else value
            for name, value in experiment.parameters.items()
        }
        text = _PLACE.sub(
            partial(_value, values), whole.replace(own, str(experiment.sub))
        )
        yield names.output_path.replace(own, str(experiment.sub)), f"{text}\n"


def _value(values: Mapping[str, str], place: re.Match[str]) -> str:
    return values[place[1]]


def _tag(name: str, names: Names) -> str:
    return (
        kept(quotes.companion(name), names.values(name))
        if name in names.hard
        else names.tags[name]
    )


def _text(names: Names, jobs: tuple[Job, ...]) -> Iterable[str]:
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
    if names.parameters:
        yield "params:\n"
    for name, form in names.forms.items():
        yield (
            f"  {manifest.scalar(name)}: " + (form or "{}").format(f"\0{name}\0") + "\n"
        )
    if len(jobs) == 1 and jobs[0].count == 1:
        yield manifest.to_yaml(_job(jobs[0]))
    elif jobs:
        yield manifest.to_yaml(
            {"jobs": {job.type: {"count": job.count, **_job(job)} for job in jobs}}
        )


def _job(job: Job) -> dict[str, Any]:
    return {"resources": _resources(job.resources), "run": list(job.run)}


def _resources(resources: Resources) -> dict[str, Any]:
    return {
        "cpus": _number(resources.cpus),
        "mem": _number(Decimal(resources.mem) / _MEGABYTE),
        "gpus": resources.gpus,
    }


def _number(value: Decimal) -> int | float:
    return int(value) if value == int(value) else float(value)
