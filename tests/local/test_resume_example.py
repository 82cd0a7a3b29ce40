"""`examples/resume`: its loop continues where an experiment that was killed has stopped."""

import json
import re
import shutil
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.client.repeat_types import FolderCode
from riseml.client.types import Overrides
from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab

EXAMPLE = Path(__file__).parents[2] / "examples" / "resume"
# The test's machine may have fewer CPUs than the example asks for.
QUICK = (
    "train.env.PAUSE=0.2",
    "train.resources.cpus=0.01",
    "train.run=python3 train.py --lr {{lr}}",
)


def epochs(lab: Lab, number: int, sub: int) -> list[int]:
    log = lab.log(Id(number=number, sub=sub))
    return [int(epoch) for epoch in re.findall(r"epoch (\d+)", log)]


@pytest.mark.parametrize("in_place", [False, True], ids=["resume", "in-place"])
def test_a_killed_experiment_goes_on_from_its_last_epoch(
    lab: Lab, *, in_place: bool
) -> None:
    shutil.copytree(EXAMPLE, lab.folder, dirs_exist_ok=True)
    client = Client(engine=lab.engine)
    folder = FolderCode(lab.folder / "riseml.yml", Overrides((), QUICK))
    run = client.train(folder.path, overrides=folder.overrides)
    number = int(run.id)
    states = [lab.output(number, sub) / "state.json" for sub in (1, 2)]
    lab.until(lambda: all(state.exists() for state in states))
    client.kill(run.id)
    client.wait(run.id)
    reached = [json.loads(state.read_text())["epoch"] for state in states]
    assert max(reached) < 20
    if in_place:
        client.retry(run.id, folder=folder, resume=True)
        after = number
    else:
        later = client.train(folder.path, overrides=folder.overrides, resume=run.id)
        after = int(later.id)
    client.wait(after_id := Id(number=after))
    run_after = lab.engine.read(after_id)
    assert run_after.state is State.FINISHED
    for sub, last in zip((1, 2), reached, strict=True):
        seen = epochs(lab, after, sub)
        begin = 1 if in_place else last + 1
        assert seen == list(range(begin, 21))
        state = json.loads((lab.output(after, sub) / "state.json").read_text())
        assert state["epoch"] == 20
