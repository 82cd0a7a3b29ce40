"""Keys of images: what each install step needs, and which steps a change repeats."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from riseml.plan import BuildStep
from riseml.project.image_key import ImageKey, image_key
from riseml.project.install_files import of_step
from riseml.project.project_files import ProjectFiles
from tests.unit.plans import single


def project(files: Mapping[str, str]) -> ProjectFiles:
    """Return a project in memory, whose files' digests are their texts."""
    return ProjectFiles(files, files.__getitem__)


def key(files: Mapping[str, str], *install: str, build_files: str = "") -> ImageKey:
    plan = replace(single(install=install), build_files=tuple(build_files.split()))
    return image_key(plan, project(files))


def repeated(old: ImageKey, new: ImageKey) -> list[int]:
    """Return the numbers of the steps that a new key repeats."""
    earlier = {step.key for step in old.steps}
    return [
        number for number, step in enumerate(new.steps, 1) if step.key not in earlier
    ]


PACKAGE = {
    "pyproject.toml": '[project]\nname = "mylib"\nreadme = "README.md"\n',
    "README.md": "text",
    "src/mylib/__init__.py": "V = 1",
    "requirements.txt": "six==1.16.0\n",
    "train.py": "import mylib",
    "data/a.csv": "1",
}
EDITABLE = ("pip install -r requirements.txt", "pip install --no-deps -e .")


@pytest.mark.parametrize(
    ("change", "numbers"),
    [
        ({"src/mylib/__init__.py": "V = 2"}, []),
        ({"README.md": "other text", "data/a.csv": "2", "train.py": "pass"}, []),
        ({"src/mylib/new.py": ""}, []),
        ({"pyproject.toml": '[project]\nname = "other"\n'}, [2]),
        ({"src/second/__init__.py": ""}, [2]),
        ({"setup.py": "setup()"}, [2]),
        ({"requirements.txt": "six==1.17.0\n"}, [1, 2]),
        ({"src/mylib/fast.pyx": "cdef int x"}, [2]),
    ],
)
def test_an_edit_repeats_an_editable_installation_only_if_its_packaging_changes(
    change: dict[str, str], numbers: list[int]
) -> None:
    old, new = key(PACKAGE, *EDITABLE), key({**PACKAGE, **change}, *EDITABLE)
    assert repeated(old, new) == numbers
    assert (old.text == new.text) == (not numbers)


def test_each_step_copies_the_files_that_it_names() -> None:
    first, second = key(PACKAGE, *EDITABLE).steps
    assert (first.files, first.is_editable) == (("requirements.txt",), False)
    # The first step may have changed its file.
    assert (second.files, second.without) == ((".",), ("requirements.txt",))
    assert second.is_editable


def test_a_changed_step_repeats_what_follows_it() -> None:
    files = {"a.txt": "1", "b.txt": "1"}
    old = key(files, "cat a.txt", "cat b.txt", "true")
    assert repeated(old, key(files, "cat a.txt", "cat b.txt", "false")) == [3]
    assert repeated(old, key(files, "cat a.txt", "cat b.txt", "true", "new")) == [4]
    assert repeated(old, key({**files, "b.txt": "2"}, "cat a.txt", "cat b.txt", "true")) == [2, 3]  # fmt: skip
    assert repeated(old, key(files, "cat a.txt", "cat b.txt")) == []
    assert [step.files for step in old.steps] == [("a.txt",), ("b.txt",), ()]


def test_any_step_may_need_the_build_files() -> None:
    files = {"a.txt": "1", "lib/x.c": "1"}
    first, second = key(files, "true", "make -C lib", build_files="lib a.txt").steps
    assert first == BuildStep("true", ("a.txt", "lib"), first.key)
    assert second.files == ()
    changed = key({**files, "lib/x.c": "2"}, "true", "make -C lib", build_files="lib")
    assert changed.steps[0].key != first.key


REQUIREMENTS = {
    "requirements.txt": "-r reqs/base.txt\n-c constraints.txt  # limits\n./pkg[extra]\n",
    "reqs/base.txt": "-r more.txt\n--find-links ../wheels\nsix==1.16.0 \\\n  --hash=sha256:1\n",
    "reqs/more.txt": "numpy\n-e ../lib\n",
    "constraints.txt": "six<2",
    "more.txt": "unrelated",
    "pkg/setup.py": "setup()",
    "pkg/pkg/__init__.py": "V = 1",
    "lib/pyproject.toml": "[project]",
    "lib/lib.py": "V = 1",
    "wheels/x.whl": "",
    "train.py": "",
}


def test_requirements_files_are_followed() -> None:
    needed = of_step("pip install -U -r requirements.txt", project(REQUIREMENTS))
    assert needed.copied == {
        "requirements.txt",
        "reqs/base.txt",
        "reqs/more.txt",
        "constraints.txt",
        "pkg",
        "lib",
        "wheels",
    }
    # Files of the editable lib count by their names only, except for its packaging.
    assert set(needed.inputs) == {
        "requirements.txt",
        "reqs/base.txt",
        "reqs/more.txt",
        "constraints.txt",
        "pkg/setup.py",
        "pkg/pkg/__init__.py",
        "lib/pyproject.toml",
        "packages of lib",
        "wheels/x.whl",
    }
    assert needed.questions == []


@pytest.mark.parametrize(
    ("step", "copied"),
    [
        ("pip3 install -rrequirements.txt", {"constraints.txt", "pkg"}),
        ("python -m pip install --requirement=reqs/more.txt", {"lib"}),
        ("uv pip install -c constraints.txt six", {"constraints.txt"}),
        ("cd reqs && pip install -r base.txt", {"reqs/base.txt", "wheels"}),
        ('sh -c "pip install ./pkg"', {"pkg"}),
        ("pip install 'pkg @ file:///code/pkg'", {"pkg"}),
        ("pip install wheels/x.whl", {"wheels/x.whl"}),
        ("pip install './lib[all]'", {"lib"}),
        ("cd pkg && python setup.py install", {"pkg"}),
        ("cd lib; pip install -e .", {"lib"}),
        ("cat constraints.txt | grep six > out", {"constraints.txt"}),
        ("ls wheels/*.whl", {"wheels/x.whl"}),
        ("DIR=wheels tool --dir=pkg", {"wheels", "pkg"}),
        # pip takes a name without a slash from an index.
        ("pip install pkg", set()),
        ("pip install git+https://example.org/x#egg=train.py", set()),
    ],
)
def test_a_step_names_files_in_many_forms(step: str, copied: set[str]) -> None:
    needed = of_step(step, project(REQUIREMENTS))
    assert copied <= needed.copied
    assert bool(needed.copied) == bool(copied)
    assert "." not in needed.copied


def test_scripts_are_followed() -> None:
    files = {
        "setup.sh": "# install\nset -e\ncd deps\npip install -r base.txt\n",
        "deps/base.txt": "six",
        "other.txt": "",
    }
    needed = of_step("bash setup.sh", project(files))
    assert needed.copied == {"setup.sh", "deps/base.txt"}


def test_a_package_brings_those_that_it_names() -> None:
    files = {
        "app/pyproject.toml": 'dependencies = ["lib"]\nlib = { path = "../lib" }',
        "lib/pyproject.toml": "[project]",
        "lib/lib.py": "",
    }
    assert of_step("pip install -e ./app", project(files)).copied == {"app", "lib"}


@pytest.mark.parametrize(
    ("step", "question"),
    [
        ("pip install -r $FILE", "which file `$FILE` is"),
        ("pip install ../lib", "what ../lib has: it is outside of the project"),
        ("pip install -r https://example.org/requirements.txt", None),
        ("pip install -r /opt/requirements.txt", None),
    ],
)
def test_what_only_a_shell_knows_is_a_question(step: str, question: str | None) -> None:
    needed = of_step(step, project({"a.txt": ""}))
    assert needed.questions == ([question] if question else [])
    assert needed.missing == []


def test_files_that_the_project_lacks_are_named() -> None:
    files = {"requirements.txt": "-r more.txt\n./pkg\n"}
    needed = of_step("pip install -r requirements.txt -c none.txt", project(files))
    assert sorted(needed.missing) == ["./pkg", "more.txt", "none.txt"]
