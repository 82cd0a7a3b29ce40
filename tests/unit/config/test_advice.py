"""Advice about faults in a riseml.yml."""

import pytest

from tests.riseml_yml import faults_of


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("train: {resources: {cpu: 1}}", "It is called 'cpus' here."),
        ("train: {resources: {gpuss: 1}}", "Did you mean 'gpus'?"),
        (
            "train: {cpus: 1}",
            "'cpus' belongs directly in train.resources; is the indentation right?",
        ),
        (
            "train: {resources: {run: x}}",
            "'run' belongs directly in train; is the indentation right?",
        ),
        ("image: x", "'image' belongs directly in train; is the indentation right?"),
        (
            "framework: x",
            "'framework' belongs directly in train; is the indentation right?",
        ),
        ("xyzzy: x", "Known keys: project, train."),
        (
            "train: {tensorflow: {distributed: {workers: 1}}}",
            "Did you mean 'worker'? For Horovod write",
        ),
        (
            "train: {tensorflow: {distributed: {type: horovod}}}",
            "For Horovod write tensorflow: {horovod: {workers: {count: 4, processes: 2}}}",
        ),
        (
            "train: {tensorflow: {distributed: {horovod: {processes: 4, workers: 8}}}}",
            "For Horovod write tensorflow: {horovod: {workers: {count: 4, processes: 2}}}",
        ),
        (
            'train:\n  run:\n  - python -c "for i in x: print(i)"',
            "YAML reads `: ` in it as a mapping. Put the line in quotes",
        ),
        ("train:\n  run: x: y", "contains ': '"),
        ("train: {command: x}", "Did you mean 'run'?"),
        (
            "train: {tensorboard: true}",
            "It belongs in the section of a framework: framework: pytorch",
        ),
        ("train: {concurrency: 1.0}", "Write 1."),
        ("train: {concurrency: '4'}", "Write it without quotes: 4."),
        ("train: {concurrency: 1_000}", "Write it without quotes: 1000."),
        ("train: {tensorflow: {tensorboard: Yes}}", "Write true."),
        ("train: {tensorflow: {tensorboard: off}}", "Write false."),
        (
            "train: {tensorflow: {version: 1.8}}",
            "Write all three numbers, such as 1.5.0",
        ),
        ("train: {framework: tensorfow}", "Did you mean 'tensorflow'?"),
        ("train: {image: 12}", 'Put it in quotes: "12".'),
        ("train: {run: {{x}}}", "A value that begins with {{ must be in quotes."),
        ("train: {retries: {count: 1, on: preemption}}", "Did you mean 'preempted'?"),
        (
            "train: {resources: {mem: 4gb}}",
            "Write 4G (powers of 1000) or 4Gi (of 1024).",
        ),
        (
            "train: {resources: {mem: 64 KB}}",
            "Write 64k (powers of 1000) or 64Ki (of 1024).",
        ),
        ("train: {timeout: 5 min}", "Write for example 90s, 10m, 1h30m or 2d."),
        (
            "train: {run: *.py}",
            "'*' at the beginning of a value names an anchor; put the value in quotes.",
        ),
        ("train:\n- run: x", "Write its keys without '- ' before them."),
        (
            "train:\n  run: x\n image: x",
            "Keys that belong together begin in the same column.",
        ),
        ("train:\n  run:\n  - x\n  y\n", "Is the indentation right?"),
        ("train: {run: [a, b}", "is not closed before this"),
        ("train: {run: @x}", "Put the value in quotes."),
        ("train: {run: a\n", "Its end is missing"),
        ("train: {parameters: {a: '1', path: 2}}", "Rename it."),
        ("train:\n\trun: x", "YAML allows only spaces for indentation."),
    ],
)
def test_advice(text: str, advice: str) -> None:
    assert advice in " | ".join(
        fault.advice for fault in faults_of(f"project: ab\n{text}\n")
    )


def test_all_problems_are_found_at_once() -> None:
    text = """project: ab
trian:
  image: python:3.12-cpu
  parameters: {lr: [0.1, 0.2], unused: 1}
  secrets: KEY
  resources: {gpuss: 1, gpus: 1}
  run:
  - python a.py | tee log --lr {{lrr}}
  - python -c "for i in x: print(i)"
  - echo {{model}}
"""
    faults = [(fault.severity, fault.line, fault.message) for fault in faults_of(text)]
    assert faults == [
        ("error", 2, "unknown key 'trian'"),
        ("error", 6, "unknown key 'gpuss' in train.resources"),
        ("error", 8, "no parameter 'lrr' is declared"),
        ("error", 9, "entry 2 of train.run must be text, not a mapping"),
        ("warning", 10, "no parameter 'model' is declared: '{{model}}' stays as it is"),
    ]


def test_a_parameter_is_not_called_unused_if_a_command_is_unreadable() -> None:
    text = "project: ab\ntrain:\n  parameters: {lr: 1}\n  run:\n  - echo: $LR\n"
    (fault,) = faults_of(text)
    assert fault.message == "entry 1 of train.run must be text, not a mapping"


def test_a_placeholder_with_the_letters_of_a_parameter_is_a_slip() -> None:
    text = "project: ab\ntrain:\n  parameters: {lr: 1}\n  run: fit {{rl}} {{lr}}\n"
    (fault,) = faults_of(text)
    assert (fault.severity, fault.advice) == ("error", "Did you mean '{{lr}}'?")
