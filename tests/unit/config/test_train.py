"""Values of a loaded riseml.yml: shorthands expanded, amounts in bytes and seconds, an image always."""

from decimal import Decimal
from typing import Any

import pytest

from riseml.config import TrainConfig, load_text
from riseml.frameworks import tensorflow
from riseml.frameworks.tensorflow import Distributed, Horovod, Role
from riseml.plan import Metric, Resources, Retries
from riseml.schema.resources import Workers


def train(
    *lines: str,
    image: str = "image: python",
    run: str = "run: x",
    resources: str = "resources: {}",
) -> TrainConfig:
    loaded = load_text(
        "\n".join(
            [
                "project: ab",
                "train:",
                *(f"  {line}" for line in (image, run, resources, *lines)),
            ]
        )
    )
    assert loaded.train
    return loaded.train


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("{}", Resources(Decimal(1), 512_000_000, 0)),
        ("{cpus: .5, mem: 1024, gpus: 2}", Resources(Decimal("0.5"), 1_024_000_000, 2)),
        ("{cpus: 500m, mem: 4Gi}", Resources(Decimal("0.5"), 4 * 2**30)),
        ("{cpus: '2', mem: 500Mi}", Resources(Decimal(2), 500 * 2**20)),
        ("{cpus: 0x2, mem: 2G}", Resources(Decimal(2), 2 * 10**9)),
        ("{cpus: 1e-2, mem: 0.01}", Resources(Decimal("0.01"), 10_000)),
        ("{mem: .5Gi}", Resources(mem=2**29)),
        ("{mem: 1.5G}", Resources(mem=1_500_000_000)),
        ("{mem: 100.0000001}", Resources(mem=100_000_001)),
    ],
)
def test_resources(line: str, value: Resources) -> None:
    assert train(resources=f"resources: {line}").resources == value


@pytest.mark.parametrize(
    ("line", "attribute", "value"),
    [
        ("install: a", "install", ("a",)),
        ("install: [a, b]", "install", ("a", "b")),
        ("install: []", "install", ()),
        ("concurrency: 0o17", "concurrency", 15),
        ("env: {A: 1e-6, B: yes, C: true, D: 0.10}", "env", {"A": "1e-6", "B": "yes", "C": "true", "D": "0.10"}),
        ("secrets: KEY", "secrets", ("KEY",)),
        ("timeout: 1d2h3m4s", "timeout", 93_784),
        ("timeout: 90", "timeout", 90),
        ("retries: 3", "retries", Retries(3)),
        ("retries: {count: 2, on: oom}", "retries", Retries(2, ("oom",))),
        ("gang_timeout: 2m", "gang_timeout", 120),
        ("gang-timeout: 2m", "gang_timeout", 120),
        ("build_files: [a.txt, b/]", "build_files", ("a.txt", "b/")),
        ("results: loss", "results", (Metric("loss"),)),
        ("results: [loss, Acc@1]", "results", (Metric("loss"), Metric("Acc@1"))),
        ("results: {loss: min, valid_0's l2: max}", "results", (Metric("loss", "min"), Metric("valid_0's l2", "max"))),
        ('results: {a: {pattern: "a ([\\\\d.]+)"}}', "results", (Metric("a", "", r"a ([\d.]+)"),)),
        ("results: {a: {mode: min, pattern: 'a (.)'}, b: {}}", "results", (Metric("a", "min", "a (.)"), Metric("b"))),
        ("parameters: {a: 1, b: true, c: 'x'}", "parameters", {"a": ("1",), "b": ("true",), "c": ("x",)}),
        ("parameters: {a: [1e-6, '', True, 1_0, x]}", "parameters", {"a": ("1e-6", "", "True", "1_0", "x")}),
        ("parameters: {a: [1e-6, 0.10, 010, +1]}", "parameters", {"a": ("1e-6", "0.10", "010", "+1")}),
        ("parameters: {a: [yes, no, on]}", "parameters", {"a": ("yes", "no", "on")}),
        ("parameters: {a: [x, x]}", "parameters", {"a": ("x", "x")}),
        ("parameters: {a: '0.10'}", "parameters", {"a": ("0.10",)}),
        ("parameters: {a: {range: {min: 2, max: 4, step: 1}}}", "parameters", {"a": ("2", "3", "4")}),
        ("parameters: {a: {range: {min: 0.1, max: 0.3, step: 0.1}}}", "parameters", {"a": ("0.1", "0.2", "0.3")}),
        ("parameters: {a: {range: {min: 1e-5, max: 3e-5, step: 1e-5}}}", "parameters",
         {"a": ("1e-05", "2e-05", "3e-05")}),
        ("parameters: {a: {range: {min: 0.00001, max: 0.00002, step: 0.00001}}}", "parameters",
         {"a": ("0.00001", "0.00002")}),
        ("parameters: {}", "parameters", {}),
    ],
)  # fmt: skip
def test_values(line: str, attribute: str, value: Any) -> None:
    if value is None:
        with pytest.raises(Exception, match="mixes numbers and texts"):
            train(line)
    else:
        assert getattr(train(line), attribute) == value


def test_run_keeps_line_breaks() -> None:
    assert train(run="run: |\n    a \\\n    b\n").run == ("a \\\nb\n",)
    assert train(run="run:\n    - >-\n      a\n        --b\n      c").run == (
        "a\n  --b\nc",
    )


def test_defaults() -> None:
    assert train() == TrainConfig(
        ("x",), Resources(), "python", options=train().options, names_image=True
    )


@pytest.mark.parametrize(
    ("section", "gpus", "image"),
    [
        ("{}", 0, "tensorflow/tensorflow:latest"),
        ("{}", 1, "tensorflow/tensorflow:latest-gpu"),
        ("{version: 1.5.0}", 0, "tensorflow/tensorflow:1.5.0"),
        ("{version: 1.5.0}", 2, "tensorflow/tensorflow:1.5.0-gpu"),
        ("{version: 1.5.0-gpu}", 2, "tensorflow/tensorflow:1.5.0-gpu"),
        ("{version: 1.5.0-gpu}", 0, "tensorflow/tensorflow:1.5.0-gpu"),
        ("{version: 1.5.0-gpu-py3}", 1, "tensorflow/tensorflow:1.5.0-gpu-py3"),
        ("{version: 1.5.0-py3}", 1, "tensorflow/tensorflow:1.5.0-gpu-py3"),
        ("{version: null}", 0, "tensorflow/tensorflow:latest"),
        (
            "{version: 1.5.0, horovod: {workers: 2}}",
            0,
            "riseml/tensorflow:1.5.0-horovod-latest",
        ),
        (
            "{version: 1.5.0, horovod: {workers: 2, version: 0.11.3}}",
            1,
            "riseml/tensorflow:1.5.0-horovod-0.11.3-gpu",
        ),
        (
            "{distributed: {ps: {resources: {gpus: 1}}}}",
            0,
            "tensorflow/tensorflow:latest-gpu",
        ),
        (
            "{distributed: {ps: {resources: {cpus: 1}}}}",
            0,
            "tensorflow/tensorflow:latest",
        ),
        (
            "{distributed: {master: {resources: {gpus: 1}}}}",
            0,
            "tensorflow/tensorflow:latest-gpu",
        ),
        ("{distributed: {}}", 1, "tensorflow/tensorflow:latest-gpu"),
    ],
)
def test_image_of_tensorflow(section: str, gpus: int, image: str) -> None:
    lines = ("framework: tensorflow", f"tensorflow: {section}")
    assert (
        train(*lines, image="", resources=f"resources: {{gpus: {gpus}}}").image == image
    )
    assert train(*lines, image="image: ours").image == "ours"
    assert train(
        "framework: tensorflow", image="", resources="resources: {cpus: 1}"
    ).image.endswith(":latest")


@pytest.mark.parametrize(
    ("lines", "image"),
    [
        (("framework: pytorch",), "pytorch/pytorch:latest"),
        (("framework: pytorch", "pytorch: {version: 2.4.0-cuda12.4-cudnn9-runtime}"),
         "pytorch/pytorch:2.4.0-cuda12.4-cudnn9-runtime"),
        (("framework: horovod", "horovod: {version: 0.28.1}"), "horovod/horovod:0.28.1"),
    ],
)  # fmt: skip
def test_image_of_other_frameworks(lines: tuple[str, ...], image: str) -> None:
    assert train(*lines, image="").image == image


@pytest.mark.parametrize(
    ("section", "options"),
    [
        ("{}", tensorflow.Options()),
        ("{tensorboard: false, version: 1.8.0}", tensorflow.Options("1.8.0", tensorboard=False)),
        ("{distributed: null, horovod: {}}", tensorflow.Options()),
        ("{distributed: {worker: 4}}", tensorflow.Options(distributed=Distributed(worker=Role(4)))),
        ("{distributed: {ps: {count: 2, resources: {mem: 1024}}, chief: chief}}",
         tensorflow.Options(distributed=Distributed(ps=Role(2, Resources(mem=1_024_000_000)), chief="chief"))),
        ("{horovod: {workers: {count: 8, processes: null}}}", tensorflow.Options(horovod=Horovod(Workers(8)))),
        ("{horovod: {workers: {count: 8, processes: 2}}}", tensorflow.Options(horovod=Horovod(Workers(8, 2)))),
    ],
)  # fmt: skip
def test_options(section: str, options: tensorflow.Options) -> None:
    assert train("framework: tensorflow", f"tensorflow: {section}").options == options


def test_without_a_section_options_are_the_defaults() -> None:
    assert train("framework: tensorflow").options == tensorflow.Options()
    assert train("tensorflow: {tensorboard: false}").options != tensorflow.Options(
        tensorboard=False
    )


def test_old_dialect_means_the_same() -> None:
    old = load_text(
        """repository: ab
train:
  image: {name: tensorflow/tensorflow, install: pip install x}
  framework: tensorflow
  tensorflow: {distributed: true, worker-count: 4, tensorboard: ./logs}
  resources: {master: {cpus: 1}, worker: {cpus: 2}, ps: {cpus: 3, mem: 64}}
  params: {lr: [0.1, 0.2]}
  concurrent-experiments: 2
  run: fit {{lr}}
"""
    )
    new = load_text(
        """project: ab
train:
  image: tensorflow/tensorflow
  install: pip install x
  framework: tensorflow
  tensorflow:
    tensorboard: true
    distributed:
      ps: {count: 1, resources: {cpus: 3, mem: 64}}
      worker: {count: 5, resources: {cpus: 2}}
      master: {resources: {cpus: 1}}
  resources: {cpus: 2}
  parameters: {lr: [0.1, 0.2]}
  concurrency: 2
  run: fit {{lr}}
"""
    )
    assert old.train == new.train
    assert [fault.severity for fault in old.warnings] == ["note"] * 7
    assert not new.warnings


@pytest.mark.parametrize(
    ("lines", "roles"),
    [
        (("distributed: true",), Distributed(ps=Role(1), worker=Role(3))),
        (("distributed: true", "ps-count: 4"), Distributed(ps=Role(4), worker=Role(3))),
        (("distributed: false",), None),
        (("distributed: false", "worker-count: 2"), None),
    ],
)
def test_old_counts(lines: tuple[str, ...], roles: Distributed | None) -> None:
    section = ("framework: tensorflow", "tensorflow:", *(f"  {line}" for line in lines))
    options = train(*section).options
    assert isinstance(options, tensorflow.Options)
    assert options.distributed == roles


def test_an_alias_keeps_its_old_meaning_elsewhere() -> None:
    """Rewriting `image: {name: …}` must not change other uses of the anchor."""
    loaded = load_text(
        "project: ab\ntrain:\n  env: &e {name: python}\n  image: *e\n  resources: {}\n  run: echo\n"
    ).train
    assert loaded
    assert (loaded.image, loaded.env) == ("python", {"name": "python"})
