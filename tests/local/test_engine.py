"""The local engine with real processes, from a riseml.yml to its status."""

import json
from pathlib import Path

import pytest
import yaml

from riseml.errors import (
    InvalidInputError,
    NotFoundError,
    RiseMLError,
    UnsupportedError,
)
from riseml.ids import Id
from riseml.status import SetStatus, State
from tests.local.conftest import Lab


def states(run: SetStatus) -> list[State]:
    return [experiment.state for experiment in run.experiments]


def test_one_experiment_from_file_to_status(lab: Lab) -> None:
    lab.write({"hello.txt": "from the project\n"})
    run = lab.run("run: [cat hello.txt, 'echo $OUTPUT_DIR > $OUTPUT_DIR/where']")
    assert run.state is State.FINISHED
    assert lab.log(1) == "from the project\n"
    assert (lab.output(1) / "where").exists()
    (job,) = run.experiments[0].jobs
    assert (job.id, job.state, job.exit_code) == ("1.train", State.FINISHED, 0)


def test_a_failing_line_ends_the_job_with_its_status(lab: Lab) -> None:
    run = lab.run("run: [echo one, exit 3, echo two]")
    assert (run.state, run.experiments[0].exit_code) == (State.FAILED, 3)
    assert run.experiments[0].guilty == "1.train"
    assert lab.log(1) == "one\n"


def test_a_grid_continues_when_one_experiment_fails(lab: Lab) -> None:
    run = lab.run(
        """
        parameters: {n: [1, 2, 3, 4]}
        concurrency: 2
        run: test {{n}} != 2
        """
    )
    assert run.state is State.FAILED
    assert states(run) == [
        State.FINISHED,
        State.FAILED,
        State.FINISHED,
        State.FINISHED,
    ]
    assert [e.parameters for e in run.experiments] == [
        {"n": str(n)} for n in (1, 2, 3, 4)
    ]


def test_concurrency_limits_running_experiments(lab: Lab, tmp_path: Path) -> None:
    lab.run(
        f"""
        parameters: {{n: [1, 2, 3, 4, 5, 6]}}
        concurrency: 2
        run: |
          mkdir {tmp_path}/on-{{{{n}}}}
          sleep 0.1
          set -- {tmp_path}/on-*
          echo $# >> {tmp_path}/seen
          rmdir {tmp_path}/on-{{{{n}}}}
        """
    )
    seen = [int(line) for line in (tmp_path / "seen").read_text().split()]
    assert len(seen) == 6
    assert max(seen) == 2


def test_parameters_reach_the_job_as_written(lab: Lab) -> None:
    run = lab.run(
        """
        parameters: {lr: [1e-6], text: ["a 'b' $(c) \\"d\\""]}
        run: python3 -c "import os, json; print(json.dumps([os.environ['LR'], os.environ['TEXT']]))"
        """
    )
    assert run.state is State.FINISHED
    assert json.loads(lab.log(1)) == ["1e-6", "a 'b' $(c) \"d\""]


def test_each_run_sees_the_snapshot_of_its_start(lab: Lab) -> None:
    lab.write({"value": "old\n"})
    number = lab.train("run: [sleep 0.5, cat value]").number
    lab.write({"value": "new\n"})
    lab.wait(number)
    assert lab.log(number) == "old\n"
    assert (lab.run("run: cat value"), lab.log(2))[1] == "new\n"


def test_results_and_progress_are_reported(lab: Lab) -> None:
    run = lab.run(
        """
        parameters: {n: [1, 2]}
        run: python3 -c "import riseml; riseml.report_progress(3, 10); riseml.report_result(score={{n}} / 2, name='x')"
        """
    )
    assert [e.result for e in run.experiments] == [
        {"score": 0.5, "name": "x"},
        {"score": 1.0, "name": "x"},
    ]
    # Argo sets the progress of a job that has succeeded to all of it.
    assert run.experiments[0].progress == (
        10,
        10,
    )


def test_the_configuration_is_recorded_beside_the_output(lab: Lab) -> None:
    lab.run("parameters: {n: [7]}\nrun: 'true'")
    record = yaml.safe_load((lab.output(1, 1) / "riseml-configuration.yml").read_text())
    assert record["project"] == "lab"
    assert str(record["params"]["n"]) == "7"
    archive = json.loads((lab.output(1) / "run.json").read_text())
    assert archive["state"] == "FINISHED"
    assert archive["experiments"][0]["exit_code"] == 0


def test_timeout_stops_a_job_and_explains_its_end(lab: Lab) -> None:
    run = lab.run("timeout: 1s\nrun: sleep 60")
    assert run.state is State.FAILED
    assert run.experiments[0].message == "timed out after 1 s (`timeout`)"


def test_retries_until_it_succeeds(lab: Lab, tmp_path: Path) -> None:
    run = lab.run(
        f"retries: 2\nrun: 'echo attempt $RISEML_ATTEMPT; echo x >> {tmp_path}/n; test $(wc -l < {tmp_path}/n) = 3'"
    )
    assert run.state is State.FINISHED
    assert run.experiments[0].jobs[0].attempt == 2
    failed = "riseml: attempt {} failed with exit code 1; starting attempt {} of 3"
    assert lab.log(1).splitlines() == [
        "attempt 0",
        failed.format(1, 2),
        "attempt 1",
        failed.format(2, 3),
        "attempt 2",
    ]


def test_a_killed_run_may_still_write_its_checkpoint(lab: Lab) -> None:
    number = lab.train(
        "run: |\n  trap 'sleep 0.5; echo saved; exit 0' TERM\n  echo ready\n  sleep 60 & wait"
    ).number
    lab.until(lambda: "ready" in lab.log(number))
    assert lab.engine.stop(Id(number=number))
    assert lab.wait(number).state is State.KILLED
    assert lab.log(number) == "ready\nsaved\n"
    assert not lab.engine.stop(Id(number=number))


def test_killing_one_experiment_leaves_the_others(lab: Lab, tmp_path: Path) -> None:
    number = lab.train(
        f"""
        parameters: {{n: [1, 2, 3]}}
        concurrency: 2
        run: |
          echo begun
          until test -e {tmp_path}/go; do sleep 0.05; done
        """
    ).number
    lab.until(lambda: "begun" in lab.log(Id(number=number, sub=2)))
    assert lab.engine.stop(Id(number=number, sub=2))
    assert lab.engine.stop(Id(number=number, sub=3)) or True
    assert lab.wait(Id(number=number, sub=2)).state is State.KILLED
    (tmp_path / "go").touch()
    lab.wait(number)
    assert states(lab.engine.read(Id(number=number))) == [
        State.FINISHED,
        State.KILLED,
        State.KILLED,
    ]


def test_a_run_that_can_never_fit_is_refused_before_it_starts(lab: Lab) -> None:
    with pytest.raises(RiseMLError, match="cpus: 99 requested, this machine has 4"):
        lab.train("resources: {cpus: 99, mem: 1}\nrun: 'true'")
    assert lab.train("run: 'true'").number == 1


def test_a_missing_secret_is_refused_and_an_existing_one_is_masked(lab: Lab) -> None:
    with pytest.raises(InvalidInputError, match="TOKEN"):
        lab.train("secrets: [TOKEN]\nrun: echo $TOKEN")
    (lab.engine.home / "secrets").write_text('{"TOKEN": "s3cr3t"}')
    lab.run("secrets: [TOKEN]\nrun: 'echo token: $TOKEN'")
    assert lab.log(1) == "token: ***\n"
    assert "s3cr3t" not in json.dumps(lab.engine.get(Id(number=1)))


def test_a_deleted_run_is_gone_and_its_number_is_not_reused(lab: Lab) -> None:
    lab.run("run: 'true'")
    lab.engine.delete(Id(number=1))
    assert not (lab.engine.home / "output/me/lab/1").exists()
    with pytest.raises(NotFoundError):
        lab.engine.read(Id(number=1))
    assert lab.train("run: 'true'").number == 2


def test_a_job_that_times_out_may_save_a_checkpoint(lab: Lab) -> None:
    run = lab.run(
        "timeout: 1s\nrun: |\n  trap 'sleep 2; echo saved; exit 0' TERM\n  echo ready\n  sleep 60 & wait"
    )
    assert (run.state, run.experiments[0].reason) == (State.FAILED, "TIMEOUT")
    assert [
        line for line in lab.log(1).splitlines() if not line.startswith("riseml:")
    ] == ["ready", "saved"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "../../escape"},
        {"name": "ok", "labels": {"riseml.io/user": ".."}},
        {"name": "ok", "labels": {"riseml.io/user": "me", "riseml.io/project": "a/b"}},
        {"name": "ok", "labels": {"riseml.io/project": "x\n"}},
    ],
)
def test_names_of_a_document_cannot_leave_their_folders(
    lab: Lab, metadata: dict[str, object]
) -> None:
    document = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": metadata,
        "spec": {
            "entrypoint": "main",
            "templates": [
                {"name": "main", "container": {"image": "a", "command": ["true"]}}
            ],
        },
    }
    with pytest.raises(InvalidInputError, match="is not a valid name"):
        lab.engine.submit(document)


def test_a_path_in_a_document_cannot_leave_its_volume(lab: Lab) -> None:
    document = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "escape"},
        "spec": {
            "entrypoint": "main",
            "volumes": [
                {
                    "name": "output",
                    "persistentVolumeClaim": {"claimName": "riseml-output"},
                }
            ],
            "templates": [
                {
                    "name": "main",
                    "container": {
                        "image": "busybox",
                        "command": ["true"],
                        "volumeMounts": [
                            {
                                "name": "output",
                                "mountPath": "/output",
                                "subPath": "../../outside",
                            }
                        ],
                    },
                }
            ],
        },
    }
    with pytest.raises(UnsupportedError, match="not a path that stays in its volume"):
        lab.engine.submit(document)
    assert not (lab.engine.home.parent / "outside").exists()


def test_shell_characters_in_a_value_reach_the_program_as_data(
    lab: Lab, tmp_path: Path
) -> None:
    value = f"; touch {tmp_path}/pwned; $(touch {tmp_path}/pwned) `touch {tmp_path}/pwned` * ~ | & < >"
    run = lab.run(f"parameters: {{text: ['{value}']}}\nrun: printf '%s\\n' \"$TEXT\"")
    assert run.state is State.FINISHED
    assert lab.log(1) == f"{value}\n"
    assert not (tmp_path / "pwned").exists()


def test_the_duration_of_a_job_excludes_its_wait(lab: Lab, tmp_path: Path) -> None:
    resources = "resources: {cpus: 4, mem: 1}\n"
    end = tmp_path / "end"
    wait = f"run: until [ -e {end} ]; do sleep 0.1; done"
    first = lab.train(resources + wait).number
    second = lab.train(resources + "run: 'true'").number
    waiting = lab.engine.read(Id(number=second))
    assert waiting.state is State.PENDING
    assert waiting.experiments[0].message == "waiting: 4 cpus needed, 0 free"
    end.touch()
    lab.wait(second)
    before, after = (
        lab.engine.read(Id(number=number)).experiments[0].jobs[0]
        for number in (first, second)
    )
    assert after.started is not None
    assert before.finished is not None
    assert after.started >= before.finished
