"""Public names of the package: the list, what they are, and that none is loaded before it is used."""

import ast
import inspect
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version

import riseml
from riseml import errors
from riseml.client import client

PUBLIC = [
    "Cause",
    "Change",
    "ChangedMeanwhileError",
    "Chunk",
    "Client",
    "ConfigError",
    "CopyReport",
    "DamagedDatabaseError",
    "DamagedError",
    "Difference",
    "DiskFullError",
    "Engine",
    "Entry",
    "Exclusion",
    "Experiment",
    "ExperimentSet",
    "ExperimentStatus",
    "Explanation",
    "Fault",
    "Finding",
    "FolderCode",
    "GpuUsage",
    "Grown",
    "HomeError",
    "Id",
    "ImagePart",
    "InvalidInputError",
    "Job",
    "JobStatus",
    "JobUsage",
    "Killed",
    "Location",
    "Marks",
    "NotAllowedError",
    "NotFoundError",
    "OtherCodeError",
    "Overrides",
    "ProjectError",
    "Pruned",
    "Repetition",
    "Resources",
    "Results",
    "Retries",
    "RiseMLError",
    "RunHandle",
    "SetStatus",
    "Settings",
    "ShardStatus",
    "Snapshot",
    "State",
    "Submitted",
    "Survey",
    "TensorBoard",
    "TimedOutError",
    "UnreachableError",
    "UnsupportedError",
    "Usage",
    "UsageReport",
    "__version__",
    "experiment_id",
    "report_progress",
    "report_result",
    "should_stop",
]

# Names in the annotations of `Client` that are not RiseML's.
FOREIGN = {"Any", "Callable", "Iterator", "Path", "datetime", "timedelta"}


def test_the_list() -> None:
    assert riseml.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_resolves(name: str) -> None:
    value = getattr(riseml, name)
    assert value
    if inspect.isclass(value):
        assert value.__name__ == name


def test_dir_shows_all_public_names() -> None:
    assert set(PUBLIC) <= set(dir(riseml))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Cilent'"):
        _ = riseml.Cilent


def test_importing_the_package_loads_no_other_module_of_it() -> None:
    code = (
        "import sys, riseml; dir(riseml); "
        "print(*(name for name in sys.modules if name.startswith('riseml')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["riseml"]


def test_all_errors_are_public() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.RiseMLError)
    }
    assert classes <= set(PUBLIC)


def test_everything_that_the_client_returns_is_public() -> None:
    (tree,) = ast.parse(inspect.getsource(client.Client)).body
    assert isinstance(tree, ast.ClassDef)
    names = set()
    for method in tree.body:
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
            assert method.returns
            annotation = ast.unparse(method.returns).strip("'")
            names |= {
                node.id
                for node in ast.walk(ast.parse(annotation))
                if isinstance(node, ast.Name) and node.id[0].isupper()
            }
    assert names - FOREIGN <= set(PUBLIC)


@pytest.mark.parametrize(
    ("text", "version"),
    [("2.0.0\n", "2.0.0"), (None, "0+unknown")],
    ids=["built", "not built"],
)
def test_the_version_is_read_when_it_is_used(
    tmp_path: Path, text: str | None, version: str
) -> None:
    package = tmp_path / "riseml"
    package.mkdir()
    shutil.copy(riseml.__file__, package)
    if text:
        (package / "version.txt").write_text(text)
    code = (
        "import sys; before = set(sys.modules); import riseml; riseml.__version__; "
        "print(riseml.__version__, *set(sys.modules) - before)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == [version, "riseml"]


def test_the_version_of_this_checkout_is_one() -> None:
    assert Version(riseml.__version__)


def test_the_project_has_links() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())[
        "project"
    ]
    assert set(project["urls"]) == {
        "Homepage",
        "Documentation",
        "Source",
        "Changelog",
        "Issues",
    }
