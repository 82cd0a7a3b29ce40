"""TensorFlow: master, workers and parameter servers."""

import json
from pathlib import Path

import pytest

from riseml.client import config_file
from riseml.client.context import ClientContext
from tests.cli.fake_engine import FakeEngine
from tests.riseml_yml import jobs_of


def test_tensorflow_is_a_master_workers_and_parameter_servers() -> None:
    options = "distributed: {worker: 3, ps: {count: 2, resources: {cpus: 1}}, master: {resources: {cpus: 4}}}"
    planned = jobs_of(
        f"framework: tensorflow, tensorflow: {{version: 2.16.1, {options}}}"
    )
    assert [
        (job.type, job.count, int(job.resources.cpus), job.daemon)
        for job in planned.values()
    ] == [
        ("master", 1, 4, False),
        ("worker", 2, 2, False),
        ("ps", 2, 1, True),
    ]
    assert {job.run for job in planned.values()} == {("one", "two")}
    text = planned["worker"].framework_env["TF_CONFIG"].replace("{{position}}", "1")
    assert json.loads(text) == {
        "cluster": {
            "chief": ["{{host.master.1}}:2222"],
            "worker": ["{{host.worker.1}}:2222", "{{host.worker.2}}:2222"],
            "ps": ["{{host.ps.1}}:2222", "{{host.ps.2}}:2222"],
        },
        "task": {"type": "worker", "index": 1},
    }
    assert json.loads(planned["master"].framework_env["TF_CONFIG"])["task"] == {
        "type": "chief",
        "index": 0,
    }


def test_one_worker_is_the_master_alone() -> None:
    planned = jobs_of("framework: tensorflow, tensorflow: {distributed: {ps: 1}}")
    assert list(planned) == ["master", "ps"]
    assert json.loads(planned["ps"].framework_env["TF_CONFIG"])["task"] == {
        "type": "ps",
        "index": 0,
    }


@pytest.mark.parametrize(
    ("options", "image", "leader"),
    [
        ("version: 1.15.5", "", "master"),
        ("version: 2.16.1", "", "chief"),
        ("version: latest", "", "chief"),
        ("", "", "chief"),
        ("", "tensorflow/tensorflow:1.5.0-gpu", "master"),
        ("", "tensorflow/tensorflow:2.4.1", "chief"),
        ("", "nvcr.io/nvidia/tensorflow:23.03-tf1-py3", "master"),
        ("", "nvcr.io/nvidia/tensorflow:23.03-tf2-py3", "chief"),
        ("", "me/tensorflow-1.5:3", "master"),
        ("", "python:1.5", "chief"),
        ("", "tensorflow/tensorflow:12.0.0", "chief"),
        ("version: 2.16.1", "tensorflow/tensorflow:1.5.0", "chief"),
        ("version: 2.16.1, chief: master", "", "master"),
        ("version: 1.5.0, chief: chief", "", "chief"),
    ],
)
def test_the_leading_task_has_the_name_of_the_release(
    options: str, image: str, leader: str
) -> None:
    version, _, chief = options.partition(", ")
    section = ", ".join(
        filter(
            None, (version, f"distributed: {{worker: 2{', ' * bool(chief)}{chief}}}")
        )
    )
    planned = jobs_of(
        f"framework: tensorflow, tensorflow: {{{section}}}"
        + (f", image: '{image}'" if image else "")
    )
    cluster = json.loads(planned["worker"].framework_env["TF_CONFIG"])["cluster"]
    assert list(cluster)[:2] == [leader, "worker"]


@pytest.mark.parametrize(
    ("options", "servers"),
    [
        ("version: 1.15.5, distributed: {worker: 2}", 1),
        ("version: 1.15.5, distributed: {worker: 2, ps: 0}", 0),
        ("version: 2.16.1, distributed: {worker: 2}", 0),
        ("distributed: {worker: 2}", 0),
        ("distributed: {worker: 2, ps: 1}", 1),
        ("distributed: {worker: 2, ps: {count: 0}}", 0),
        ("distributed: {worker: 2, ps: {resources: {cpus: 1}}}", 1),
        # As before there was a default by version.
        ("distributed: true, worker_count: 1", 1),
    ],
)
def test_the_default_number_of_parameter_servers_is_that_of_the_release(
    options: str, servers: int
) -> None:
    planned = jobs_of(f"framework: tensorflow, tensorflow: {{{options}}}")
    types = ["master", "worker", "ps"] if servers else ["master", "worker"]
    assert list(planned) == types
    for job in planned.values():
        config = json.loads(job.framework_env["TF_CONFIG"])
        assert len(config["cluster"].get("ps", ())) == servers
        assert ("ps" in config["cluster"]) == bool(servers)


MIRRORED = "strategy = tf.distribute.MultiWorkerMirroredStrategy()"
SERVED = "strategy = tf.distribute.ParameterServerStrategy(cluster)"


@pytest.mark.parametrize(
    ("distributed", "code", "warnings"),
    [
        ("{worker: 2}", MIRRORED, ()),
        ("{worker: 2, ps: 1}", SERVED, ()),
        ("{worker: 2, ps: 1}", f"{MIRRORED}\n{SERVED}", ()),
        (
            "{worker: 2, ps: 1}",
            MIRRORED,
            (
                "MultiWorkerMirroredStrategy waits forever for a parameter server; write distributed: {ps: 0}",
            ),
        ),
        (
            "{worker: 2}",
            SERVED,
            (
                "ParameterServerStrategy needs a parameter server; write distributed: {ps: 1}",
            ),
        ),
    ],
)
def test_a_strategy_that_does_not_fit_the_parameter_servers_is_a_warning(
    distributed: str, code: str, warnings: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(code)
    config = tmp_path / "riseml.yml"
    config.write_text(
        "project: ab\ntrain: {resources: {}, run: python train.py, framework: tensorflow,"
        f" tensorflow: {{distributed: {distributed}}}}}\n"
    )
    faults = config_file.check(config, ClientContext(None, FakeEngine()))
    assert [fault.message for fault in faults] == [
        f"train.py: {warning}" for warning in warnings
    ]
    assert {fault.severity for fault in faults} <= {"warning"}
