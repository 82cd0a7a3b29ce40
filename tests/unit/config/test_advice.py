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
            "Did you mean 'worker'? With Horovod",
        ),
        (
            "train: {tensorflow: {distributed: {type: horovod}}}",
            "For Horovod write horovod: {workers: 2}",
        ),
        ("train: {command: x}", "Did you mean 'run'?"),
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
