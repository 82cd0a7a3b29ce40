"""Values beyond scalars, names with dots, and marks of runs on the cluster of KUBECONFIG."""

import json
import os
from pathlib import Path

import pytest

from riseml import config, planner
from riseml.cluster.api import path
from riseml.engines import Query, Submission
from riseml.engines.argo.engine import ArgoEngine
from riseml.ids import Id
from riseml.plan import Marks
from tests.cluster.user_namespace import IMAGE
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("values"),
]

NAMESPACE = "riseml-values"
ODD = 'it\'s $5 $$ $(HOME) \\ "x"'
NESTED = {"a": {"b": [1, None, True, "}} ü"]}}
RUN = """
run:
  - echo {{flag}} > $OUTPUT_DIR/flag
  - printf %s "$MODEL_LR" > $OUTPUT_DIR/lr
  - printf %s "$LAYERS" > $OUTPUT_DIR/layers
  - printf %s "$RESUME" > $OUTPUT_DIR/resume
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "project"
    folder.mkdir()
    engine = cluster.engine(tmp_path / "home", NAMESPACE)
    return Bench(engine, folder, IMAGE, 200.0, project="values")


def engine_of(bench: Bench) -> ArgoEngine:
    assert isinstance(bench.engine, ArgoEngine)
    return bench.engine


def written(bench: Bench, number: int, sub: int, name: str) -> str:
    engine = engine_of(bench)
    output = f"{engine.user}/values/{number}/{sub}/{name}"
    return engine.store.script('cat "/output/$1"', output).decode()


def test_values_reach_jobs_as_they_are(bench: Bench) -> None:
    experiments = [
        {"model.lr": ODD, "layers": NESTED, "flag": True, "resume": None},
        {"model.lr": 0.1, "layers": [64, 64], "flag": "false", "resume": []},
    ]
    number = bench.train(
        f"experiments: {json.dumps(experiments)}\nconcurrency: 2\n{RUN}"
    ).number
    bench.wait(number)
    run = engine_of(bench).read(Id(number=number))
    assert [dict(experiment.parameters) for experiment in run.experiments] == [
        {
            "model.lr": ODD,
            "layers": '{"a":{"b":[1,null,true,"}} ü"]}}',
            "flag": "true",
            "resume": "null",
        },
        {"model.lr": "0.1", "layers": "[64,64]", "flag": "false", "resume": "[]"},
    ]
    assert written(bench, number, 1, "lr") == ODD
    assert json.loads(written(bench, number, 1, "layers")) == NESTED
    assert written(bench, number, 1, "flag") == "true\n"
    assert written(bench, number, 1, "resume") == "null"
    assert written(bench, number, 2, "lr") == "0.1"
    assert written(bench, number, 2, "layers") == "[64,64]"
    record = written(bench, number, 1, "riseml-configuration.yml")
    assert "  model.lr: " in record


def test_marks_change_at_any_time(bench: Bench) -> None:
    engine = engine_of(bench)
    before = Marks("baseline", ("paper", "v1.2"), "before\nthe change")
    after = Marks("first", ("draft",), "after")
    text = f"project: values\ntrain:\n  image: {IMAGE}\n  run: while [ ! -e $OUTPUT_DIR/go ]; do sleep 0.2; done\n"
    revision = engine.snapshot("values", bench.folder).revision
    plan = planner.plan(config.load_text(text))
    submission = Submission(plan, revision, dict(os.environ), marks=before)
    run = Id(number=engine.start(submission).number)
    assert engine.read(run).marks == before
    selected = [item.number for item in engine.list(Query(tags=("paper", "v1.2")))]
    assert selected == [run.number]
    engine.mark(run, after)
    assert engine.read(run).marks == after
    output = f"{engine.user}/values/{run.number}"
    engine.store.script('touch "/output/$1/go"', output)
    bench.wait(run.number or 0)
    bench.until(lambda: archived(engine, run, output), "the archive")
    engine.mark(run, before)
    assert engine.read(run).marks == before
    engine.api.delete(path("workflows", NAMESPACE, engine.read(run).name))
    # Only its record is left.
    assert engine.read(run).marks == before
    engine.mark(run, after)
    assert engine.read(run).marks == after
    listed = engine.list(Query(all=True, name="first"))
    assert [(item.number, item.marks) for item in listed] == [(run.number, after)]


def archived(engine: ArgoEngine, run: Id, output: str) -> bool:
    engine.read(run)
    script = '[ ! -e "/output/$1/run.json" ] || echo yes'
    return engine.store.script(script, output) == b"yes\n"
