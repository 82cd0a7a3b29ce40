"""Changes of a command line: their forms, their faults, and the text that a run records."""

import pytest

from riseml.config import Loaded, load_text
from riseml.config.train import TrainConfig
from riseml.errors import ConfigError

FILE = """\
# the toaster
project: toaster-net
train:
  image: python:3.12
  run: |
    fit {{lr}} {{hidden}}
    echo done
  parameters:
    lr: [0.1, 0.2]  # try more
    hidden:
    - 1
    - 2
    # the end of the parameters

  resources:
    cpus: 1
"""


def load(
    *parameters: str, settings: tuple[str, ...] = (), text: str = FILE
) -> tuple[Loaded, TrainConfig]:
    """Return a file with changes; the recorded text stands for the same configuration."""
    loaded = load_text(text, parameters=parameters, settings=settings)
    assert loaded.train is not None
    assert load_text(loaded.text).train == loaded.train
    return loaded, loaded.train


def faults(
    *parameters: str, settings: tuple[str, ...] = (), text: str = FILE
) -> list[str]:
    """Return the errors of a file with changes, on one line each."""
    with pytest.raises(ConfigError) as caught:
        load_text(text, parameters=parameters, settings=settings)
    errors = [fault for fault in caught.value.faults if fault.severity == "error"]
    return [" | ".join(str(fault).split("\n    ")) for fault in errors]


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("lr=0.5", ("0.5",)),
        ("lr=1e-6,0.10", ("1e-6", "0.10")),
        ("lr=[1,2]", ("1", "2")),
        ("lr=0.1..0.5..0.2", ("0.1", "0.3", "0.5")),
        ("lr=5..15..5", ("5", "10", "15")),
        ("lr=-1", ("-1",)),
        ("lr=adam,sgd", ("adam", "sgd")),
        ("lr='a,b',c", ("a,b", "c")),
        ("lr=it's,b", ("it's", "b")),
        ('lr=""', ("",)),
        ("lr=a: b # c", ("a: b # c",)),
        ("lr=true,yes", ("true", "yes")),
        ("lr=x=y", ("x=y",)),
        ("lr='1..2'", ("1..2",)),
        ("lr=../a", ("../a",)),
    ],
)
def test_values_of_a_parameter(argument: str, values: tuple[str, ...]) -> None:
    _, train = load(argument)
    assert train.parameters == {"lr": values, "hidden": ("1", "2")}


def test_settings_change_other_keys_and_add_missing_ones() -> None:
    settings = (
        "train.resources.gpus=2",
        "train.timeout=1h",
        "train.run=fit {{lr}}, {{hidden}}",
        "train.retries={count: 3, on: oom}",
        "train.env.WANDB_MODE=offline",
        "train.gang-timeout=5m",
        "train.parameters.dropout=0.5",
        "project=oven",
    )
    loaded, train = load(settings=settings)
    assert (loaded.project, train.timeout, train.gang_timeout) == ("oven", 3600, 300)
    assert train.resources.gpus == 2
    assert train.run == ("fit {{lr}}, {{hidden}}",)
    assert (train.retries.count, train.retries.on) == (3, ("oom",))
    assert train.env == {"WANDB_MODE": "offline"}
    assert train.parameters["dropout"] == ("0.5",)


def test_the_recorded_text_differs_only_in_the_changed_values() -> None:
    loaded, _ = load("lr=0.5", "hidden=16,64", settings=("train.resources.gpus=1",))
    assert loaded.text == (
        FILE.replace("[0.1, 0.2]", "0.5")
        .replace("hidden:\n    - 1\n    - 2\n", "hidden: [16, 64]\n")
        .replace("    cpus: 1", "    gpus: 1\n    cpus: 1")
    )


@pytest.mark.parametrize(
    ("text", "recorded"),
    [
        (
            "project: oven\ntrain: {run: fit, image: x, parameters: {<<: {lr: 1, a: 'yes'}}}",
            "{<<: {lr: 1, a: 'yes'}, lr: 0.5}",
        ),
        (
            "project: oven\ntrain:\n  run: fit\n  image: x\n  params:\n    lr:\n      &a 1\n    b: *a\n",
            "lr: 0.5\n    b: 1\n",
        ),
        (
            "project: oven\ntrain: {run: fit, image: x, ? parameters : {? lr : 1}}",
            "parameters: {lr: 0.5}}",
        ),
        (
            "project: oven\ntrain:\n  run: fit\n  image: x\n  parameters:\n    lr: |-\n      1\n  timeout: 1h\n",
            "    lr: 0.5\n  timeout: 1h\n",
        ),
    ],
    ids=["merged", "alias", "explicit keys", "block"],
)
def test_odd_layouts_record_the_same_configuration(text: str, recorded: str) -> None:
    loaded, train = load("lr=0.5", text=text)
    assert train.parameters["lr"] == ("0.5",)
    assert recorded in loaded.text


def test_a_key_without_a_value_is_set() -> None:
    text = "project: oven\ntrain:\n  run: fit\n  image: x\n  resources:\n"
    loaded, train = load(settings=("train.resources.gpus=1",), text=text)
    assert train.resources.gpus == 1
    assert loaded.text == text.replace("resources:", "resources: {gpus: 1}")


def test_faults_name_the_argument() -> None:
    settings = (
        "train.resources.gpus=x",
        "train.resources.gpu=1",
        "train.image.x=1",
        "trian.run=1",
    )
    assert faults("lrr=0.5", "hidden={{x}}", settings=settings) == [
        "lrr=0.5: error: riseml.yml declares no parameter 'lrr' | Did you mean 'lr'?",
        (
            "--set train.image.x=1: error: train.image is 'python:3.12', not a mapping"
            " | Write --set train.image='{x: …}' to replace it."
        ),
        "--set trian.run=1: error: unknown key 'trian' | Did you mean 'train'?",
        (
            "hidden={{x}}: error: a value of train.parameters.hidden contains '{{'"
            " | Argo would interpret it; write the value without it."
        ),
        "--set train.resources.gpu=1: error: unknown key 'gpu' in train.resources | It is called 'gpus' here.",
        (
            "--set train.resources.gpus=x: error: train.resources.gpus must be a whole number of at least 0,"
            " or 1/n of a GPU such as 0.25, not 'x'"
        ),
    ]


def test_undeclared_parameters_are_listed() -> None:
    assert faults("momentum=0.9") == [
        (
            "momentum=0.9: error: riseml.yml declares no parameter 'momentum' | Its parameters are lr, hidden."
            " To add it, write --set train.parameters.momentum=VALUE."
        )
    ]


def test_values_are_checked_like_those_of_the_file() -> None:
    assert faults("lr=5..1..1") == [
        (
            "lr=5..1..1: error: train.parameters.lr.range.min is more than train.parameters.lr.range.max"
            " | Ranges count upwards from min to max."
        )
    ]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("lr", "lr: error: this is not NAME=VALUE"),
        ("=1", "=1: error: this is not NAME=VALUE"),
        ("lr=", "lr=: error: a value is missing"),
        ("lr=1,,2", "lr=1,,2: error: a value is missing"),
        ("lr=1..2", "lr=1..2: error: this is not a range: its step is missing"),
        ("lr=[1", "lr=[1: error: did not find expected ',' or ']'"),
    ],
)
def test_arguments_that_are_not_values(argument: str, message: str) -> None:
    assert faults(argument)[0].startswith(message)


@pytest.mark.parametrize("setting", ["train", "=1", "train..run=1", ".=1"])
def test_settings_that_are_not_values(setting: str) -> None:
    (fault,) = faults(settings=(setting,))
    assert fault.startswith(f"--set {setting}: error: this is not KEY=VALUE")


def test_a_parameter_is_set_once() -> None:
    assert faults("lr=1", settings=("train.parameters.lr=2",)) == [
        "lr=1: error: lr is set twice | Remove one.",
        "--set train.parameters.lr=2: error: lr is set twice | Remove one.",
    ]
