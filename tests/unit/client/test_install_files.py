"""Install steps and the files beside a riseml.yml: what `check` warns of, and what `compile` copies."""

import json
from pathlib import Path

import pytest

from riseml.client.client import Client
from tests.cli.fake_engine import FakeEngine

CONFIG = "project: lab\ntrain:\n  image: python:3.12\n  resources: {{cpus: 1, mem: 64}}\n  run: 'true'\n  install: {}\n"
FILES = {
    "requirements.txt": "six==1.16.0\n-c constraints.txt\n./pkg\n",
    "constraints.txt": "six<2\n",
    "pkg/setup.py": "",
    "pkg/mypkg/__init__.py": "V = 3\n",
    "pyproject.toml": "[project]\nname = 'mylib'\n",
    "src/mylib/__init__.py": "V = 12\n",
    "data/large.bin": "",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RISEML_HOME", str(tmp_path / "home"))
    project = tmp_path / "project"
    for name, text in FILES.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return project


def config(folder: Path, *install: str, more: str = "") -> Path:
    path = folder / "riseml.yml"
    path.write_text(CONFIG.format(json.dumps(install)) + more)
    return path


def warnings(folder: Path, *install: str, more: str = "") -> list[str]:
    client = Client(engine=FakeEngine())
    faults = client.check(config(folder, *install, more=more))
    return [f"{fault.message} / {fault.advice}" for fault in faults]


def test_check_says_nothing_about_files_that_it_can_follow(folder: Path) -> None:
    steps = ("pip install -r requirements.txt", "pip install --no-deps -e .")
    assert warnings(folder, *steps) == []


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("pip install -r $FILE", "which file `$FILE` is"),
        ("pip install -e ../lib", "what ../lib has: it is outside of the project"),
        ("cd $DIR && make", "which folder `cd $DIR` enters"),
    ],
)
def test_check_names_build_files_where_files_are_not_known(
    folder: Path, step: str, message: str
) -> None:
    (warning,) = warnings(folder, "true", step)
    assert warning.startswith(f"install step 2: RiseML cannot know {message}")
    assert "`build_files`" in warning


def test_check_follows_requirements_files(folder: Path) -> None:
    (folder / "constraints.txt").unlink()
    (warning,) = warnings(folder, "pip install -r requirements.txt")
    message = "install step 1 needs constraints.txt, which the project does not have"
    advice = "Create it, or see whether .gitignore or .risemlignore leaves it out."
    assert warning == f"{message} / {advice}"


def test_build_files_answer_what_check_asks(folder: Path) -> None:
    more = "  build_files: [requirements.txt]\n"
    assert warnings(folder, "pip install -r $FILE", more=more) == []


def test_a_file_that_a_step_writes_is_not_missing(folder: Path) -> None:
    assert warnings(folder, "echo six > own.txt", "pip install -r own.txt") == []


def dockerfile(folder: Path, *install: str, git: str | None = None) -> list[str]:
    """Return the instructions of the Dockerfile that `compile` writes, without the text of RUN."""
    client = Client(engine=FakeEngine())
    document = client.compile(config(folder, *install), git=git)
    (build,) = (
        template
        for template in document["spec"]["templates"]
        if template["name"] == "build"
    )
    text = build["inputs"]["artifacts"][0]["raw"]["data"]
    return [
        "RUN" if line.startswith("RUN") else line for line in text.strip().split("\n")
    ]


def test_each_step_of_a_dockerfile_copies_its_files(folder: Path) -> None:
    steps = ("pip install -r requirements.txt", "true", "pip install --no-deps -e .")
    assert dockerfile(folder, *steps) == [
        "FROM python:3.12",
        "WORKDIR /code",
        'COPY ["1/", "/code/"]',
        "RUN",
        "RUN",
        'COPY ["3/", "/code/"]',
        "RUN",
    ]
    # A checkout of Git has no folder for each step.
    assert dockerfile(folder, *steps, git="https://example.org/x.git")[2:] == [
        'COPY ["constraints.txt", "/code/constraints.txt"]',
        'COPY ["pkg", "/code/pkg"]',
        'COPY ["requirements.txt", "/code/requirements.txt"]',
        "RUN",
        "RUN",
        'COPY [".", "/code/."]',
        "RUN",
    ]
