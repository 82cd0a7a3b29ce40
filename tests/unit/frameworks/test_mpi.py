"""MPI and Horovod: workers whose processes are ranks."""

import pytest

from riseml.config import load_text
from riseml.planner import plan


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        (
            "framework: mpi, image: x, mpi: {workers: {count: 3, processes: 2}}",
            ("worker", 3, "2"),
        ),
        (
            "framework: mpi, image: x, mpi: {workers: {count: 1, processes: 4}}",
            ("train", 1, "4"),
        ),
        ("framework: horovod, horovod: {workers: 2}", ("worker", 2, "1")),
        (
            "framework: tensorflow, tensorflow: {horovod: {workers: 2}}",
            ("worker", 2, "1"),
        ),
        (
            "framework: horovod, horovod: {workers: 2}, resources: {gpus: 4}",
            ("worker", 2, "4"),
        ),
        (
            "framework: horovod, horovod: {workers: {count: 2, processes: 1}}, resources: {gpus: 4}",
            ("worker", 2, "1"),
        ),
    ],
)
def test_the_ranks_of_mpi(train: str, expected: tuple[str, int, str]) -> None:
    text = f"project: ab\ntrain: {{run: x, {train}" + (
        "}" if "resources" in train else ", resources: {}}"
    )
    (job,) = plan(load_text(text)).jobs
    assert (job.type, job.count, job.framework_env["RISEML_PROCESSES"]) == expected
    assert job.script == "mpi"
