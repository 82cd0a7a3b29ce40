"""Search with TPE in rounds, as a user with a key on the cluster of KUBECONFIG."""

import json
import os
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.client.repeat_types import FolderCode
from riseml.cluster import keys
from riseml.cluster.api import Api, path
from riseml.cluster.users import User
from riseml.engines.argo.engine import ArgoEngine
from riseml.ids import Id
from riseml.rounds.trials import Trial
from riseml.status import State
from tests.cluster import optuna_image
from tests.cluster.installed import REGISTRY
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(560),
    pytest.mark.xdist_group("system"),
]

# The second trial fails at first, and the results of the others come from their logs.
TRAIN = """
parameters:
  x: {{uniform: [-5, 10]}}
  name: {{choice: ["it's", 'a "b"', plain]}}
concurrency: 2
search: {{method: tpe, trials: {count}, seed: 3, metric: loss, mode: min, image: "{image}"}}
run: |-
  test "${{RISEML_EXPERIMENT##*.}}" != 2 || test -n "${{RISEML_EARLIER_ATTEMPTS-}}"
  python3 -c 'import os; print("loss=%r" % (float(os.environ["X"]) - 2) ** 2, os.environ["NAME"])'
"""


def test_rounds_of_tpe(user: User, api: Api, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    engine = ArgoEngine(keys.decode(user.key), tmp_path / "home")
    bench = Bench(engine, folder, f"{REGISTRY}/base:1", 300.0, project="rounds")
    run = bench.run(TRAIN.format(image=optuna_image.ensure(), count=5))
    states = [experiment.state for experiment in run.experiments]
    finished = State.FINISHED
    messages = [experiment.message for experiment in run.experiments]
    expected = [finished, State.FAILED, finished, finished, finished]
    assert states == expected, messages
    assert run.state is State.FAILED
    assert [job.id.partition(".")[2] for job in run.jobs] == [
        "build-search", "search.1", "search.2", "search.3",
    ]  # fmt: skip
    output = f"{engine.user}/rounds/{run.id}"
    script = 'cat "/output/$1/.riseml/search/trials.jsonl"'
    lines = engine.store.script(script, output).decode().splitlines()
    trials = list(map(Trial.from_line, lines))
    assert [trial.state for trial in trials] == [
        "COMPLETE", "FAIL", "COMPLETE", "COMPLETE", "ASKED",
    ]  # fmt: skip
    for trial, experiment in zip(trials, run.experiments, strict=True):
        assert dict(experiment.parameters) == dict(trial.parameters)
        if trial.state == "COMPLETE":
            assert experiment.result
            assert experiment.result["loss"] == trial.value
    log = bench.log(Id(number=run.number, type="search", index=2))
    assert "2 failed" in log
    documents = list(api.items(path("workflows", engine.namespace)))
    target = os.environ.get("RISEML_RECORD")
    if target:
        Path(target).write_text(json.dumps(documents, indent=1))
    assert {document["status"]["phase"] for document in documents} == {"Failed"}

    client = Client(engine=engine)
    assert client.retry(run.id).experiments == (f"{run.id}.2",)
    client.wait(run.id)
    text = TRAIN.format(image=optuna_image.ensure(), count=7)
    body = "".join(f"  {line}\n" for line in text.strip().splitlines())
    config = f"project: rounds\ntrain:\n  image: {REGISTRY}/base:1\n{body}  resources: {{cpus: 0.02, mem: 64}}\n"
    bench.write({"riseml.yml": config})
    grown = client.extend(run.id, FolderCode(folder / "riseml.yml"), other_code=True)
    assert grown.experiments == (f"{run.id}.6", f"{run.id}.7")
    client.wait(run.id)
    run = engine.read(Id(number=run.number))
    assert {experiment.state for experiment in run.experiments} == {State.FINISHED}
    lines_after = engine.store.script(script, output).decode().splitlines()
    ended = list(map(Trial.from_line, lines_after))
    assert [trial.state for trial in ended] == ["COMPLETE"] * 5 + ["ASKED"] * 2
    assert [trial.parameters for trial in ended[:5]] == [
        trial.parameters for trial in trials
    ]
