"""Searches in rounds: a job chooses the parameters of each round from the results of those before.

    set   DAG: search-1 ─▶ round-1 ─▶ search-2 ─▶ round-2 ─▶ … ─▶ end
          search-n   container: writes the parameters of round n, as JSON
          round-n    one item per experiment, with those parameters
          end        never runs; the failures of all rounds become that of the set

The job has an image of its own, which is built like that of the experiments.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from hera.workflows.container import Container
from hera.workflows.models import ValueFrom, VolumeMount
from hera.workflows.parameter import Parameter
from hera.workflows.retry_strategy import RetryStrategy
from hera.workflows.task import Task

import riseml
from riseml import labels, manifest
from riseml.compiler import build, pod
from riseml.compiler.names import Names
from riseml.compiler.text import KILLED, literal, reference
from riseml.distributions import space_to_data
from riseml.plan import Experiment, Resources, Rounds
from riseml.rounds.numbers import rounds_before

JOB = "search"
BUILD = "build-search"
RESOURCES = Resources(cpus=Decimal("0.5"), mem=512_000_000)
TRIALS = "trials"
_ATTEMPTS = 3
# What the job runs besides the function of the strategy, below the folder of this package.
_MODULES = (
    "dataclass.py",
    "distributions.py",
    "excerpts.py",
    "metric.py",
    "metrics/documents.py",
    "metrics/events.py",
    "metrics/experiment.py",
    "metrics/files.py",
    "metrics/folder_files.py",
    "metrics/hparams.py",
    "metrics/log.py",
    "metrics/names.py",
    "metrics/numbers.py",
    "metrics/reader.py",
    "metrics/result_file.py",
    "metrics/series.py",
    "metrics/tables.py",
    "metrics/wire.py",
    "rounds/measure.py",
    "rounds/numbers.py",
    "rounds/optuna_space.py",
    "rounds/step.py",
    "rounds/trials.py",
)
_ALL = f"'{KILLED}'"


def count(names: Names) -> int:
    """Return the number of rounds."""
    return -(-len(names.plan.experiments) // _rounds(names).batch)


def samples(names: Names) -> list[Experiment]:
    """Return experiments whose parameters together have all forms of the values."""
    values = {name: list(names.values(name)) for name in names.parameters}
    longest = max(map(len, values.values()))
    rows = []
    for index in range(longest):
        row = {name: texts[index % len(texts)] for name, texts in values.items()}
        rows.append(Experiment(1, row))
    return rows


def tasks(names: Names, arguments: list[Parameter], when: str) -> Iterator[Task]:
    """Yield the tasks of the set; `arguments` and `when` are those of an experiment."""
    offset = rounds_before(names.plan.experiments[0].sub, _rounds(names).batch)
    numbers = range(offset + 1, offset + count(names) + 1)
    for round_ in numbers:
        condition = None
        if round_ > numbers.start:
            condition = _any_end(f"round-{round_ - 1}")
        yield _search_task(f"{JOB}-{round_}", round_, names, condition)
        yield Task(
            name=f"round-{round_}",
            template="experiment",
            arguments=arguments,
            with_param=f"{{{{tasks.{JOB}-{round_}.outputs.parameters.{TRIALS}}}}}",
            depends=f"{JOB}-{round_}.Succeeded",
            when=when,
        )
    # No round is a daemon, so this is omitted, and passes on what it depends on.
    rounds = (f"round-{round_}.Daemoned" for round_ in numbers)
    yield _search_task("end", 0, names, " || ".join(rounds))


def _search_task(name: str, round_: int, names: Names, depends: str | None) -> Task:
    arguments = [Parameter(name=labels.ROUND_PARAMETER, value=round_)]
    for parameter in names.search_inputs:
        arguments.append(Parameter(name=parameter, value=reference(parameter)))
    return Task(
        name=name,
        template=JOB,
        arguments=arguments,
        depends=depends,
        when=f"{_ALL} !~ '(^|,)[*]='",
    )


def _any_end(task: str) -> str:
    # A round continues the search however its experiments end, but not if it had none.
    ends = ("Succeeded", "Failed", "Errored", "Skipped")
    return " || ".join(f"{task}.{end}" for end in ends)


def build_template(names: Names) -> Container:
    """Return the template that builds the image of the job."""
    return build.template(names.for_search, BUILD)


def template(names: Names) -> Container:
    """Return the template of the job that chooses the parameters of a round."""
    round_ = reference(labels.ROUND_PARAMETER)
    environment = {
        "OUTPUT_DIR": pod.OUTPUT,
        "RISEML_DIR": pod.RISEML,
        "RISEML_JOB": f"{JOB}.{round_}",
        "RISEML_ATTEMPT": "{{retries}}",
        "RISEML_THREADS": "1",
        "RISEML_SEARCH": literal(json.dumps(_description(names))),
        "RISEML_ROUND": round_,
        "RISEML_RUN": names.number,
        "RISEML_KILLED": KILLED,
        "RISEML_MODULES": literal(modules(_rounds(names).program)),
    }
    path = f"{pod.RISEML}/{TRIALS}"
    return Container(
        name=JOB,
        inputs=[
            Parameter(name=labels.ROUND_PARAMETER),
            *(Parameter(name=name) for name in names.search_inputs),
        ],
        labels={labels.TYPE: JOB, labels.INDEX: round_},
        image=names.search_image,
        command=["sh", "-c"],
        args=pod.arguments([], JOB),
        env=pod.variables(environment),
        resources=pod.requirements(RESOURCES, names),
        volume_mounts=[
            VolumeMount(name="output", mount_path=pod.OUTPUT, sub_path=names.run_path),
            VolumeMount(name="riseml", mount_path=pod.RISEML),
        ],
        outputs=[Parameter(name=TRIALS, value_from=ValueFrom(path=path))],
        # A step that runs again returns the same parameters.
        retry_strategy=RetryStrategy(
            limit=str(_ATTEMPTS - 1),
            retry_policy="Always",
            expression=f"!({_ALL} matches '(^|,)[*]=')",
        ),
    )


def modules(program: str) -> str:
    """Return the modules that the job needs, as one text; `program` has the function of the strategy."""
    package = Path(riseml.__file__).parent
    sources = {name: (package / name).read_text("utf-8") for name in _MODULES}
    # Without these, another package of this name would count.
    packages = dict.fromkeys(("", "metrics/", "rounds/"), "")
    sources.update({f"{name}__init__.py": text for name, text in packages.items()})
    # Annotations of the function may name what only the strategy's own module imports.
    sources["rounds/strategy.py"] = f"from __future__ import annotations\n\n{program}"
    return "".join(f"#: riseml/{name}\n{text}" for name, text in sources.items())


def _description(names: Names) -> dict[str, Any]:
    """Return what `rounds.step.Search` reads."""
    plan, rounds = names.plan, _rounds(names)
    jobs: list[str] = []
    for job in plan.jobs:
        # Daemons are stopped, so their exit status says nothing.
        jobs += () if job.daemon else job.names
    quoted = {}
    for name in names.individually_quoted:
        quoted[name] = {text: manifest.quoted(text) for text in names.values(name)}
    return {
        "seed": plan.search.seed,
        "metric": plan.search.metric,
        "mode": plan.search.mode,
        "metrics": list(map(vars, plan.metrics)),
        "jobs": jobs,
        "space": space_to_data(rounds.space),
        "settings": rounds.settings,
        "quoted": quoted,
        "first": plan.experiments[0].sub,
        "last": plan.experiments[-1].sub,
        "batch": rounds.batch,
    }


def _rounds(names: Names) -> Rounds:
    rounds = names.plan.rounds
    # The functions of this module are called for searches in rounds only.
    assert rounds is not None  # noqa: S101
    return rounds
