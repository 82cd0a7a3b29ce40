"""First riseml.yml of a project, written by `riseml init`."""

from pathlib import Path

import pytest

from riseml import config
from riseml.config import scaffold
from riseml.errors import InvalidInputError, RiseMLError


@pytest.mark.parametrize("template", scaffold.TEMPLATES)
@pytest.mark.parametrize(
    "project", ["toaster-net", "12", "no", "1e5", "Null", "0x1f", "a_b"]
)
def test_every_template_is_valid_for_every_name(template: str, project: str) -> None:
    loaded = config.load_text(scaffold.text(template, project))
    assert loaded.project == project
    assert loaded.train is not None
    assert not [str(fault) for fault in loaded.warnings]


@pytest.mark.parametrize(
    ("folder", "project"),
    [
        ("toaster-net", "toaster-net"),
        ("my.proj", "my-proj"),
        ("x", "x-project"),
        ("Müllers Netz (2)", "Mullers-Netz-2"),
        ("日本語", "my-project"),
        ("", "my-project"),
        ("-_-", "my-project"),
        (".hidden", "hidden"),
        ("a b", "a-b"),
    ],
)
def test_a_name_from_a_folder(folder: str, project: str) -> None:
    name, note = scaffold.project_name(Path("/home") / folder if folder else Path("/"))
    assert name == project
    assert bool(note) == (folder != project)
    scaffold.text("plain", name)


@pytest.mark.parametrize(
    "name", ["x", "my.proj", "-a", "a-", "", "a b", "a\nb", "project: x", "ü" * 3]
)
def test_the_error_about_a_bad_name_proposes_a_good_one(name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        scaffold.text("plain", name)
    assert f"`riseml init -n {scaffold.proposal(name)}`" in caught.value.advice


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "riseml.yml"
    scaffold.write(file, "first")
    with pytest.raises(RiseMLError, match="already exists"):
        scaffold.write(file, "second")
    assert file.read_text() == "first"
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(RiseMLError, match="already exists"):
        scaffold.write(tmp_path / "link", "second")
    with pytest.raises(RiseMLError, match="No such file"):
        scaffold.write(tmp_path / "none" / "riseml.yml", "")
