"""Searches that stop experiments early: programs without added code, kills, retries, and brackets."""

import pytest

from riseml.client.client import Client
from riseml.ids import Id
from riseml.search import asha, hyperband
from riseml.status import ExperimentStatus, SetStatus, State
from tests.local.conftest import Lab
from tests.local.test_survival import kill_controller

# The rate decides over the loss. It saves on TERM, which takes a moment.
PROGRAM = """
import os, signal, sys, time
def save(*_):
    time.sleep(0.3)
    open(os.path.join(os.environ["OUTPUT_DIR"], "checkpoint"), "w").close()
    sys.exit(1)
signal.signal(signal.SIGTERM, save)
quality = float(os.environ["LR"])
for epoch in range(1, 28):
    print("epoch", epoch, "loss", quality + 1 / epoch)
    if epoch > 3 and quality > 1 and "ENDLESS" in os.environ:
        time.sleep(1000)
    time.sleep(0.05)
print("complete")
"""
TRAIN = """
resources: {cpus: 0.1, mem: 1}
parameters: {lr: [1, 2, 3, 4, 5, 6]}
concurrency: 6
search: {method: asha, metric: loss, mode: min, max_resource: 27, min_resource: 3}
run: python3 -u train.py
"""


@pytest.fixture
def program(lab: Lab) -> None:
    lab.write({"train.py": PROGRAM})


def early(run: SetStatus) -> list[ExperimentStatus]:
    return [experiment for experiment in run.experiments if experiment.is_early]


@pytest.mark.usefixtures("program")
def test_programs_without_added_code_stop_early(lab: Lab) -> None:
    run = lab.run(TRAIN)
    assert run.state is State.FINISHED
    assert run.counts == {State.FINISHED: 6}
    best, *others = run.experiments
    assert best.reason == "COMPLETED"
    stopped = early(run)
    # They see what the others have reached so far, so how many stop depends on timing.
    assert len(stopped) >= 3
    assert best not in stopped
    assert others[-1] in stopped
    for experiment in stopped:
        assert experiment.message.startswith("at step ")
        assert experiment.exit_code == 0
        (job,) = experiment.jobs
        assert job.reason == "EARLY"
        folder = lab.output(int(run.id), experiment.sub)
        # On a loaded machine, a program may complete just before it is stopped.
        has_saved = (folder / "checkpoint").exists()
        assert has_saved or "complete" in lab.log(
            Id(number=run.number, sub=experiment.sub)
        )
    rungs = lab.output(int(run.id)) / "rungs"
    assert sorted(path.name for path in (rungs / "3").iterdir()) == list("123456")
    assert (rungs / "9/1").read_text() == f"{1 + 1 / 9!r}\n"


@pytest.mark.usefixtures("program")
def test_a_kill_is_no_early_stop(lab: Lab) -> None:
    number = lab.train(TRAIN.replace("[1, 2, 3, 4, 5, 6]", "2"), ENDLESS="1").number
    lab.until(lambda: "epoch 4" in lab.log(number), "epoch 4")
    lab.engine.stop(Id(number=number))
    run = lab.wait(number)
    assert run.state is State.KILLED


@pytest.mark.usefixtures("program")
def test_early_stops_need_no_controller(lab: Lab) -> None:
    number = lab.train(TRAIN).number
    lab.until(lambda: "epoch 1 " in lab.log(number), "a first epoch")
    kill_controller(lab.engine.home)
    rungs = lab.output(number) / "rungs"
    lab.until((rungs / "9/1").exists, "the second rung")
    lab.wait(number)
    run = lab.engine.read(Id(number=number))
    assert run.counts == {State.FINISHED: 6}
    assert len(early(run)) >= 3


# It decides that the experiment stops, and then its machine is lost: this attempt fails.
LOST = """
import os
record = os.path.join(os.environ["OUTPUT_DIR"], ".riseml/early")
with open(os.path.join(os.environ["OUTPUT_DIR"], "starts"), "a") as file:
    file.write("started\\n")
with open(record, "w") as file:
    file.write("at step 3: loss=2 is number 2 of 2 at step 3, and the best 1 continue\\n")
# The run script is the parent of the shell of the lines.
shell = open("/proc/{}/stat".format(os.getppid())).read()
os.kill(int(shell.rpartition(")")[2].split()[1]), 9)
"""


def test_a_further_attempt_finds_the_record_and_does_not_start(lab: Lab) -> None:
    lab.write({"lost.py": LOST})
    text = TRAIN.replace("[1, 2, 3, 4, 5, 6]", "2").replace("train.py", "lost.py")
    run = lab.run(text + "retries: 2")
    (experiment,) = run.experiments
    assert experiment.is_early
    assert experiment.attempt == 1
    starts = lab.output(int(run.id), 1) / "starts"
    assert starts.read_text() == "started\n"


ASKS = """
import os, riseml
for epoch in range(1, 28):
    riseml.report_result(step=epoch, loss=float(os.environ["LR"]))
    if riseml.should_stop():
        print("stops at", epoch)
        break
"""


def test_programs_that_ask_stop_at_the_rung(lab: Lab) -> None:
    lab.write({"ask.py": ASKS})
    text = TRAIN.replace("concurrency: 6", "concurrency: 1")
    run = lab.run(text.replace("train.py", "ask.py"))
    # One after the other, and the first one is the best: each other one stops at once.
    assert [experiment.reason for experiment in run.experiments] == [
        "COMPLETED",
        *["EARLY"] * 5,
    ]
    last = run.experiments[5].message
    assert (
        last == "at step 3: loss=6 is number 6 of 6 at step 3, and the best 2 continue"
    )
    assert lab.log(int(run.id)).count("stops at 3\n") == 5
    (cause,) = Client(engine=lab.engine).why(f"{run.id}.6")
    assert cause.kind == "EARLY"
    assert last in cause.evidence


def test_a_machine_that_allows_no_mounts_has_the_rungs_too(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISEML_MOUNTS", "off")
    lab.write({"ask.py": ASKS})
    text = TRAIN.replace("[1, 2, 3, 4, 5, 6]", "[1, 2]").replace("train.py", "ask.py")
    run = lab.run(text.replace("concurrency: 6", "concurrency: 1"))
    reasons = [experiment.reason for experiment in run.experiments]
    assert reasons == ["COMPLETED", "EARLY"]
    assert (lab.output(int(run.id)) / "rungs/3/2").read_text() == "2.0\n"


def test_experiments_compete_only_in_their_bracket(lab: Lab) -> None:
    lab.write({"ask.py": ASKS})
    text = TRAIN.replace("concurrency: 6", "concurrency: 1").replace(
        "asha", "hyperband"
    )
    run = lab.run(text.replace("train.py", "ask.py"))
    reasons = [experiment.reason for experiment in run.experiments]
    brackets = hyperband.brackets(6, asha.Options(27, min_resource=3))
    assert brackets == [0, 1, 0, 2, 0, 1]
    completed, stopped = "COMPLETED", "EARLY"
    assert reasons == [completed, completed, stopped, completed, stopped, stopped]
    steps = [experiment.message.partition(":")[0] for experiment in early(run)]
    assert steps == ["at step 3", "at step 3", "at step 9"]


# The third experiment fails the first time.
FAILS_FIRST = """
import os, sys
again = os.path.join(os.environ["OUTPUT_DIR"], "again")
if os.environ["LR"] == "3" and not os.path.exists(again):
    open(again, "w").close()
    sys.exit(5)
"""


def test_a_repeated_experiment_competes_with_those_of_its_set(lab: Lab) -> None:
    lab.write({"ask.py": FAILS_FIRST + ASKS})
    text = TRAIN.replace("[1, 2, 3, 4, 5, 6]", "[1, 2, 3]")
    text = text.replace("concurrency: 6", "concurrency: 1")
    run = lab.run(text.replace("train.py", "ask.py"))
    reasons = ["COMPLETED", "EARLY", "ERROR"]
    assert [experiment.reason for experiment in run.experiments] == reasons
    Client(engine=lab.engine).retry(run.id)
    lab.wait(int(run.id))
    run = lab.engine.read(Id(number=int(run.id)))
    assert [experiment.reason for experiment in run.experiments] == [
        "COMPLETED",
        "EARLY",
        "EARLY",
    ]
    # One that was stopped early is not repeated: it has finished.
    assert [experiment.attempt for experiment in run.experiments] == [0, 0, 1]
    assert "number 3 of 3 at step 3" in run.experiments[2].message


# Only the master reports; a worker waits for it without an end.
GANG = """
import os, time
for epoch in range(1, 28):
    if os.environ["RISEML_JOB"] == "master":
        print("epoch", epoch, "loss", float(os.environ["LR"]), flush=True)
    elif os.environ["LR"] == "2":
        time.sleep(1000)
    time.sleep(0.1)
"""


def test_all_jobs_of_an_experiment_stop(lab: Lab) -> None:
    lab.write({"gang.py": GANG})
    text = TRAIN.replace("[1, 2, 3, 4, 5, 6]", "[1, 2]").replace("train.py", "gang.py")
    text = text.replace("concurrency: 6", "concurrency: 1")
    run = lab.run(f"{text}framework: pytorch\npytorch: {{workers: {{count: 2}}}}")
    best, worse = run.experiments
    assert best.reason == "COMPLETED"
    assert worse.is_early
    assert [(job.type, job.reason) for job in worse.jobs] == [
        ("master", "EARLY"),
        ("worker", "EARLY"),
    ]
