"""Lightning, accelerate and transformers: the lines of the page about PyTorch, as they stand there."""

import re
from pathlib import Path

import pytest

from riseml.status import State
from tests.frameworks.test_frameworks import PROGRAMS, path_of
from tests.local.conftest import Lab

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(150)]
PAGE = Path(__file__).parents[2] / "docs/frameworks/pytorch.md"
LIBRARIES = ("lightning", "accelerate", "transformers")


def blocks(word: str) -> list[str]:
    """Return the Python blocks of the page that contain a word."""
    texts = re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    return [text for text in texts if word in text]


def program(library: str, line: str) -> str:
    """Return the program for a library, with a line of the page in its place."""
    text = (PROGRAMS / f"{library}_fit.py").read_text()
    assert len(re.findall(r"^\w+ = .*# the page$", text, re.MULTILINE)) == 1
    return re.sub(
        r"^\w+ = .*# the page$", lambda _: line.strip(), text, flags=re.MULTILINE
    )


def test_the_lines_of_the_page_run(lab: Lab) -> None:
    lines = {}
    for library in LIBRARIES:
        (lines[library],) = blocks(f"{library}.")
    # 4 processes where there are 2.
    lines["mistaken"] = lines["lightning"].replace("devices=1", "devices=2")
    for name, line in lines.items():
        library = "lightning" if name == "mistaken" else name
        lab.write({f"{name}_fit.py": program(library, line)})
    train = "framework: pytorch\npytorch: {workers: 2}\n"
    train += "run: python {{library}}_fit.py\n"
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
