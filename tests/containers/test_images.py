"""Images of containers: pulled from a registry, built from install steps, and chosen by `auto`."""

import math
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from riseml import config, planner
from riseml.engines import Submission
from riseml.engines.local.containers import built_images
from riseml.engines.local.engine import LocalEngine
from riseml.ids import Id
from riseml.plan import ExperimentSet
from riseml.status import State
from tests.containers import registry
from tests.containers.benches import container_bench
from tests.contract.bench import Bench


@pytest.fixture(params=[pytest.param("podman", marks=pytest.mark.containers)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Yield a bench whose storage keeps no image that install steps have made."""
    for bench in container_bench(request):
        yield bench
        home = bench.engine.home  # type: ignore[attr-defined]
        built_images.remove_unused(home, bench.environment, math.inf)


@pytest.fixture
def pushed(bench: Bench, tmp_path: Path) -> Iterator[str]:
    """Return the name of an image that only a registry has."""
    settings = dict(bench.environment)
    with registry.serving(tmp_path) as address:
        file = tmp_path / "registries.conf"
        file.write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
        bench.environment["CONTAINERS_REGISTRIES_CONF"] = str(file)
        image = f"{address}/me/net:1"
        registry.push(settings, bench.image, image)
        yield image
        registry.forget(settings, image)


def plan(bench: Bench, text: str) -> ExperimentSet:
    lines = [f"  {line}\n" for line in text.strip().splitlines()]
    header = f"project: lab\ntrain:\n  image: {bench.image}\n"
    resources = "  resources: {cpus: 0.02, mem: 64}\n"
    return planner.plan(config.load_text(header + resources + "".join(lines)))


def test_an_image_is_pulled_once_and_runs_by_its_id(bench: Bench, pushed: str) -> None:
    bench.image = pushed
    run = bench.run("run: echo ran")
    assert run.state is State.FINISHED
    number = run.number or 0
    log = bench.log(number).splitlines()
    assert log[0] == f"==> pulling {pushed}"
    assert log[-1] == "ran"
    assert [job.type for job in run.jobs] == ["build"]
    assert run.runner == "podman"
    assert run.base_image.startswith(f"{pushed}@sha256:")
    # The image is there now, and nobody asks the registry for it.
    again = bench.run("run: echo ran")
    assert (again.state, again.jobs) == (State.FINISHED, ())
    assert again.image == run.image or again.image.startswith("sha256:")


def test_install_steps_make_an_image_that_all_runs_share(bench: Bench) -> None:
    # An earlier test run may have left an image for the same files.
    version = uuid.uuid4().hex
    bench.write({"version.txt": version, "other.txt": "a\n"})
    text = """
        install: ["echo made $(cat version.txt) > /made"]
        run: cat /made /code/other.txt; touch left.txt
        """
    first, second = bench.train(text), bench.train(text)
    for number in (first.number, second.number):
        bench.wait(number)
    runs = [bench.engine.read(Id(number=one.number)) for one in (first, second)]
    assert [run.state for run in runs] == [State.FINISHED] * 2
    logs = [bench.log(one.number) for one in (first, second)]
    assert [log.splitlines()[-2:] for log in logs] == [[f"made {version}", "a"]] * 2
    # One of them has built it, and the other has waited.
    assert sorted("already exists" in log for log in logs) == [False, True]
    folder = bench.engine.folder(Id(number=first.number))  # type: ignore[attr-defined]
    assert (folder / "workdir" / "left.txt").exists()
    bench.write({"other.txt": "b\n"})
    third = bench.run(text)
    assert third.jobs == ()
    assert bench.log(third.number or 0) == f"made {version}\nb\n"
    engine = bench.engine
    assert isinstance(engine, LocalEngine)
    planned = plan(bench, 'install: ["echo made $(cat version.txt) > /made"]\nrun: x')
    key = engine.image_key(planned, third.revision, bench.environment)
    assert key.text == runs[0].image_key
    assert list(key.parts)[1:] == ["install 1", "version.txt"]


@pytest.mark.parametrize("force", [False, True])
def test_a_build_that_is_killed_leaves_nothing(bench: Bench, force: bool) -> None:
    seconds = f"600.{uuid.uuid4().int}"
    text = f"install: [echo begun; test -e go || sleep {seconds}]\nrun: echo ran"
    number = bench.train(text).number
    bench.until_logged(number, "\nbegun\n")
    bench.engine.stop(Id(number=number), force=force)
    bench.wait(number)
    assert bench.engine.read(Id(number=number)).state is State.KILLED
    bench.until(lambda: not programs_with(seconds), "no process is left")
    bench.write({"go": ""})
    run = bench.run(text)
    assert run.state is State.FINISHED
    assert bench.log(run.number or 0).splitlines()[-1] == "ran"


def programs_with(argument: str) -> list[int]:
    """Return the processes of this machine, also in containers, with an argument."""
    pids = []
    for process in psutil.process_iter(["cmdline"]):
        if argument in (process.info["cmdline"] or ()):
            pids.append(process.pid)
    return pids


def test_a_failed_step_is_named_and_leaves_no_image(bench: Bench) -> None:
    # A step that an earlier test run has made would be reused.
    before = uuid.uuid4().hex
    run = bench.run(f"install: [echo {before}, exit 3]\nrun: echo never")
    assert run.state is State.FAILED
    (job,) = run.jobs
    assert (job.exit_code, job.message) == (
        3,
        "install step failed with exit code 3: exit 3",
    )
    assert f"==> echo {before}\n{before}\n" in bench.log(run.number or 0)


def test_an_image_that_nobody_has_is_reported(bench: Bench, pushed: str) -> None:
    bench.image = pushed.replace("net:1", "net:2")
    run = bench.run("run: echo never")
    assert run.state is State.FAILED
    (job,) = run.jobs
    assert job.message == (
        f"there is no image {bench.image}; correct `image` in riseml.yml"
    )


def test_auto_runs_an_image_that_is_here_and_repeats_it_there(bench: Bench) -> None:
    planned = plan(bench, 'run: test -n "$RISEML_CONTAINER"')
    engine = LocalEngine(bench.engine.home, "me", "auto")  # type: ignore[attr-defined]
    revision = engine.snapshot("lab", bench.folder).revision
    submitted = engine.start(Submission(planned, revision, bench.environment))
    assert submitted.runner is not None
    assert submitted.runner.name == "podman"
    assert submitted.runner.reason == f"riseml.yml names {bench.image}"
    bench.wait(submitted.number)
    assert engine.read(Id(number=submitted.number)).state is State.FINISHED
    without = replace(planned, names_image=False)
    other = engine.start(Submission(without, revision, bench.environment))
    assert other.runner is not None
    assert other.runner.name == "process"
    bench.wait(other.number)
    assert engine.read(Id(number=other.number)).state is State.FAILED
