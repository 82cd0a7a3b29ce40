"""Early stops of a search: the decision at a rung, the watcher of unmodified programs, and the run script."""

import ast
import heapq
import json
import math
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from riseml import templating
from riseml.compiler import pod
from tests.unit.metrics import event_files
from tests.unit.script_shells import SHELLS, shells

SETTINGS = {
    "metric": "loss",
    "mode": "min",
    "pattern": "",
    "rungs": [3, 9, 27],
    "reduction": 3,
    "max_resource": 81,
}


@pytest.fixture
def rungs() -> ModuleType:
    module = ModuleType("rungs")
    path = templating.folder() / "rungs.py"
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    return module


class Competition:
    """Experiments of one set that report to the same rungs."""

    def __init__(self, folder: Path, module: ModuleType) -> None:
        self.folder, self.module = folder, module

    def environment(self, number: int, **settings: object) -> dict[str, str]:
        return {
            "RISEML_EARLY_STOP": json.dumps({**SETTINGS, **settings}),
            "RISEML_RUNGS": str(self.folder / "rungs"),
            "RISEML_EXPERIMENT": f"14.{number}",
            "OUTPUT_DIR": str(self.folder / str(number)),
        }

    def experiment(self, number: int, **settings: object) -> ModuleType:
        rungs: ModuleType = self.module.Rungs(self.environment(number, **settings))
        return rungs

    def reports(
        self, step: int, values: Mapping[int, float], **settings: object
    ) -> list[int]:
        """Report a step of several experiments, one after the other; return those that stop."""
        stopped = []
        for number, value in values.items():
            if self.experiment(number, **settings).report(step, value):
                stopped.append(number)
        return stopped


@pytest.fixture
def competition(tmp_path: Path, rungs: ModuleType) -> Competition:
    return Competition(tmp_path, rungs)


def test_an_experiment_alone_at_a_rung_continues(competition: Competition) -> None:
    assert competition.reports(3, {1: 5.0}) == []


def test_before_the_first_rung_nothing_is_decided_or_written(
    competition: Competition,
) -> None:
    assert competition.reports(2, {1: 5.0, 2: 4.0, 3: 3.0}) == []
    assert not (competition.folder / "rungs").exists()


def test_the_first_report_at_or_after_a_rung_counts(competition: Competition) -> None:
    experiment = competition.experiment(1)
    experiment.report(2, 9.0)
    experiment.report(4, 0.5)
    experiment.report(5, 0.1)
    files = list((competition.folder / "rungs").rglob("*"))
    assert [path for path in files if path.is_file()] == [
        competition.folder / "rungs/3/1"
    ]
    assert (competition.folder / "rungs/3/1").read_text() == "0.5\n"


def test_experiments_look_again_at_the_last_rung(competition: Competition) -> None:
    first = competition.experiment(1)
    assert first.report(3, 5.0) is None
    # All of these are better, and come later.
    assert competition.reports(3, {2: 1.0, 3: 2.0}) == [3]
    assert (
        first.report(4, 0.0)
        == "at step 4: loss=5 is number 3 of 3 at step 3, and the best 1 continue"
    )


def test_only_the_last_rung_counts(competition: Competition) -> None:
    ahead = competition.experiment(1)
    assert ahead.report(9, 5.0) is None
    competition.reports(3, {2: 1.0, 3: 2.0, 4: 3.0})
    assert ahead.report(10, 5.0) is None


def test_of_six_experiments_the_best_two_continue(competition: Competition) -> None:
    values = {1: 0.4, 2: 0.2, 3: 0.6, 4: 0.1, 5: 0.5, 6: 0.3}
    competition.reports(3, values)
    assert competition.reports(4, values) == [1, 3, 5, 6]


def test_with_mode_max_the_largest_continue(competition: Competition) -> None:
    values = {1: 0.4, 2: 0.2, 3: 0.6}
    competition.reports(3, values, mode="max")
    assert competition.reports(4, values, mode="max") == [1, 2]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_number_is_the_worst(
    competition: Competition, mode: str, value: float
) -> None:
    competition.reports(3, {1: value, 2: -1e300, 3: 1e300}, mode=mode)
    stopped = competition.reports(4, {1: 0.0, 2: 0.0, 3: 0.0}, mode=mode)
    assert stopped == [1, 3 if mode == "min" else 2]


def test_of_equal_values_the_lower_number_continues(competition: Competition) -> None:
    values = {10: 1.0, 9: 1.0, 11: 1.0}
    competition.reports(3, values)
    assert competition.reports(4, values) == [10, 11]


def test_a_complete_experiment_is_not_stopped(competition: Competition) -> None:
    competition.reports(27, {1: 1.0, 2: 2.0, 3: 3.0})
    assert competition.reports(81, {3: 3.0}) == []


def test_an_attempt_keeps_what_an_earlier_one_has_written(
    competition: Competition,
) -> None:
    competition.experiment(1).report(3, 0.5)
    competition.experiment(1).report(5, 7.0)
    assert (competition.folder / "rungs/3/1").read_text() == "0.5\n"


def test_brackets_compete_among_themselves(
    competition: Competition, rungs: ModuleType
) -> None:
    environments = {
        number: competition.environment(number) | {"RISEML_BRACKET": bracket}
        for number, bracket in ((1, "1"), (2, "1"), (3, "0"))
    }
    ladders = {number: rungs.Rungs(env) for number, env in environments.items()}
    assert ladders[3].report(9, 9.0) is None
    assert ladders[1].report(4, 5.0) is None
    assert ladders[1].report(9, 5.0) is None
    assert ladders[2].report(9, 6.0)
    assert (competition.folder / "rungs/bracket-1/9/2").exists()


def test_a_decision_is_quick(competition: Competition) -> None:
    values = {number: float(number) for number in range(1, 65)}
    competition.reports(3, values)
    experiment = competition.experiment(1)
    experiment.report(3, 0.0)
    times = []
    for step in range(4, 104):
        start = time.perf_counter()
        experiment.report(min(step, 8), 0.0)
        times.append(time.perf_counter() - start)
    # 0.1 ms on an idle machine.
    assert sorted(times)[50] < 0.002


EPOCHS = 81


def toy(seed: int) -> tuple[dict[int, list[float]], list[int]]:
    """Return the losses of 64 configurations by epoch, and the configurations in their true order.

    The curves cross: early ranks mislead.
    """
    source = random.Random(seed)
    losses, ends = {}, {}
    for number in range(1, 65):
        rate, end = math.exp(source.uniform(-4, -1)), source.uniform(0, 1)
        truth = [
            end + (1.5 - end) * math.exp(-rate * epoch)
            for epoch in range(1, EPOCHS + 1)
        ]
        losses[number] = [value + source.gauss(0, 0.02) for value in truth]
        ends[number] = truth[-1]
    return losses, sorted(ends, key=ends.__getitem__)


def search(
    competition: Competition, losses: Mapping[int, list[float]], paces: random.Random
) -> tuple[int, int]:
    """Run all configurations at once, each at its own pace; return the epochs used and the winner."""
    ladders = {number: competition.experiment(number) for number in losses}
    pace = {number: paces.uniform(0.8, 1.2) for number in losses}
    due = [(pace[number], number, 1) for number in losses]
    heapq.heapify(due)
    used = 0
    best: dict[int, float] = {}
    while due:
        now, number, epoch = heapq.heappop(due)
        used += 1
        loss = losses[number][epoch - 1]
        best[number] = min(loss, best.get(number, loss))
        reason = ladders[number].report(epoch, loss)
        if reason is None and epoch < EPOCHS:
            heapq.heappush(due, (now + pace[number], number, epoch + 1))
    return used, min(best, key=best.__getitem__)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_quarter_of_the_epochs_finds_one_of_the_best_three(
    competition: Competition, seed: int
) -> None:
    losses, order = toy(seed)
    used, winner = search(competition, losses, random.Random(seed))
    assert used <= 0.25 * 64 * EPOCHS
    assert winner in order[:3]


class Job:
    """A job whose search may stop it, and the folders around it."""

    def __init__(self, folder: Path) -> None:
        self.code, self.output, self.own, self.rungs = (
            folder / name for name in ("code", "output", "riseml", "rungs")
        )
        for path in (self.code, self.output, self.own, self.rungs):
            path.mkdir()
        self.settings: dict[str, object] = dict(SETTINGS)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RISEML", "PYTHON"))
        }
        library = self.own / "lib"
        library.mkdir()
        shutil.copy(templating.folder() / "library/riseml.py", library)
        self.env = {
            **inherited,
            "OUTPUT_DIR": str(self.output),
            "RISEML_DIR": str(self.own),
            "RISEML_RUNGS": str(self.rungs),
            "RESULT_FILE": str(self.output / ".riseml/results.jsonl"),
            "RISEML_JOB": "train",
            "RISEML_ATTEMPT": "0",
            "RISEML_EXPERIMENT": "14.5",
            "RISEML_CONFIGURATION": "project: lab",
        }

    def with_peers(self, *values: float, rung: int = 3) -> None:
        """Record the values of other experiments at a rung."""
        folder = self.rungs / str(rung)
        folder.mkdir(parents=True)
        for number, value in enumerate(values, 1):
            (folder / str(number)).write_text(f"{value!r}\n")

    def run(self, program: str, shell: str = "bash") -> tuple[int, str]:
        """Run a Python program as the lines; return the exit code and the output."""
        (self.code / "train.py").write_text(program)
        script = pod.script("session", stops_early=True)
        line = f"{sys.executable} -u train.py"
        env = self.env | {"RISEML_EARLY_STOP": json.dumps(self.settings)}
        job = subprocess.run(
            [*SHELLS[shell], "-c", script, "riseml", pod.functions(), line],
            cwd=self.code,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return job.returncode, job.stdout

    @property
    def reason(self) -> str:
        """What the engine reads as the output `early`."""
        file = self.own / "early"
        return file.read_text() if file.exists() else ""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


# It goes on until it is stopped, and saves then.
UNMODIFIED = """
import signal, sys, time
def save(*_):
    time.sleep(0.3)
    print("saved")
    sys.exit(7)
signal.signal(signal.SIGTERM, save)
for epoch in range(1, 1000):
    REPORT
    time.sleep(0.1)
"""


def assert_stopped(job: Job, code: int, output: str) -> None:
    assert code == 0, output
    assert "saved" in output
    assert job.reason.startswith("at step "), output
    assert job.reason.endswith(
        ": loss=0.9 is number 3 of 3 at step 3, and the best 1 continue"
    )
    assert f"riseml: stopped early {job.reason}" in output
    assert (job.rungs / "3/5").read_text() == "0.9\n"


@shells
def test_a_program_is_stopped_by_what_it_prints(job: Job, shell: str) -> None:
    job.with_peers(0.1, 0.2)
    report = 'print("epoch", epoch, "loss 0.9")'
    code, output = job.run(UNMODIFIED.replace("REPORT", report), shell)
    assert_stopped(job, code, output)


WRITERS = {
    "an epoch on a line of its own": 'print(f"Epoch {epoch}/99\\n2/2 - loss: 0.9")',
    "a progress bar": """
    for part in (0.1, 0.5):
        sys.stdout.write(f"epoch {epoch} loss={part}\\r")
    print(f"epoch {epoch} loss=0.9")""",
    "another spelling": 'print(f"step={epoch} LOSS: 0.9")',
    "no step": 'print("loss=0.9")',
    "results": """
    import os
    with open(os.environ["RESULT_FILE"], "a") as file:
        file.write('{"epoch": %d, "loss": 0.9}\\n' % epoch)""",
    "a table": """
    import os
    with open(os.environ["OUTPUT_DIR"] + "/metrics.csv", "a") as file:
        file.write("epoch,acc,loss\\n" if epoch == 1 else f"{epoch},0.5,0.9\\n")""",
    "event files": """
    import json, os
    if epoch == 1:
        os.makedirs("runs")
        events = open("runs/events.out.tfevents.1.host", "ab", buffering=0)
        records = json.load(open("events.json"))
    if epoch <= len(records):
        events.write(bytes.fromhex(records[epoch - 1]))""",
}


@pytest.mark.parametrize("report", WRITERS.values(), ids=list(WRITERS))
def test_a_program_is_stopped_by_what_it_writes(job: Job, report: str) -> None:
    job.with_peers(0.1, 0.2)
    values = [
        event_files.event(step, event_files.simple("loss", 0.9)).hex()
        for step in range(1, 20)
    ]
    records = [event_files.VERSION.hex(), *values]
    (job.code / "events.json").write_text(json.dumps(records))
    code, output = job.run(UNMODIFIED.replace("REPORT", report))
    assert code == 0, output
    assert "saved" in output
    assert job.reason.endswith(
        ": loss=0.9 is number 3 of 3 at step 3, and the best 1 continue"
    )


def test_the_pattern_of_riseml_yml_finds_the_metric(job: Job) -> None:
    job.with_peers(0.1, 0.2)
    job.settings["pattern"] = r"cost is (\S+)"
    report = 'print(f"epoch {epoch}: loss 0.01, cost is 0.9")'
    code, output = job.run(UNMODIFIED.replace("REPORT", report))
    assert_stopped(job, code, output)


def test_a_program_that_is_good_enough_ends_by_itself(job: Job) -> None:
    job.with_peers(0.1, 0.2)
    program = 'for epoch in range(1, 31): print("epoch", epoch, "loss", 0.01)'
    assert job.run(program + "\nimport time; time.sleep(1)")[0] == 0
    assert not job.reason
    assert (job.rungs / "27/5").read_text() == "0.01\n"


def test_a_program_that_fails_by_itself_fails(job: Job) -> None:
    job.with_peers(0.1, 0.2)
    code, _ = job.run('print("epoch 1 loss 0.9"); raise SystemExit(3)')
    assert code == 3
    assert not job.reason


ASKS = """
import riseml
for epoch in range(1, 1000):
    riseml.report_result(step=epoch, loss=0.9)
    if riseml.should_stop():
        print("saved at", epoch)
        raise SystemExit(CODE)
"""


def test_a_program_may_ask_whether_to_stop(job: Job) -> None:
    job.with_peers(0.1, 0.2)
    code, output = job.run(ASKS.replace("CODE", "0"))
    assert code == 0, output
    assert "saved at 3\n" in output
    assert job.reason == (
        "at step 3: loss=0.9 is number 3 of 3 at step 3, and the best 1 continue"
    )


def test_a_program_that_fails_after_its_own_decision_fails(job: Job) -> None:
    job.with_peers(0.1, 0.2)
    code, _ = job.run(ASKS.replace("CODE", "4"))
    assert code == 4
    assert not job.reason


def test_a_program_that_asks_is_not_stopped_by_a_signal(job: Job) -> None:
    job.with_peers(0.1, 0.2)
    program = ASKS.replace("raise SystemExit(CODE)", "break")
    code, output = job.run(program + "\nimport time; time.sleep(2); print('end')")
    assert code == 0
    assert "end\n" in output
    assert job.reason


def test_outside_of_a_search_a_program_never_stops() -> None:
    library = ModuleType("riseml")
    path = templating.folder() / "library/riseml.py"
    exec(compile(path.read_bytes(), str(path), "exec"), library.__dict__)
    assert library.should_stop() is False


def test_a_further_attempt_of_a_stopped_experiment_does_not_start(job: Job) -> None:
    (job.output / ".riseml").mkdir()
    (job.output / ".riseml/early").write_text("at step 3: loss=0.9 …\n")
    job.env["RISEML_ATTEMPT"] = "1"
    code, output = job.run('print("started")')
    assert code == 0
    assert "started\n" not in output
    assert job.reason == "at step 3: loss=0.9 …"


def test_without_python_the_experiment_runs_on(job: Job, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "bash", "mkdir", "tee", "cat", "date", "sleep", "mkfifo", "rm"):
        program = shutil.which(tool)
        if program:
            (tools / tool).symlink_to(program)
    job.env["PATH"] = str(tools)
    code, output = job.run("print('ran')")
    assert code == 0, output
    assert "ran\n" in output
    assert (
        "riseml: there is no Python in this image, so the search cannot stop this"
        " experiment early" in output
    )


@pytest.mark.parametrize("name", ["rungs.py", "early_stop.py"])
def test_the_files_are_written_for_old_versions_of_python(name: str) -> None:
    text = (templating.folder() / name).read_text("utf-8")
    # Python 2 reads nothing else without a declaration.
    assert text.isascii()
    ast.parse(text, feature_version=(3, 4))
