"""Code that documents contain where jobs cannot mount the store."""

import base64
import gzip
import io
import random
import tarfile
from pathlib import Path
from typing import Any

import pytest

from riseml.compiler.cache import DocumentCache
from riseml.engines import Submission
from riseml.engines.argo.document_code import compiler_of
from riseml.errors import ProjectError, UnsupportedError
from riseml.plan import Target
from riseml.project import repository_of, snapshot
from tests.unit.plans import ORIGIN, compiled, single, template

ARTIFACTS = Target(saves_artifacts=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib/train.py").write_text("print(1)")
    return folder


def submission_of(project: Path, home: Path, **changes: Any) -> Submission:
    revision = snapshot(project, repository_of("mnist", home)).revision
    return Submission(single(**changes), revision)


def test_the_document_has_the_files_of_the_revision(
    project: Path, tmp_path: Path
) -> None:
    submission = submission_of(project, tmp_path / "home")
    (project / "lib/train.py").write_text("changed since")
    compiler = compiler_of(
        submission, ARTIFACTS, tmp_path / "home", DocumentCache(tmp_path)
    )
    document = compiler.compile(submission.plan, ORIGIN)
    env = template(document, "train")["container"]["env"]
    variables = {entry["name"]: entry["value"] for entry in env}
    data = gzip.decompress(base64.b64decode(variables["RISEML_ARCHIVE_0"]))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        file = archive.extractfile("lib/train.py")
        assert file is not None
        assert file.read() == b"print(1)"


def test_a_cluster_with_volumes_gets_the_usual_document(
    project: Path, tmp_path: Path
) -> None:
    submission = submission_of(project, tmp_path / "home")
    compiler = compiler_of(
        submission, Target(), tmp_path / "home", DocumentCache(tmp_path)
    )
    assert compiler.compile(submission.plan, ORIGIN) == compiled(single())


def test_too_much_code_is_refused(project: Path, tmp_path: Path) -> None:
    (project / "large").write_bytes(random.Random(1).randbytes(400_000))
    submission = submission_of(project, tmp_path / "home")
    with pytest.raises(ProjectError, match="kB compressed") as error:
        compiler_of(submission, ARTIFACTS, tmp_path / "home", DocumentCache(tmp_path))
    assert str(error.value).startswith("the code in mnist has ")
    assert "large (400 kB)" in str(error.value)
    assert error.value.advice.startswith("Name in .risemlignore")


def test_what_needs_a_volume_is_refused(project: Path, tmp_path: Path) -> None:
    submission = submission_of(project, tmp_path / "home", hold=60)
    with pytest.raises(UnsupportedError, match="needs an output volume"):
        compiler_of(submission, ARTIFACTS, tmp_path / "home", DocumentCache(tmp_path))
