"""Compiled searches in rounds: the job's modules work without this package, and failures reach the Workflow."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from riseml import labels
from riseml.compiler import limits, rounds
from riseml.engines.local.interpreter.validate import check
from riseml.plan import Build, Origin
from riseml.rounds.trials import FILE
from riseml.search import tpe
from tests.unit import plans
from tests.unit.simulator import End, Job, phases, simulate

MOST_BYTES = 110_000


def environment(document: plans.Document) -> dict[str, str]:
    """Return the variables of the job that chooses parameters."""
    variables = plans.template(document, "search")["container"]["env"]
    return {variable["name"]: variable["value"] for variable in variables}


def suggest(job: Job) -> End:
    """Let the job choose 0.1 times the number of an experiment; the second experiment fails."""
    if job.template["name"] == "search":
        labels_of_job = job.template["metadata"]["labels"]
        first = 2 * int(labels_of_job[labels.INDEX]) - 1
        rows = [
            {"riseml-sub": str(sub), "lr": f"0.{sub}", "opt": "it's", "riseml-quoted-opt": '"it\'s"'}
            for sub in range(first, min(first + 2, 6))
        ]  # fmt: skip
        return End(outputs={"trials": json.dumps(rows)})
    return End(code=int("riseml-sub:2" in job.name))


def test_a_failed_experiment_fails_the_run_but_not_the_search() -> None:
    done = simulate(plans.compiled(plans.rounds(5, 2)), suggest)
    found = {name: phase for name, phase in phases(done).items() if "(" not in name}
    assert found == {
        "": "Failed", "build-search": "Succeeded", "set": "Failed",
        "set.search-1": "Succeeded", "set.round-1": "Failed",
        "set.search-2": "Succeeded", "set.round-2": "Succeeded",
        "set.search-3": "Succeeded", "set.round-3": "Succeeded",
        "set.end": "Omitted",
    }  # fmt: skip


def test_a_search_that_fails_ends_the_run() -> None:
    def fail(job: Job) -> End:
        return suggest(job) if job.template["name"] != "search" else End(code=1)

    done = simulate(plans.compiled(plans.rounds(4, 2)), fail)
    found = phases(done)
    assert found["set.search-1(2)"] == "Failed"
    assert found["set.round-1"] == found["set.search-2"] == "Omitted"
    assert found[""] == "Failed"


def test_the_engine_accepts_the_document() -> None:
    check(plans.compiled(plans.rounds(5, 2)))


def test_an_image_that_exists_is_not_built() -> None:
    origin = Origin("me", 14, plans.REVISION, search_build=Build("k", (), "image@1"))
    document = plans.compiled(plans.rounds(3, 2), origin)
    names = [template["name"] for template in document["spec"]["templates"]]
    assert names == ["main", "set", "experiment", "train", "search"]
    assert plans.template(document, "search")["container"]["image"] == "image@1"


def test_the_document_says_how_the_search_goes_on() -> None:
    annotations = plans.compiled(plans.rounds(5, 2))["metadata"]["annotations"]
    assert json.loads(annotations[labels.SEARCH]) == {
        "method": "tpe", "seed": 3, "metric": "loss", "mode": "min", "first": 1, "last": 5, "batch": 2,
    }  # fmt: skip


def test_a_job_of_an_experiment_leaves_its_exit_status() -> None:
    document = plans.compiled(plans.rounds(5, 2))
    variables = plans.template(document, "train")["container"]["env"]
    values = {item["name"]: item["value"] for item in variables}
    assert values["RISEML_EXIT_FILE"] == "/output/.riseml/exit.train"


def test_the_modules_fit_into_a_variable() -> None:
    text = environment(plans.compiled(plans.rounds(5, 2)))["RISEML_MODULES"]
    assert len(text.encode()) < MOST_BYTES
    assert text.count("#: riseml/") == text.count("\n#: riseml/") + 1


def test_the_size_of_the_run_grows_with_its_trials() -> None:
    few = limits.estimate(plans.compiled(plans.rounds(20, 4)))
    many = limits.estimate(plans.compiled(plans.rounds(200, 4)))
    assert many > few + 180 * 400


@pytest.mark.parametrize("program", [None, "def suggest(request): raise SystemExit(3)"])
def test_the_modules_run_without_this_package(
    program: str | None, tmp_path: Path
) -> None:
    """Run the text of the document as templates/search.sh does, with Optuna but without `riseml`."""
    import inspect  # noqa: PLC0415

    source = inspect.getsource(tpe.suggest) if program is None else program
    for text in rounds.modules(source).split("#: riseml/")[1:]:
        name, _, content = text.partition("\n")
        file = tmp_path / "modules" / "riseml" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, "utf-8")
    variables: dict[str, Any] = {
        **environment(plans.compiled(plans.rounds(5, 2))),
        "OUTPUT_DIR": str(tmp_path / "output"),
        "RISEML_DIR": str(tmp_path),
        "RISEML_ROUND": "1",
        "RISEML_KILLED": "",
        "PYTHONPATH": str(tmp_path / "modules"),
        "PATH": "/usr/bin:/bin",
    }
    del variables["RISEML_MODULES"]
    command = [sys.executable, "-m", "riseml.rounds.step"]
    done = subprocess.run(
        command, env=variables, capture_output=True, text=True, check=False, cwd="/"
    )
    if program is not None:
        assert done.returncode == 3
        assert not (tmp_path / "output" / FILE).exists()
        return
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "trials").read_text())
    assert [row["riseml-sub"] for row in rows] == ["1", "2"]
    assert {row["riseml-quoted-opt"] for row in rows} <= {'"adam"', '"it\'s"', '"a \\"b\\""'}  # fmt: skip
    assert done.stdout.splitlines()[0].startswith("1: lr 0.")
