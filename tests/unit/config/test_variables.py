"""Names of parameters whose variables libraries read for themselves."""

import pytest

from riseml.plan import is_exported
from tests.riseml_yml import load_with_faults

TORCHRUN = (
    "RANK LOCAL_RANK WORLD_SIZE NODE_RANK GROUP_RANK LOCAL_WORLD_SIZE MASTER_ADDR"
    " MASTER_PORT GROUP_WORLD_SIZE ROLE_RANK ROLE_WORLD_SIZE ROLE_NAME"
    " TORCHELASTIC_RUN_ID OMPI_COMM_WORLD_RANK PMI_RANK SLURM_PROCID"
)


@pytest.mark.parametrize("variable", TORCHRUN.split())
def test_a_parameter_is_never_taken_for_a_rank(variable: str) -> None:
    assert not is_exported(variable)


@pytest.mark.parametrize(
    "variable", ["LR", "RANKS", "LORA_RANK", "OMP_NUM_THREADS", "LANG", "WANDB_PROJECT"]
)
def test_other_parameters_are_exported(variable: str) -> None:
    assert is_exported(variable)


def advice(run: str, parameters: str) -> list[str]:
    text = f"""
project: lab
train:
  image: busybox
  resources: {{cpus: 1, mem: 512}}
  parameters: {parameters}
  run: {run}
"""
    return [fault.advice for fault in load_with_faults(text)[1]]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("fit --x {{x}}", "Write --x={{x}}."),
        ("""'fit --x "{{x}}" y'""", 'Write --x="{{x}}".'),
        ("fit --learning-rate   {{x}}", "Write --learning-rate={{x}}."),
    ],
)
def test_advice_for_a_value_like_an_option(run: str, expected: str) -> None:
    assert advice(run, "{x: [1e-3, -1]}") == [expected]


@pytest.mark.parametrize("run", ["fit --x={{x}}", "fit {{x}}", "fit a--x {{x}}"])
def test_a_value_like_an_option_elsewhere_is_no_fault(run: str) -> None:
    assert advice(run, "{x: [1e-3, -1]}") == []


def test_the_variable_of_a_rank_is_no_use_of_it() -> None:
    assert advice("fit $RANK", "{rank: 8}") == [
        "Use {{rank}} in commands.",
        "Write {{rank}} in run.",
    ]
