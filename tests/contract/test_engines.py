"""Contract of all engines, in one suite (`pytest -m cluster tests/contract` runs it on Argo)."""

import json

import pytest

from riseml.client.client import Client
from riseml.engines import Change, Chunk, Query
from riseml.errors import InvalidInputError, NotFoundError, RiseMLError
from riseml.ids import Id
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State
from tests.contract.bench import Bench


def states(run: SetStatus) -> list[State]:
    return [experiment.state for experiment in run.experiments]


def job(run: SetStatus, name: str = "train") -> JobStatus:
    return next(
        job_status
        for job_status in run.experiments[0].jobs
        if job_status.id.endswith(name)
    )


# One experiment


def test_an_experiment_runs_from_file_to_status(bench: Bench) -> None:
    bench.write({"hello.txt": "from the project\n"})
    run = bench.run("run: cat hello.txt")
    assert (run.state, run.is_set, states(run)) == (
        State.FINISHED,
        False,
        [State.FINISHED],
    )
    assert bench.log(run.number or 0) == "from the project\n"
    assert (job(run).id, job(run).exit_code, job(run).reason) == (
        f"{run.number}.train",
        0,
        "COMPLETED",
    )
    assert run.created is not None
    assert run.started is not None
    assert run.finished is not None
    assert run.created <= run.started <= run.finished


def test_a_run_keeps_what_ignore_files_left_out(bench: Bench) -> None:
    bench.write({".gitignore": "data/\n", "data/train.csv": "1"})
    run = bench.run("run: cat data/train.csv")
    assert run.state is State.FAILED
    assert run.excluded == {".gitignore": ("data/",)}
    (cause,) = Client(engine=bench.engine).why(run.id)
    assert cause.explanation == "data/train.csv was left out by .gitignore"


@pytest.mark.parametrize("code", [1, 3, 77])
def test_a_failing_line_ends_the_job_with_its_exit_code(
    bench: Bench, code: int
) -> None:
    run = bench.run(f"run: [echo one, exit {code}, echo two]")
    one = run.experiments[0]
    assert (run.state, one.state, one.exit_code, one.reason) == (
        State.FAILED,
        State.FAILED,
        code,
        "ERROR",
    )
    assert one.guilty == f"{run.number}.train"
    assert bench.log(run.number or 0) == "one\n"


def test_a_missing_command_fails_the_job(bench: Bench) -> None:
    run = bench.run("run: there-is-no-such-command")
    one = run.experiments[0]
    assert (one.state, one.reason, one.exit_code) == (State.FAILED, "COMMAND", 127)


def test_lines_share_one_shell(bench: Bench) -> None:
    bench.write({"below/file": "found\n"})
    run = bench.run("run: [cd below, cat file, word=kept, echo $word]")
    assert bench.log(run.number or 0) == "found\nkept\n"


def test_each_run_sees_the_snapshot_of_its_start(bench: Bench) -> None:
    bench.write({"text": "before\n"})
    first = bench.train("run: [sleep 1, cat text]").number
    bench.write({"text": "after\n"})
    second = bench.train("run: cat text").number
    bench.wait(first)
    bench.wait(second)
    assert (bench.log(first), bench.log(second)) == ("before\n", "after\n")
    assert second > first


def test_a_job_has_its_variables(bench: Bench) -> None:
    run = bench.run(
        """
        env: {GREETING: "hello $HOME {{n}}"}
        parameters: {n: [7], long-name: [x]}
        run: echo "$GREETING|$N|$LONG_NAME|$OUTPUT_DIR|$RISEML_EXPERIMENT|$RISEML_ATTEMPT"
        """
    )
    assert (
        bench.log(run.number or 0).strip()
        == f"hello $HOME 7|7|x|/output|{run.number}.1|0"
    )


def test_results_are_reported(bench: Bench) -> None:
    bench.write(
        {
            "report.py": "import riseml\nriseml.report_result(accuracy=0.5, note='fine')\n"
        }
    )
    run = bench.run("run: python3 report.py")
    assert run.experiments[0].result == {"accuracy": 0.5, "note": "fine"}


def test_results_of_any_length_are_complete_and_other_lines_are_named(
    bench: Bench,
) -> None:
    code = """
        import os, riseml
        with open(os.environ["RESULT_FILE"], "a") as file:
            file.write("{'loss': 0.3}\\n")
        riseml.report_result(**{"class_%04d" % n: n + 0.123456789 for n in range(3000)})
        """
    bench.write({"report.py": code})
    first = bench.run("run: python3 report.py")
    classes = {f"class_{n:04d}": n + 0.123456789 for n in range(3000)}
    # An ended run may be read from elsewhere from now on.
    second = bench.engine.read(Id(number=first.number))
    for run in (first, second):
        (experiment,) = run.experiments
        assert (run.state, experiment.result) == (State.FINISHED, classes)
        (note,) = experiment.notes
        assert note.startswith("line 1 of $RESULT_FILE is not JSON: {'loss': 0.3}; ")


@pytest.mark.parametrize("gang", ["", "framework: jax\njax: {workers: 2}\n"])
def test_results_of_a_failed_attempt_are_not_those_of_the_next(
    gang: str, bench: Bench
) -> None:
    code = """
        import os, riseml, sys
        attempt = int(os.environ["RISEML_ATTEMPT"])
        riseml.report_result(attempt=attempt)
        if attempt == 0:
            riseml.report_result(only_first=1)
            sys.exit(3)
        """
    bench.write({"report.py": code})
    run = bench.run(f"{gang}retries: 1\nrun: python3 report.py")
    (experiment,) = run.experiments
    assert (run.state, experiment.result) == (State.FINISHED, {"attempt": 1})


def test_a_result_is_visible_while_the_job_runs(bench: Bench) -> None:
    bench.write({"report.py": "import riseml\nriseml.report_result(step=1)\n"})
    number = bench.train("run: [python3 report.py, sleep 60]").number
    bench.until(
        lambda: (
            bench.engine.read(Id(number=number)).experiments[0].result == {"step": 1}
        ),
        "a live result",
    )
    bench.engine.stop(Id(number=number))
    bench.wait(number)


def test_progress_is_reported(bench: Bench) -> None:
    bench.write({"report.py": "import riseml\nriseml.report_progress(3, 10)\n"})
    number = bench.train("run: [python3 report.py, sleep 100]").number
    bench.until(
        lambda: bench.engine.read(Id(number=number)).experiments[0].progress == (3, 10),
        "the progress",
    )
    bench.engine.stop(Id(number=number))
    bench.wait(number)


def test_the_configuration_is_recorded_before_anything_runs(bench: Bench) -> None:
    run = bench.run(
        """
        parameters: {lr: [1e-6]}
        run: cat $OUTPUT_DIR/riseml-configuration.yml
        """
    )
    assert "lr: 1e-6" in bench.log(run.number or 0)
    assert f"experiment: '{run.number}.1'" in bench.log(run.number or 0)


def test_a_timeout_ends_a_job(bench: Bench) -> None:
    run = bench.run("timeout: 2s\nrun: sleep 60")
    assert (run.state, run.experiments[0].reason) == (State.FAILED, "TIMEOUT")


def test_retries_continue_until_the_job_succeeds(bench: Bench) -> None:
    run = bench.run(
        """
        retries: 2
        run: [echo attempt $RISEML_ATTEMPT, test $RISEML_ATTEMPT = 1]
        """
    )
    assert (run.state, job(run).attempt) == (State.FINISHED, 1)
    between = "riseml: attempt 1 failed with exit code 1; starting attempt 2 of 3\n"
    assert bench.log(run.number or 0) == f"attempt 0\n{between}attempt 1\n"


def test_a_job_fails_when_its_retries_are_used_up(bench: Bench) -> None:
    run = bench.run("retries: 1\nrun: exit 9")
    assert (run.state, run.experiments[0].exit_code, job(run).attempt) == (
        State.FAILED,
        9,
        1,
    )


def test_shell_characters_in_a_value_reach_the_program_as_data(bench: Bench) -> None:
    run = bench.run(
        """
        parameters: {text: ['$(id) `id` "a" \\\\ $$ $(HOME)']}
        run: printf '%s\\n' "$TEXT"
        """
    )
    assert bench.log(run.number or 0) == '$(id) `id` "a" \\\\ $$ $(HOME)\n'


# Sets


def test_a_grid_continues_when_one_experiment_fails(bench: Bench) -> None:
    run = bench.run("parameters: {n: [1, 2, 3]}\nconcurrency: 3\nrun: test {{n}} != 2")
    assert run.state is State.FAILED
    assert states(run) == [State.FINISHED, State.FAILED, State.FINISHED]
    assert [dict(experiment.parameters) for experiment in run.experiments] == [
        {"n": "1"},
        {"n": "2"},
        {"n": "3"},
    ]
    assert run.counts == {State.FINISHED: 2, State.FAILED: 1}


def test_values_reach_the_job_as_written(bench: Bench) -> None:
    run = bench.run(
        """
        parameters: {lr: [1e-6, 0.10], flag: ["yes"]}
        concurrency: 2
        run: echo {{lr}} {{flag}}
        """
    )
    logs = [
        bench.log(Id(number=run.number, sub=experiment.sub))
        for experiment in run.experiments
    ]
    assert logs == ["1e-6 yes\n", "0.10 yes\n"]


def test_concurrency_is_not_exceeded(bench: Bench) -> None:
    number = bench.train("parameters: {n: [1, 2]}\nconcurrency: 1\nrun: sleep 3").number
    peak = 0
    for run in bench.engine.changes(Id(number=number)):
        assert isinstance(run, SetStatus)
        peak = max(
            peak,
            sum(run.counts.get(state, 0) for state in (State.RUNNING, State.STARTING)),
        )
    run = bench.engine.read(Id(number=number))
    assert peak <= 1
    assert states(run) == [State.FINISHED, State.FINISHED]
    first, second = run.experiments
    assert first.finished is not None
    assert second.started is not None
    assert second.started >= first.finished


def test_each_experiment_has_its_own_output_folder(bench: Bench) -> None:
    run = bench.run(
        "parameters: {n: [1, 2]}\nconcurrency: 2\nrun: [touch $OUTPUT_DIR/of-$N, ls $OUTPUT_DIR]"
    )
    logs = [
        bench.log(Id(number=run.number, sub=experiment.sub)).split()
        for experiment in run.experiments
    ]
    assert [[name for name in log if name.startswith("of-")] for log in logs] == [
        ["of-1"],
        ["of-2"],
    ]


# Kill


def test_a_killed_run_can_still_write_a_checkpoint(bench: Bench) -> None:
    number = bench.train(
        "run: \"trap 'echo saved; exit 0' TERM; echo on; while :; do sleep 0.2; done\""
    ).number
    bench.until_logged(number, "on")
    assert bench.engine.stop(Id(number=number))
    run = bench.wait(number)
    assert (
        run.state,
        run.reason if isinstance(run, ExperimentStatus) else "",
    ) == (State.KILLED, "")
    assert "saved" in bench.log(number)


def test_a_kill_of_one_experiment_does_not_affect_the_others(bench: Bench) -> None:
    number = bench.train(
        "parameters: {n: [1, 2]}\nconcurrency: 2\nrun: [echo on, test $N = 2 || sleep 60]"
    ).number
    bench.until_logged(Id(number=number, sub=1), "on")
    assert bench.engine.stop(Id(number=number, sub=1))
    bench.wait(number)
    assert states(bench.engine.read(Id(number=number))) == [
        State.KILLED,
        State.FINISHED,
    ]


def test_an_experiment_killed_before_its_turn_never_starts(bench: Bench) -> None:
    number = bench.train(
        "parameters: {n: [1, 2, 3]}\nconcurrency: 1\nrun: [echo on $N, sleep 3]"
    ).number
    bench.engine.stop(Id(number=number, sub=2))
    bench.wait(number)
    assert states(bench.engine.read(Id(number=number))) == [
        State.FINISHED,
        State.KILLED,
        State.FINISHED,
    ]
    assert "on 2" not in bench.log(number)


def test_an_experiment_that_ended_before_a_kill_keeps_its_state(bench: Bench) -> None:
    number = bench.train(
        "parameters: {n: [1, 2]}\nconcurrency: 1\nrun: test $N = 1 || sleep 60"
    ).number
    bench.wait(Id(number=number, sub=1))
    bench.engine.stop(Id(number=number))
    bench.wait(number)
    assert states(bench.engine.read(Id(number=number))) == [
        State.FINISHED,
        State.KILLED,
    ]


def test_a_kill_of_an_ended_run_returns_false(bench: Bench) -> None:
    run = bench.run("run: echo done")
    assert not bench.engine.stop(Id(number=run.number))
    assert bench.engine.read(Id(number=run.number)).state is State.FINISHED


# Several jobs


GANG = """
framework: tensorflow
tensorflow: {distributed: {worker: 2, ps: 1}, tensorboard: false}
"""


# A server that ends by itself counts as failed.
SERVES = "test $RISEML_JOB = ps && sleep 600 || sleep 2"


def test_jobs_of_an_experiment_know_each_other(bench: Bench) -> None:
    run = bench.run(GANG + f"run: [echo $TF_CONFIG, {SERVES}]")
    assert run.state is State.FINISHED
    assert sorted(job_status.type for job_status in run.experiments[0].jobs) == [
        "master",
        "ps",
        "worker",
    ]
    config = json.loads(bench.log(Id(number=run.number, type="master")))
    assert {name: len(hosts) for name, hosts in config["cluster"].items()} == {
        "chief": 1,
        "ps": 1,
        "worker": 1,
    }
    assert config["task"] == {"type": "chief", "index": 0}


def test_servers_end_with_the_other_jobs(bench: Bench) -> None:
    run = bench.run(GANG + "run: test $RISEML_JOB != ps || sleep 600")
    assert run.state is State.FINISHED
    assert job(run, "ps").state is State.FINISHED


def test_a_failed_job_ends_its_peers_and_is_named(bench: Bench) -> None:
    run = bench.run(
        GANG + "run: [test $RISEML_JOB = worker || sleep 600, sleep 1, exit 4]"
    )
    one = run.experiments[0]
    assert (one.state, one.exit_code, one.guilty) == (
        State.FAILED,
        4,
        f"{run.number}.worker",
    )
    assert job(run, "master").state is State.KILLED
    assert job(run, "master").reason == "PEER"


# Lists


def test_lists_show_active_runs_and_with_all_ended_ones(bench: Bench) -> None:
    first = bench.run("run: echo one").number
    second = bench.train("run: sleep 60").number
    assert second in bench.listed()
    assert first not in bench.listed()
    everything = bench.listed(all=True, project=bench.project)
    assert everything.index(second) < everything.index(first or 0)
    assert bench.listed(all=True, last=1, project=bench.project) == everything[:1]
    bench.engine.stop(Id(number=second))
    bench.wait(second)
    assert second not in bench.listed()


def test_lists_can_be_limited_to_a_project(bench: Bench) -> None:
    number = bench.run("run: echo one").number
    assert number in bench.listed(all=True, project=bench.project)
    assert bench.listed(all=True, project="another") == []


def test_lists_have_the_states_of_ended_runs(bench: Bench) -> None:
    good = bench.run("run: echo one").number
    bad = bench.run("run: exit 1").number
    runs = {
        run.number: run
        for run in bench.engine.list(Query(all=True, project=bench.project))
    }
    assert (runs[good].state, runs[bad].state) == (State.FINISHED, State.FAILED)
    assert runs[good].project == bench.project
    assert runs[good].user == bench.engine.user


def test_lists_can_include_experiments(bench: Bench) -> None:
    number = bench.run(
        "parameters: {n: [1, 2]}\nconcurrency: 2\nrun: echo {{n}}"
    ).number
    runs = {
        run.number: run
        for run in bench.engine.list(
            Query(all=True, experiments=True, project=bench.project)
        )
    }
    assert [experiment.parameters["n"] for experiment in runs[number].experiments] == [
        "1",
        "2",
    ]


def test_latest_is_the_newest_run(bench: Bench) -> None:
    number = bench.train("run: echo one").number
    assert bench.engine.latest(bench.project) == Id(number=number)
    bench.wait(number)


def test_numbers_increase(bench: Bench) -> None:
    numbers = [bench.train("run: echo one").number for _ in range(3)]
    assert numbers == sorted(set(numbers))
    for number in numbers:
        bench.wait(number)


# Logs


def test_logs_can_be_followed_before_the_job_starts(bench: Bench) -> None:
    number = bench.train("run: [echo one, sleep 1, echo two]").number
    events = bench.events(number, follow=True)
    assert (
        b"".join(event.data for event in events if isinstance(event, Chunk))
        == b"one\ntwo\n"
    )
    changes = [
        event.state
        for event in events
        if isinstance(event, Change) and event.id == f"{number}.train"
    ]
    assert changes[-1] == State.FINISHED
    last = max(
        position for position, event in enumerate(events) if isinstance(event, Chunk)
    )
    ended = next(
        i
        for i, e in enumerate(events)
        if isinstance(e, Change) and e.state == State.FINISHED
    )
    assert ended > last


def test_tail_returns_the_last_lines(bench: Bench) -> None:
    run = bench.run("run: seq 100")
    assert bench.log(run.number or 0, tail=3) == "98\n99\n100\n"


def test_the_log_of_one_job_can_be_read(bench: Bench) -> None:
    run = bench.run(GANG + f"run: [echo I am $RISEML_JOB, {SERVES}]")
    assert bench.log(Id(number=run.number, type="ps")).splitlines()[0] == "I am ps"
    lines = (
        line
        for line in bench.log(run.number or 0).splitlines()
        if line.startswith("I am")
    )
    assert sorted(lines) == ["I am master", "I am ps", "I am worker"]


def test_a_long_log_is_complete(bench: Bench) -> None:
    run = bench.run("run: seq 200000")
    assert bench.log(run.number or 0) == "".join(f"{n}\n" for n in range(1, 200_001))


def test_a_log_may_contain_any_bytes(bench: Bench) -> None:
    run = bench.run("run: printf 'caf\\303\\251 \\0 \\377 end without newline'")
    data = b"".join(
        event.data
        for event in bench.events(run.number or 0)
        if isinstance(event, Chunk)
    )
    assert data.rstrip(b"\n") == b"caf\xc3\xa9 \0 \xff end without newline"


# Secrets


def test_a_missing_secret_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidInputError, match="NOT_SET"):
        bench.train("secrets: [NOT_SET]\nrun: echo one")


def test_a_secret_reaches_only_the_job(bench: Bench) -> None:
    bench.engine.set_secret("CONTRACT_KEY", "s3cr3t-value")
    assert "CONTRACT_KEY" in set(bench.engine.secrets())
    run = bench.run(
        "secrets: [CONTRACT_KEY]\nrun: ['echo $CONTRACT_KEY', 'test ${#CONTRACT_KEY} = 12']"
    )
    assert run.state is State.FINISHED
    assert bench.log(run.number or 0) == "***\n"
    assert "s3cr3t-value" not in json.dumps(bench.engine.get(Id(number=run.number)))


# Errors and deletion


@pytest.mark.parametrize("verb", ["read", "get", "stop", "delete"])
def test_an_unknown_run_is_not_found(bench: Bench, verb: str) -> None:
    with pytest.raises(NotFoundError):
        getattr(bench.engine, verb)(Id(number=999_999))


def test_the_log_of_an_unknown_job_is_not_found(bench: Bench) -> None:
    run = bench.run("run: echo one")
    with pytest.raises(NotFoundError):
        bench.log(Id(number=run.number, type="worker", index=7))


def test_an_active_run_cannot_be_deleted(bench: Bench) -> None:
    number = bench.train("run: sleep 60").number
    with pytest.raises(RiseMLError, match="not ended"):
        bench.engine.delete(Id(number=number))
    bench.engine.stop(Id(number=number))
    bench.wait(number)


def test_the_number_of_a_deleted_run_is_not_used_again(bench: Bench) -> None:
    run = bench.run("run: echo one")
    bench.until(
        lambda: _deleted(bench, run.number or 0), "the end of what belongs to the run"
    )
    bench.until(lambda: _is_gone(bench, run.number or 0), "the end of the run")
    following = bench.train("run: echo two").number
    assert following > (run.number or 0)
    bench.wait(following)


def _deleted(bench: Bench, number: int) -> bool:
    bench.engine.delete(Id(number=number))
    return True


def _is_gone(bench: Bench, number: int) -> bool:
    """Return whether a run is deleted; an API server's cache may have it for a moment."""
    try:
        bench.engine.read(Id(number=number))
    except NotFoundError:
        return True
    return False


def test_a_refused_plan_starts_nothing(bench: Bench) -> None:
    runs = bench.listed(all=True, project=bench.project)
    with pytest.raises(InvalidInputError):
        bench.train("run: 'true'\nsecrets: [NEVER_SET]")
    assert bench.listed(all=True, project=bench.project) == runs


# Further attempts


def test_what_has_failed_is_repeated_as_part_of_its_set(bench: Bench) -> None:
    run = bench.run(
        """
        parameters: {n: [1, 2]}
        concurrency: 2
        run: "echo {{n}} $RISEML_ATTEMPT; test {{n}} = 1 || test $RISEML_ATTEMPT = 1"
        """
    )
    assert states(run) == [State.FINISHED, State.FAILED]
    client = Client(engine=bench.engine)
    grown = client.retry(run.id)
    assert grown.experiments == (f"{run.id}.2",)
    number = run.number or 0
    bench.wait(number)
    repeated = bench.engine.read(Id(number=number))
    assert (repeated.state, states(repeated)) == (
        State.FINISHED,
        [State.FINISHED, State.FINISHED],
    )
    attempts = repeated.experiments[1].jobs[0].attempts
    assert [(attempt.attempt, attempt.state) for attempt in attempts] == [
        (0, State.FAILED),
        (1, State.FINISHED),
    ]
    assert bench.log(Id(number=number, sub=2)) == "2 0\n2 1\n"
    listed = bench.engine.list(Query(all=True, last=1, experiments=True))
    assert [states(one) for one in listed] == [states(repeated)]
    with pytest.raises(InvalidInputError, match="has finished, so its set does not"):
        client.retry(f"{run.id}.1")
    bench.engine.delete(Id(number=number))
    bench.until(lambda: _is_gone(bench, number), "the end of the run")
