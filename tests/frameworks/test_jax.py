"""JAX on the local engine: processes that fail, are killed, and find each other."""

import time
from pathlib import Path

import pytest

from riseml.ids import Id, parse
from riseml.status import State
from tests.frameworks.test_frameworks import PROGRAMS, copied, path_of
from tests.local.conftest import Lab

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(150)]
# What the page about JAX promises for the peers of a job that has failed.
HALF_A_MINUTE = 30
NO_TOKEN = """
class config:
    def load_incluster_config():
        raise Exception("Service token file does not exist.")
"""
EXIT_CODES = {"raise": 1, "exit": 3, "_exit": 4, "kill": 137}


@pytest.mark.parametrize(
    ("workers", "ends"),
    [("2", tuple(EXIT_CODES)), ("{count: 1, processes: 2}", ("raise", "kill"))],
)
def test_a_process_that_fails_ends_the_experiment_at_once(
    workers: str, ends: tuple[str, ...], lab: Lab
) -> None:
    """JAX itself lets a process that raises an exception wait for its peers at exit."""
    copied(lab, PROGRAMS / "jax_end.py")
    text = f"""
    framework: jax
    jax: {{workers: {workers}}}
    parameters: {{end: [{", ".join(ends)}], rank: [0, 1]}}
    concurrency: 3
    run: python jax_end.py {{{{end}}}} {{{{rank}}}}
    """
    run = lab.run(text, PATH=path_of("jax"))
    assert len(run.experiments) == 2 * len(ends)
    for experiment in run.experiments:
        end, rank = experiment.parameters["end"], int(experiment.parameters["rank"])
        log = lab.log(parse(experiment.id))
        job = f"worker.{rank + 1}" if workers == "2" else "train"
        assert (experiment.state, experiment.guilty, experiment.exit_code) == (
            State.FAILED,
            f"{experiment.id}.{job}",
            EXIT_CODES[end],
        ), f"{end} {rank}\n{log}"
        if end == "raise":
            assert "ValueError: no such layer" in log
        if workers != "2":
            assert f"process {rank} of {job} failed with exit status" in log
        ended = float(Path(lab.output(1, experiment.sub), "ended").read_text())
        assert experiment.finished is not None
        assert experiment.finished.timestamp() - ended < HALF_A_MINUTE


@pytest.mark.parametrize(
    ("section", "way", "processes"),
    [
        ("workers: 2", "handler", 2),
        ("workers: 2", "service", 2),
        ("", "handler", 1),
    ],
)
def test_a_killed_program_saves(
    section: str, way: str, processes: int, lab: Lab
) -> None:
    """JAX itself takes over SIGTERM, so that no handler is called and no process stops.

    It also asks Kubernetes in a pod, where jobs have no token.
    """
    copied(lab, PROGRAMS / "jax_save.py")
    lab.write({"kubernetes.py": NO_TOKEN})
    text = f"framework: jax\njax: {{{section}}}\nrun: python jax_save.py {way}"
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    number = lab.train(text, PATH=path_of("jax"), **pod).number
    output = lab.output(number)
    lab.until(lambda: len([*output.glob("ready.*")]) == processes, lab.log(number))
    killed = time.monotonic()
    lab.engine.stop(Id(number=number))
    status = lab.wait(number)
    seconds = time.monotonic() - killed
    assert status.state is State.KILLED
    saved = {path.name: path.read_text() for path in output.glob("saved.*")}
    assert saved == {f"saved.{rank}": "all of it" for rank in range(processes)}, (
        lab.log(number)
    )
    # The processes were not killed after the grace period.
    assert seconds < HALF_A_MINUTE / 2, lab.log(number)
