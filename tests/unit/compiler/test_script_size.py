"""Run scripts fit into one argument of a process, whatever a riseml.yml asks for."""

import pytest

from riseml import config, planner
from riseml.compiler import compile_workflow
from riseml.plan import Target
from tests.unit.plans import ORIGIN

# The kernel accepts no argument of 128 KiB.
_MOST_BYTES = 127_000
FRAMEWORKS = {
    "horovod": "horovod: {workers: 2}",
    "mpi": "image: x\n  mpi: {workers: 2}",
    "tensorflow": "tensorflow: {distributed: {worker: 3, ps: 1}}",
    "pytorch": "pytorch: {workers: 2}",
    "jax": "image: x\n  jax: {workers: 2}",
}
EVERYTHING = """\
project: everything
train:
  framework: {name}
  {block}
  resources: {{cpus: 0.1, mem: 100, gpus: 1}}
  hold_on_failure: 5m
  idle_timeout: 1h
  secrets: [TOKEN]
  retries: 2
  timeout: 2h
  parameters: {{lr: {{uniform: [1, 2]}}}}
  search: {{method: asha, metric: loss, mode: min, max_resource: 9, trials: 4}}
  run: python train.py --lr {{{{lr}}}}
"""


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_all_parts_of_a_run_script_fit_into_an_argument(name: str) -> None:
    text = EVERYTHING.format(name=name, block=FRAMEWORKS[name])
    plan = planner.plan(config.load_text(text))
    document = compile_workflow(plan, ORIGIN, Target())
    longest = 0
    for template in document["spec"]["templates"]:
        container = template.get("container", {})
        for word in (*container.get("command", ()), *container.get("args", ())):
            longest = max(longest, len(word.encode()))
    assert 60_000 < longest < _MOST_BYTES
