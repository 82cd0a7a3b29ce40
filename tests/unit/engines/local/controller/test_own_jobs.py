"""Jobs of runs themselves: builds of environments, of which one runs at a time, and TensorBoards."""

from dataclasses import replace
from pathlib import Path

import pytest

from riseml.engines.local.jobs.environment_copy import COMPLETE
from riseml.ids import Id
from riseml.project import repository_of, snapshot
from riseml.status import SetStatus, State
from tests.folders import write
from tests.unit.engines.local.controlled_home import ControlledHome
from tests.unit.plans import grid, single

PLAN = single(install=("pip install -r requirements.txt",))


@pytest.fixture
def revision(home: ControlledHome, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the revision of a project with a requirements.txt."""
    folder = tmp_path_factory.mktemp("project")
    write(folder, {"requirements.txt": "numpy\n"})
    repository = repository_of("mnist", home.home)
    return snapshot(folder, repository, split=True).revision


def build_of(run: SetStatus) -> State:
    (state,) = [job.state for job in run.jobs if job.type == "build"]
    return state


def environment(home: ControlledHome, key: str) -> Path:
    return home.home / "envs" / key


def test_experiments_wait_for_their_environment(
    home: ControlledHome, revision: str
) -> None:
    home.start(PLAN, revision=revision)
    assert list(home.running()) == [".build"]
    assert home.read().experiments[0].state is State.BUILDING
    assert build_of(home.read()) is State.RUNNING


def test_a_build_that_fails_fails_its_run(home: ControlledHome, revision: str) -> None:
    home.start(PLAN, revision=revision)
    home.end(".build", status=1)
    run = home.read()
    assert (run.state, build_of(run)) == (State.FAILED, State.FAILED)
    assert len(home.jobs.started) == 1


def test_one_build_of_an_environment_runs_at_a_time(
    home: ControlledHome, revision: str
) -> None:
    home.start(PLAN, revision=revision)
    home.start(PLAN, revision=revision)
    first, second = home.active[1], home.active[2]
    assert (bool(first.pods), bool(second.pods)) == (True, False)
    home.end(".build", status=1)
    assert bool(second.pods)
    assert build_of(home.read(2)) is State.RUNNING
    # The lock is also known to the next controller.
    home.start(PLAN, revision=revision)
    home.restart()
    assert not home.active[3].pods
    assert home.runs.stop(2)
    home.settle()
    home.settle()
    assert build_of(home.read(3)) is State.RUNNING


def test_a_complete_environment_is_not_built_again(
    home: ControlledHome, revision: str
) -> None:
    home.start(PLAN, revision=revision)
    key = home.read().image_key
    write(environment(home, key), {COMPLETE: ""})
    home.start(PLAN, revision=revision)
    assert home.read(2).image_key == key
    assert [job.type for job in home.read(2).jobs] == []
    assert home.read(2).state is State.RUNNING


def test_other_install_steps_make_another_environment(
    home: ControlledHome, revision: str
) -> None:
    home.start(PLAN, revision=revision)
    home.start(replace(PLAN, install=("pip install torch",)), revision=revision)
    home.start(PLAN, revision=revision)
    first, other, same = (home.read(number).image_key for number in (1, 2, 3))
    assert (first == other, first == same) == (False, True)


def test_a_tensorboard_starts_with_the_first_job_and_ends_with_the_last(
    home: ControlledHome,
) -> None:
    home.start(grid({"lr": "1"}, {"lr": "2"}, concurrency=2, tensorboard=True))
    assert ".tensorboard" in home.running()
    url = home.reader.tensorboard_url(Id(number=1))
    assert url is not None
    assert url.startswith("http://127.0.0.1:")
    assert home.read().tensorboard_url == url
    home.end("1.train", "2.train")
    run = home.read()
    assert (run.state, run.tensorboard_url) == (State.FINISHED, None)
