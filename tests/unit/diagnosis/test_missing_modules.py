"""Explanations of Python modules that programs could not import."""

import pytest

from riseml.diagnosis.evidence import Surroundings
from riseml.diagnosis.missing_modules import missing_module, package_of
from riseml.job_python import Interpreter
from tests.unit.diagnosis.test_missing_files import why

LINE = "ModuleNotFoundError: No module named 'cv2'"
PYTHON = Interpreter("/usr/bin/python3", "3.11.2")


@pytest.mark.parametrize(
    ("line", "module"),
    [
        (LINE, "cv2"),
        ("ImportError: No module named yaml", "yaml"),
        ("/usr/bin/python3: No module named torch.distributed.run", "torch.distributed.run"),
        ("ModuleNotFoundError: No module named 'a.b'; 'a' is not a package", "a.b"),
        ("[rank1]: ModuleNotFoundError: No module named 'cv2'", "cv2"),
        ("ModuleNotFoundErrors are bad", ""),
    ],
)  # fmt: skip
def test_messages_name_a_module(line: str, module: str) -> None:
    assert missing_module([line]) == module


def test_a_module_that_a_program_can_do_without_is_no_cause() -> None:
    assert missing_module([LINE, "KeyError: 'loss'"]) == ""


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("cv2", "opencv-python"),
        ("sklearn.linear_model", "scikit-learn"),
        ("PIL", "pillow"),
        ("yaml", "pyyaml"),
        ("google.protobuf.text", "protobuf"),
        ("torch", "torch"),
        ("tensorflow_datasets", "tensorflow-datasets"),
    ],
)
def test_modules_have_packages(module: str, package: str) -> None:
    assert package_of(module) == package


def test_a_missing_package_names_the_python_and_the_install_step() -> None:
    cause = why(LINE, surroundings=Surroundings(python=PYTHON))
    assert (cause.kind, cause.explanation) == (
        "MODULE",
        "/usr/bin/python3 (Python 3.11.2) has no module cv2",
    )
    assert cause.fix == (
        "Add `install: pip install opencv-python` under `train` in riseml.yml.",
        "The image python:3.12 was not used: on this machine, jobs run in your own environment.",
        "Or install it there: `/usr/bin/python3 -m pip install opencv-python`.",
    )
    assert cause.evidence == (LINE,)


def test_install_steps_are_extended() -> None:
    facts = Surroundings(python=PYTHON, code=frozenset({"requirements.txt"}))
    cause = why(LINE, surroundings=facts, install=("pip install torch",))
    (advice,) = cause.fix
    assert advice == (
        "Add `pip install opencv-python` to `install` in riseml.yml."
        " If requirements.txt names it: `pip install -r requirements.txt`."
    )


def test_a_cluster_names_the_image() -> None:
    cause = why(LINE, cluster=True)
    assert cause.explanation == "the image python:3.12 has no module cv2"
    assert cause.fix == (
        "Add `install: pip install opencv-python` under `train` in riseml.yml.",
    )
    cause = why(LINE, cluster=True, install=("pip install torch",))
    assert cause.explanation == (
        "the image of python:3.12 and the install steps has no module cv2"
    )


def test_an_excluded_module_of_the_project_is_named() -> None:
    line = "ModuleNotFoundError: No module named 'mylib.nets'"
    cause = why(line, excluded={"src/.gitignore": ("src/mylib/nets.py",)})
    assert (cause.kind, cause.explanation) == (
        "EXCLUDED",
        "the project's module mylib.nets was left out by src/.gitignore",
    )
    (advice,) = cause.fix
    assert advice == (
        "Bring it with the code: `riseml train --no-gitignore`,"
        " or the line `!/src/mylib/nets.py` in .risemlignore."
    )


def test_an_excluded_folder_of_logs_is_no_package() -> None:
    line = "ModuleNotFoundError: No module named 'wandb'"
    excluded = {".gitignore": ("wandb/",)}
    assert why(line, excluded=excluded).kind == "MODULE"
    facts = Surroundings(own_code=frozenset({"wandb/"}))
    assert why(line, excluded=excluded, surroundings=facts).kind == "EXCLUDED"


def test_a_module_of_the_project_in_another_folder_needs_a_path() -> None:
    code = frozenset({"src/mylib/__init__.py", "old/src/mylib/__init__.py", "train.py"})
    cause = why(
        "ModuleNotFoundError: No module named 'mylib'",
        surroundings=Surroundings(code=code, python=PYTHON),
    )
    assert (cause.explanation, cause.fix) == (
        "Python did not look for the project's module mylib in src",
        ("Write `env: {PYTHONPATH: /code/src}` under `train` in riseml.yml.",),
    )


def test_a_module_that_a_package_of_the_project_lacks_is_named() -> None:
    cause = why(
        "ModuleNotFoundError: No module named 'mylib.nets'",
        surroundings=Surroundings(code=frozenset({"mylib/__init__.py"})),
    )
    assert (cause.explanation, cause.fix) == (
        "the project's package mylib has no module mylib.nets",
        (
            "The code of the run has neither mylib/nets.py nor mylib/nets/: add it, then train again.",
        ),
    )
