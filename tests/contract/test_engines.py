"""What every engine must do: one suite for all of them (`pytest -m cluster tests/contract` runs it on Argo)."""

import json

import pytest

from riseml.engines import Change, Chunk, Query
from riseml.errors import InvalidInputError, NotFoundError, RiseMLError
from riseml.ids import Id
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State
from tests.contract.bench import Bench


def states(whole: SetStatus) -> list[State]:
    return [experiment.state for experiment in whole.experiments]


def job(whole: SetStatus, name: str = "train") -> JobStatus:
    return next(each for each in whole.experiments[0].jobs if each.id.endswith(name))


# One experiment


def test_an_experiment_from_file_to_status(bench: Bench) -> None:
    bench.write({"hello.txt": "from the project\n"})
    whole = bench.run("run: cat hello.txt")
    assert (whole.state, whole.is_set, states(whole)) == (
        State.FINISHED,
        False,
        [State.FINISHED],
    )
    assert bench.log(whole.number or 0) == "from the project\n"
    assert (job(whole).id, job(whole).exit_code, job(whole).reason) == (
        f"{whole.number}.train",
        0,
        "COMPLETED",
    )
    assert whole.created is not None
    assert whole.started is not None
    assert whole.finished is not None
    assert whole.created <= whole.started <= whole.finished


@pytest.mark.parametrize("code", [1, 3, 77])
def test_a_failing_line_ends_the_job_with_its_status(bench: Bench, code: int) -> None:
    whole = bench.run(f"run: [echo one, exit {code}, echo two]")
    one = whole.experiments[0]
    assert (whole.state, one.state, one.exit_code, one.reason) == (
        State.FAILED,
        State.FAILED,
        code,
        "ERROR",
    )
    assert one.guilty == f"{whole.number}.train"
    assert bench.log(whole.number or 0) == "one\n"


def test_a_command_that_is_not_there(bench: Bench) -> None:
    whole = bench.run("run: there-is-no-such-command")
    one = whole.experiments[0]
    assert (one.state, one.reason, one.exit_code) == (State.FAILED, "COMMAND", 127)


def test_lines_share_one_shell(bench: Bench) -> None:
    bench.write({"below/file": "found\n"})
    whole = bench.run("run: [cd below, cat file, word=kept, echo $word]")
    assert bench.log(whole.number or 0) == "found\nkept\n"


def test_each_run_sees_the_snapshot_of_its_start(bench: Bench) -> None:
    bench.write({"text": "before\n"})
    first = bench.train("run: [sleep 1, cat text]").number
    bench.write({"text": "after\n"})
    second = bench.train("run: cat text").number
    bench.wait(first)
    bench.wait(second)
    assert (bench.log(first), bench.log(second)) == ("before\n", "after\n")
    assert second > first


def test_the_environment_of_a_job(bench: Bench) -> None:
    whole = bench.run(
        """
        env: {GREETING: "hello $HOME {{n}}"}
        parameters: {n: [7], long-name: [x]}
        run: echo "$GREETING|$N|$LONG_NAME|$OUTPUT_DIR|$RISEML_EXPERIMENT|$RISEML_ATTEMPT"
        """
    )
    assert (
        bench.log(whole.number or 0).strip()
        == f"hello $HOME 7|7|x|/output|{whole.number}.1|0"
    )


def test_results_are_reported(bench: Bench) -> None:
    bench.write(
        {
            "report.py": "import riseml\nriseml.report_result(accuracy=0.5, note='fine')\n"
        }
    )
    whole = bench.run("run: python3 report.py")
    assert whole.experiments[0].result == {"accuracy": 0.5, "note": "fine"}


def test_a_result_is_seen_while_the_job_runs(bench: Bench) -> None:
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
    whole = bench.run(
        """
        parameters: {lr: [1e-6]}
        run: cat $OUTPUT_DIR/riseml-configuration.yml
        """
    )
    assert "lr: 1e-6" in bench.log(whole.number or 0)
    assert f"experiment: '{whole.number}.1'" in bench.log(whole.number or 0)


def test_a_timeout_ends_a_job_and_says_so(bench: Bench) -> None:
    whole = bench.run("timeout: 2s\nrun: sleep 60")
    assert (whole.state, whole.experiments[0].reason) == (State.FAILED, "TIMEOUT")


def test_retries_go_on_until_it_succeeds(bench: Bench) -> None:
    whole = bench.run(
        """
        retries: 2
        run: [echo attempt $RISEML_ATTEMPT, test $RISEML_ATTEMPT = 1]
        """
    )
    assert (whole.state, job(whole).attempt) == (State.FINISHED, 1)
    assert bench.log(whole.number or 0).endswith("attempt 1\n")


def test_retries_that_are_used_up(bench: Bench) -> None:
    whole = bench.run("retries: 1\nrun: exit 9")
    assert (whole.state, whole.experiments[0].exit_code, job(whole).attempt) == (
        State.FAILED,
        9,
        1,
    )


def test_shell_characters_in_a_value_reach_the_program_as_data(bench: Bench) -> None:
    whole = bench.run(
        """
        parameters: {text: ['$(id) `id` "a" \\\\ $$ $(HOME)']}
        run: printf '%s\\n' "$TEXT"
        """
    )
    assert bench.log(whole.number or 0) == '$(id) `id` "a" \\\\ $$ $(HOME)\n'


# Sets


def test_a_grid_goes_on_when_one_cell_fails(bench: Bench) -> None:
    whole = bench.run(
        "parameters: {n: [1, 2, 3]}\nconcurrency: 3\nrun: test {{n}} != 2"
    )
    assert whole.state is State.FAILED
    assert states(whole) == [State.FINISHED, State.FAILED, State.FINISHED]
    assert [dict(each.parameters) for each in whole.experiments] == [
        {"n": "1"},
        {"n": "2"},
        {"n": "3"},
    ]
    assert whole.counts == {State.FINISHED: 2, State.FAILED: 1}


def test_values_reach_the_job_as_written(bench: Bench) -> None:
    whole = bench.run(
        """
        parameters: {lr: [1e-6, 0.10], flag: ["yes"]}
        concurrency: 2
        run: echo {{lr}} {{flag}}
        """
    )
    logs = [
        bench.log(Id(number=whole.number, sub=each.sub)) for each in whole.experiments
    ]
    assert logs == ["1e-6 yes\n", "0.10 yes\n"]


def test_concurrency_is_kept(bench: Bench) -> None:
    number = bench.train("parameters: {n: [1, 2]}\nconcurrency: 1\nrun: sleep 3").number
    most = 0
    for whole in bench.engine.changes(Id(number=number)):
        assert isinstance(whole, SetStatus)
        most = max(
            most,
            sum(
                whole.counts.get(state, 0) for state in (State.RUNNING, State.STARTING)
            ),
        )
    whole = bench.engine.read(Id(number=number))
    assert most <= 1
    assert states(whole) == [State.FINISHED, State.FINISHED]
    first, second = whole.experiments
    assert first.finished is not None
    assert second.started is not None
    assert second.started >= first.finished


def test_each_experiment_has_an_output_folder_of_its_own(bench: Bench) -> None:
    whole = bench.run(
        "parameters: {n: [1, 2]}\nconcurrency: 2\nrun: [touch $OUTPUT_DIR/of-$N, ls $OUTPUT_DIR]"
    )
    logs = [
        bench.log(Id(number=whole.number, sub=each.sub)).split()
        for each in whole.experiments
    ]
    assert [[name for name in log if name.startswith("of-")] for log in logs] == [
        ["of-1"],
        ["of-2"],
    ]


# Kill


def test_kill_of_a_run_and_the_checkpoint_it_still_writes(bench: Bench) -> None:
    number = bench.train(
        "run: \"trap 'echo saved; exit 0' TERM; echo on; while :; do sleep 0.2; done\""
    ).number
    bench.until_logged(number, "on")
    assert bench.engine.stop(Id(number=number))
    whole = bench.wait(number)
    assert (
        whole.state,
        whole.reason if isinstance(whole, ExperimentStatus) else "",
    ) == (State.KILLED, "")
    assert "saved" in bench.log(number)


def test_kill_of_one_cell_leaves_the_others(bench: Bench) -> None:
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


def test_a_cell_killed_before_its_turn_never_begins(bench: Bench) -> None:
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


def test_what_ended_before_a_kill_keeps_its_outcome(bench: Bench) -> None:
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


def test_kill_of_what_has_ended_says_so(bench: Bench) -> None:
    whole = bench.run("run: echo done")
    assert not bench.engine.stop(Id(number=whole.number))
    assert bench.engine.read(Id(number=whole.number)).state is State.FINISHED


# Several jobs


GANG = """
framework: tensorflow
tensorflow: {distributed: {worker: 2, ps: 1}, tensorboard: false}
"""


SERVES = "test $RISEML_JOB = ps && sleep 600 || sleep 2"  # a server that ended by itself would have failed


def test_jobs_of_an_experiment_know_each_other(bench: Bench) -> None:
    whole = bench.run(GANG + f"run: [echo $TF_CONFIG, {SERVES}]")
    assert whole.state is State.FINISHED
    assert sorted(each.type for each in whole.experiments[0].jobs) == [
        "master",
        "ps",
        "worker",
    ]
    told = json.loads(bench.log(Id(number=whole.number, type="master")))
    assert {name: len(hosts) for name, hosts in told["cluster"].items()} == {
        "chief": 1,
        "ps": 1,
        "worker": 1,
    }
    assert told["task"] == {"type": "chief", "index": 0}


def test_servers_end_with_the_rest(bench: Bench) -> None:
    whole = bench.run(GANG + "run: test $RISEML_JOB != ps || sleep 600")
    assert whole.state is State.FINISHED
    assert job(whole, "ps").state is State.FINISHED


def test_who_fails_ends_the_others_and_is_named(bench: Bench) -> None:
    whole = bench.run(
        GANG + "run: [test $RISEML_JOB = worker || sleep 600, sleep 1, exit 4]"
    )
    one = whole.experiments[0]
    assert (one.state, one.exit_code, one.guilty) == (
        State.FAILED,
        4,
        f"{whole.number}.worker",
    )
    assert job(whole, "master").state is State.KILLED
    assert job(whole, "master").reason == "PEER"


# Lists


def test_lists_show_what_runs_and_with_all_what_has_ended(bench: Bench) -> None:
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


def test_lists_of_one_project(bench: Bench) -> None:
    number = bench.run("run: echo one").number
    assert number in bench.listed(all=True, project=bench.project)
    assert bench.listed(all=True, project="another") == []


def test_lists_tell_the_state_of_what_has_ended(bench: Bench) -> None:
    good = bench.run("run: echo one").number
    bad = bench.run("run: exit 1").number
    found = {
        run.number: run
        for run in bench.engine.list(Query(all=True, project=bench.project))
    }
    assert (found[good].state, found[bad].state) == (State.FINISHED, State.FAILED)
    assert found[good].project == bench.project
    assert found[good].user == bench.engine.user


def test_lists_with_experiments(bench: Bench) -> None:
    number = bench.run(
        "parameters: {n: [1, 2]}\nconcurrency: 2\nrun: echo {{n}}"
    ).number
    found = {
        run.number: run
        for run in bench.engine.list(
            Query(all=True, experiments=True, project=bench.project)
        )
    }
    assert [each.parameters["n"] for each in found[number].experiments] == ["1", "2"]


def test_the_newest_run(bench: Bench) -> None:
    number = bench.train("run: echo one").number
    assert bench.engine.latest(bench.project) == Id(number=number)
    bench.wait(number)


def test_numbers_count_up(bench: Bench) -> None:
    numbers = [bench.train("run: echo one").number for _ in range(3)]
    assert numbers == sorted(set(numbers))
    for number in numbers:
        bench.wait(number)


# Logs


def test_following_begins_before_the_job_does_and_ends_with_it(bench: Bench) -> None:
    number = bench.train("run: [echo one, sleep 1, echo two]").number
    told = bench.events(number, follow=True)
    assert (
        b"".join(each.data for each in told if isinstance(each, Chunk)) == b"one\ntwo\n"
    )
    changes = [
        each.state
        for each in told
        if isinstance(each, Change) and each.id == f"{number}.train"
    ]
    assert changes[-1] == State.FINISHED
    last = max(
        position for position, each in enumerate(told) if isinstance(each, Chunk)
    )
    ended = next(
        i
        for i, e in enumerate(told)
        if isinstance(e, Change) and e.state == State.FINISHED
    )
    assert ended > last


def test_the_last_lines(bench: Bench) -> None:
    whole = bench.run("run: seq 100")
    assert bench.log(whole.number or 0, tail=3) == "98\n99\n100\n"


def test_one_jobs_log(bench: Bench) -> None:
    whole = bench.run(GANG + f"run: [echo I am $RISEML_JOB, {SERVES}]")
    assert bench.log(Id(number=whole.number, type="ps")).splitlines()[0] == "I am ps"
    said = (
        line
        for line in bench.log(whole.number or 0).splitlines()
        if line.startswith("I am")
    )
    assert sorted(said) == ["I am master", "I am ps", "I am worker"]


def test_a_long_log_comes_whole(bench: Bench) -> None:
    whole = bench.run("run: seq 200000")
    assert bench.log(whole.number or 0) == "".join(f"{n}\n" for n in range(1, 200_001))


def test_a_log_of_any_bytes(bench: Bench) -> None:
    whole = bench.run("run: printf 'caf\\303\\251 \\0 \\377 end without newline'")
    data = b"".join(
        event.data
        for event in bench.events(whole.number or 0)
        if isinstance(event, Chunk)
    )
    assert data.rstrip(b"\n") == b"caf\xc3\xa9 \0 \xff end without newline"


# Secrets


def test_a_missing_secret_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidInputError, match="NOT_SET"):
        bench.train("secrets: [NOT_SET]\nrun: echo one")


def test_a_secret_reaches_the_job_and_nobody_else(bench: Bench) -> None:
    bench.engine.set_secret("CONTRACT_KEY", "s3cr3t-value")
    assert "CONTRACT_KEY" in set(bench.engine.secrets())
    whole = bench.run(
        "secrets: [CONTRACT_KEY]\nrun: ['echo $CONTRACT_KEY', 'test ${#CONTRACT_KEY} = 12']"
    )
    assert whole.state is State.FINISHED
    assert bench.log(whole.number or 0) == "***\n"
    assert "s3cr3t-value" not in json.dumps(bench.engine.get(Id(number=whole.number)))


# Errors, and what is forgotten


@pytest.mark.parametrize("verb", ["read", "get", "stop", "delete"])
def test_a_run_that_is_not_there(bench: Bench, verb: str) -> None:
    with pytest.raises(NotFoundError):
        getattr(bench.engine, verb)(Id(number=999_999))


def test_the_log_of_a_job_that_is_not_there(bench: Bench) -> None:
    whole = bench.run("run: echo one")
    with pytest.raises(NotFoundError):
        bench.log(Id(number=whole.number, type="worker", index=7))


def test_what_has_not_ended_cannot_be_deleted(bench: Bench) -> None:
    number = bench.train("run: sleep 60").number
    with pytest.raises(RiseMLError, match="not ended"):
        bench.engine.delete(Id(number=number))
    bench.engine.stop(Id(number=number))
    bench.wait(number)


def test_delete_forgets_a_run_and_never_its_number(bench: Bench) -> None:
    whole = bench.run("run: echo one")
    bench.until(
        lambda: _deleted(bench, whole.number or 0), "the end of what belongs to the run"
    )
    with pytest.raises(NotFoundError):
        bench.engine.read(Id(number=whole.number))
    following = bench.train("run: echo two").number
    assert following > (whole.number or 0)
    bench.wait(following)


def _deleted(bench: Bench, number: int) -> bool:
    bench.engine.delete(Id(number=number))
    return True


def test_a_plan_that_is_refused_starts_nothing(bench: Bench) -> None:
    before = bench.listed(all=True, project=bench.project)
    with pytest.raises(InvalidInputError):
        bench.train("run: 'true'\nsecrets: [NEVER_SET]")
    assert bench.listed(all=True, project=bench.project) == before
