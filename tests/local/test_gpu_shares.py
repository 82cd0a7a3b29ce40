"""Jobs that share a GPU or choose one, with real processes on cards that only seem to exist."""

import os
from pathlib import Path

import pytest

from riseml.errors import RiseMLError
from riseml.ids import Id
from riseml.status import State
from tests.fake_drivers import FakeNvidiaSmi, write
from tests.local.conftest import Lab
from tests.local.test_survival import kill_controller

RUN = """
run: |
  echo "gpu $CUDA_VISIBLE_DEVICES jax $XLA_PYTHON_CLIENT_MEM_FRACTION tf $TF_FORCE_GPU_ALLOW_GROWTH"
  touch {folder}/$N
  while test ! -e {folder}/end; do sleep 0.05; done
"""


T4 = "GPU-11111111-aaaa-bbbb-cccc-000000000001"
A100 = "GPU-22222222-aaaa-bbbb-cccc-000000000002"
CARDS = f"""\
0, {A100}, NVIDIA A100-SXM4-80GB, 81920, 00000000:01:00.0, [N/A]
1, {T4}, Tesla T4, 15360, 00000000:02:00.0, [N/A]
"""


@pytest.fixture
def _cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine have an A100 and a T4, as a program that stands for nvidia-smi says."""
    smi = FakeNvidiaSmi(tmp_path / "driver", A100, T4)
    write(smi.folder / "cards", CARDS)
    monkeypatch.setenv("PATH", f"{smi.folder}/bin:{os.environ['PATH']}")
    inherited = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{smi.python_path}:{inherited}")
    for name in ("RISEML_GPUS", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISEML_GPUS", "GPU-a,GPU-b")
    for name in ("XLA_PYTHON_CLIENT_MEM_FRACTION", "TF_FORCE_GPU_ALLOW_GROWTH"):
        monkeypatch.delenv(name, raising=False)


def resources(text: str) -> str:
    return f"resources: {{cpus: 0.01, mem: 1, {text}}}"


def messages(lab: Lab, number: int) -> list[str]:
    """Return why experiments wait, empty for those that do not."""
    run = lab.engine.read(Id(number=number))
    return [experiment.message for experiment in run.experiments]


def test_jobs_share_a_card_also_after_their_controller_was_killed(
    lab: Lab, tmp_path: Path
) -> None:
    # A job with a whole card leaves one for the shares.
    whole = lab.train(resources("gpus: 1") + RUN.format(folder=tmp_path), N="whole")
    number = lab.train(
        f"{resources('gpus: 0.25')}\nparameters: {{n: [1, 2, 3, 4, 5]}}\nconcurrency: 5"
        + RUN.format(folder=tmp_path)
    ).number
    lab.until(lambda: len(list(tmp_path.glob("[1-5]"))) == 4, "four jobs run")
    waiting = "waiting: 0.25 gpus needed, 0 free on one card"
    lab.until(lambda: messages(lab, number).count(waiting) == 1, waiting)

    kill_controller(lab.engine.home)
    run = lab.engine.read(Id(number=number))
    states = [experiment.state for experiment in run.experiments]
    assert sorted(states) == sorted([State.RUNNING] * 4 + [State.PENDING])
    lab.until(lambda: messages(lab, number).count(waiting) == 1, waiting)
    assert len(list(tmp_path.glob("[1-5]"))) == 4

    (tmp_path / "end").touch()
    assert lab.wait(number).state is State.FINISHED
    assert lab.wait(whole.number).state is State.FINISHED
    assert lab.log(whole.number).count("gpu GPU-a jax  tf \n") == 1
    log = lab.log(number)
    assert log.count("gpu GPU-b jax 0.2250 tf true\n") >= 4
    # The fifth takes either card.
    assert log.count(" jax 0.2250 tf true\n") == 5


def test_variables_of_riseml_yml_and_of_the_command_come_first(
    lab: Lab, tmp_path: Path
) -> None:
    (tmp_path / "end").touch()
    number = lab.train(
        f"{resources('gpus: 0.5')}\nenv: {{XLA_PYTHON_CLIENT_MEM_FRACTION: '.3'}}"
        + RUN.format(folder=tmp_path),
        TF_FORCE_GPU_ALLOW_GROWTH="false",
        N="1",
    ).number
    lab.wait(number)
    assert "jax .3 tf false\n" in lab.log(number)


def test_a_card_of_unknown_memory_is_no_card_with_enough_memory(lab: Lab) -> None:
    with pytest.raises(RiseMLError) as caught:
        lab.train(f"{resources('gpus: 0.5, gpu_mem: 4G')}\nrun: echo")
    assert str(caught.value).endswith(
        "can never start here: gpus: 0.5 with 4 GB requested, this machine has"
        " 2 of unknown type (unknown memory)"
    )


def test_the_request_is_shown_as_it_was_written(lab: Lab) -> None:
    run = lab.run(f"{resources('gpus: 0.33')}\nrun: echo")
    (job,) = run.experiments[0].jobs
    assert job.resources is not None
    assert str(job.resources.gpus) == "0.33"
    assert job.resources.gpu_parts == 3


@pytest.mark.usefixtures("_cards")
def test_jobs_get_the_smallest_card_of_their_type_and_memory(lab: Lab) -> None:
    see = "\nrun: echo sees $CUDA_VISIBLE_DEVICES"
    for request, card in (
        ("gpus: 1", T4),
        ("gpus: 1, gpu_type: A100", A100),
        ("gpus: 1, gpu_mem: 24G", A100),
        ("gpus: 0.5, gpu_type: t4", T4),
    ):
        run = lab.run(resources(request) + see)
        assert f"sees {card}\n" in lab.log(run.number or 0)
    with pytest.raises(RiseMLError) as caught:
        lab.train(resources("gpus: 1, gpu_type: t4, gpu_mem: 24G") + see)
    assert str(caught.value).endswith(
        "gpus: t4 with 24 GB requested, this machine has"
        " 1 NVIDIA A100-SXM4-80GB (85.9 GB), 1 Tesla T4 (16.1 GB)"
    )


@pytest.mark.usefixtures("_cards")
def test_the_memory_of_shares_is_a_second_limit(lab: Lab, tmp_path: Path) -> None:
    number = lab.train(
        f"{resources('gpus: 0.25, gpu_mem: 8G, gpu_type: t4')}\nparameters: {{n: [1, 2, 3]}}"
        "\nconcurrency: 3" + RUN.format(folder=tmp_path)
    ).number
    waiting = "waiting: 0.25 gpus t4 with 8 GB needed, 0.5 and 0.1 GB free on one card"
    lab.until(lambda: waiting in messages(lab, number), waiting)
    assert len(list(tmp_path.glob("[1-3]"))) <= 2
    (tmp_path / "end").touch()
    assert lab.wait(number).state is State.FINISHED
    # 8 GB of 16.1 GB, less a tenth for the CUDA context.
    assert lab.log(number).count(f"gpu {T4} jax 0.4470 tf true\n") == 3
