"""Golden files: every example compiles to the workflow.yaml beside it, so a change of the compiler shows as a diff.

`pytest tests/golden --regenerate` (`make goldens`) rewrites them.
"""

import hashlib
from pathlib import Path

import pytest
import yaml

from riseml import config, manifest, planner
from riseml.compiler import compile_workflow
from riseml.compiler.limits import check
from riseml.plan import Build, ExperimentSet, Origin, Target
from riseml.project.image_key import image_key
from riseml.project.project_files import ProjectFiles

EXAMPLES = Path(__file__).parents[2] / "examples"
# No snapshot with this revision is needed to compile.
REVISION = "0123456789abcdef0123456789abcdef01234567"

examples = pytest.mark.parametrize(
    "folder", sorted(path.parent for path in EXAMPLES.glob("*/riseml.yml")), ids=str
)


def _plan(folder: Path) -> ExperimentSet:
    return planner.plan(config.load(folder / "riseml.yml").config)


def _build(plan: ExperimentSet, folder: Path) -> Build | None:
    paths = (
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in {".yml", ".yaml", ".pyc"}
    )
    files = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }
    project = ProjectFiles(files, lambda path: (folder / path).read_text("utf-8"))
    key = image_key(plan, project)
    return Build(key.text, key.steps) if plan.install else None


@examples
def test_an_example_compiles_to_its_golden(folder: Path, regenerate: bool) -> None:
    plan = _plan(folder)
    document = compile_workflow(
        plan, Origin("me", 1, REVISION, build=_build(plan, folder)), Target()
    )
    golden = folder / "workflow.yaml"
    if regenerate:
        golden.write_text(manifest.to_yaml(document), "utf-8")
    assert golden.read_text("utf-8") == manifest.to_yaml(document)
    assert yaml.safe_load(golden.read_text("utf-8")) == document
    assert check(document) == ""


@examples
def test_an_example_has_no_warnings(folder: Path) -> None:
    assert config.load(folder / "riseml.yml").warnings == ()
    assert (folder / "README.md").is_file()
