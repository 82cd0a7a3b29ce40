"""Plans to compile, and what a job receives of the result."""

from collections.abc import Mapping
from typing import Any

from riseml.compiler import compile_workflow
from riseml.distributions import CHOICE, FLOAT, Distribution
from riseml.engines.local.interpreter.tags import item_values, replace
from riseml.engines.local.jobs.pod_to_process import expand
from riseml.plan import (
    Experiment,
    ExperimentSet,
    Job,
    Metric,
    Origin,
    Resources,
    Rounds,
    Search,
    Target,
)

REVISION = "0123456789abcdef0123456789abcdef01234567"
ORIGIN = Origin("me", 14, REVISION)
Document = dict[str, Any]


def single(run: tuple[str, ...] = ("python fit.py",), **changes: Any) -> ExperimentSet:
    """Return the plan of an experiment without a grid; `job_…` are fields of its job."""
    job = {
        name.removeprefix("job_"): changes.pop(name)
        for name in list(changes)
        if name.startswith("job_")
    }
    values: dict[str, Any] = {
        "project": "mnist",
        "config": "project: mnist\n",
        "image": "python:3.12",
        "jobs": (Job("train", run, **{"resources": Resources(), **job}),),
        "experiments": (Experiment(1, {}),),
        "is_set": False,
    }
    return ExperimentSet(**{**values, **changes})


def grid(*parameters: Mapping[str, str], **changes: Any) -> ExperimentSet:
    """Return the plan of a set whose experiments have these parameters."""
    experiments = tuple(
        Experiment(sub, values) for sub, values in enumerate(parameters, 1)
    )
    return single(**{"is_set": True, "experiments": experiments, **changes})


def compiled(
    plan: ExperimentSet, origin: Origin = ORIGIN, target: Target | None = None
) -> Document:
    """Compile a plan for the default target."""
    return compile_workflow(plan, origin, target or Target())


def template(document: Document, name: str) -> Document:
    """Return a template by its name."""
    result: Document = {
        template_["name"]: template_ for template_ in document["spec"]["templates"]
    }[name]
    return result


def task(document: Document, name: str) -> Document:
    """Return a task of any DAG by its name."""
    tasks = [
        call
        for template_ in document["spec"]["templates"]
        for call in template_.get("dag", {}).get("tasks", ())
    ]
    result: Document = {call["name"]: call for call in tasks}[name]
    return result


def env(container: Document) -> dict[str, Any]:
    """Return the environment of a container as the document has it."""
    return {
        variable["name"]: variable.get("value", variable.get("valueFrom"))
        for variable in container["env"]
    }


def received(document: Document, position: int, text: str) -> str:
    """Return what a job of the experiment at `position` receives for a text of its template."""
    item = item_values(task(document, "experiment")["withItems"][position])
    arguments = task(document, "experiment")["arguments"]["parameters"]
    inputs = {
        f"inputs.parameters.{argument['name']}": replace(argument["value"], item.get)
        for argument in arguments
    }
    return expand(
        replace(text, inputs.get), {"OUTPUT_DIR": "expanded", "HOME": "expanded"}
    )


def lines(document: Document, position: int = 0) -> list[str]:
    """Return the lines that the job of an experiment runs."""
    return [
        received(document, position, arg)
        for arg in template(document, "train")["container"]["args"][3:]
    ]


def rounds(trials: int, batch: int, **changes: Any) -> ExperimentSet:
    """Return the plan of a set whose parameters a job chooses, `batch` at a time."""
    fields: dict[str, Any] = {
        "is_set": True,
        "experiments": tuple(Experiment(sub, {}) for sub in range(1, trials + 1)),
        "concurrency": batch,
        "metrics": (Metric("loss", "min"),),
        "search": Search("tpe", 3, "loss", "min", batch),
        "rounds": Rounds(
            batch,
            {
                "lr": Distribution(FLOAT, "0", "1"),
                "opt": Distribution(CHOICE, choices=("adam", "it's", 'a "b"')),
            },
            "def suggest(request):\n    return []\n",
            "python:3.12-slim",
            ("pip install optuna",),
            {"startup": 10},
        ),
    }
    return single(("fit {{lr}} {{opt}}",), **{**fields, **changes})
