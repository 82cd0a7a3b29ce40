"""Lightning, accelerate and transformers: README's example, with the text that stands there."""

import re
import textwrap
from pathlib import Path

import pytest

from riseml.status import State
from tests.frameworks.test_frameworks import PROGRAMS, path_of
from tests.local.conftest import Lab

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(150)]
README = Path(__file__).parents[2] / "README.md"
LIBRARIES = ("lightning", "accelerate", "transformers")


def blocks(kind: str, word: str) -> list[str]:
    """Return the code blocks of README that contain a word."""
    texts = re.findall(
        rf"^```{kind}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL
    )
    return [text for text in texts if word in text]


def program(library: str, line: str) -> str:
    """Return the program for a library, with a line of README in its place."""
    text = (PROGRAMS / f"{library}_fit.py").read_text()
    assert len(re.findall(r"^\w+ = .*# README$", text, re.MULTILINE)) == 1
    return re.sub(
        r"^\w+ = .*# README$", lambda _: line.strip(), text, flags=re.MULTILINE
    )


def test_the_example_of_readme_runs(lab: Lab) -> None:
    lines = {}
    for library in LIBRARIES:
        (lines[library],) = blocks("python", f"{library}.")
    # 4 processes where there are 2.
    lines["mistaken"] = lines["lightning"].replace("devices=1", "devices=2")
    for name, line in lines.items():
        library = "lightning" if name == "mistaken" else name
        lab.write({f"{name}_fit.py": program(library, line)})
    (block,) = blocks("yaml", "  framework: pytorch")
    train = textwrap.dedent(block.partition("train:\n")[2])
    train = train.replace("fit.py", "{{library}}_fit.py")
    train += f"parameters: {{library: [{', '.join(lines)}]}}\nconcurrency: 2\n"
    run = lab.run(train, PATH=path_of("torch"))
    for experiment in run.experiments[:3]:
        assert experiment.state is State.FINISHED, lab.log(1)
        # Two processes share the 8 batches.
        assert dict(experiment.result or {}) == {"processes": 2, "steps": 4}
    assert run.experiments[3].state is State.FAILED
    message = (
        "You set `devices=2` and `num_nodes=2` in Lightning, but the product (2 * 2)"
        " does not match the world size (2)."
    )
    assert message in lab.log(1)
