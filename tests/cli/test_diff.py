"""`riseml diff`: what it compares, and its screens."""

from dataclasses import replace
from pathlib import Path

import pytest

from riseml.plan import GitState
from riseml.project import snapshot
from riseml.status import ExperimentStatus, SetStatus, ShardStatus, State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid, single
from tests.cli.test_schemas import validate
from tests.folders import write

CONFIG = """\
project: toaster-net
train:
  parameters: {lr: [0.1, 0.2], opt: adam}
  run: python fit.py
"""


@pytest.fixture
def runs(engine: FakeEngine, tmp_path: Path) -> FakeEngine:
    """Return an engine with two sets of different code, and two single experiments."""
    engine.code = tmp_path / "code.git"
    folder = write(Path.cwd(), {"fit.py": "one\ntwo\n", "riseml.yml": CONFIG})
    first = snapshot(folder, engine.code, split=True).revision
    write(folder, {"fit.py": "one\n2\n", "new.py": "new\n"})
    second = snapshot(folder, engine.code, split=True).revision
    old = grid(14, [State.FINISHED, State.FAILED], {1: {"acc": 0.5}, 2: {"acc": 0.25}})
    states = [State.FINISHED, State.FINISHED, State.FINISHED]
    new = grid(15, states, {1: {"acc": 0.75}, 2: {"acc": 0.25}})
    engine.runs = [
        _with(single(16, State.FINISHED), revision=second, image_key="b"),
        replace(
            new,
            revision=second,
            image="python:3.13",
            image_key="b",
            git=GitState("b" * 40, "main"),
            config=CONFIG.replace("0.2", "0.2, 0.3"),
        ),
        replace(
            old,
            revision=first,
            image="python:3.12",
            image_key="a",
            git=GitState("a" * 40, "main"),
            config=CONFIG,
        ),
    ]
    engine.packages_by_key = {
        "a": {"numpy": "1.0", "torch": "2.0", "old": "1"},
        "b": {"numpy": "1.0", "torch": "2.1"},
    }
    return engine


def _with(run: SetStatus, revision: str, image_key: str) -> SetStatus:
    experiment = ExperimentStatus(run.id, None, State.FINISHED, {}, {"acc": 0.5})
    return replace(
        run, revision=revision, image_key=image_key, experiments=(experiment,)
    )


def test_an_environment_that_existed_is_no_other_image(
    engine: FakeEngine, riseml: Riseml
) -> None:
    config = "project: pp\ntrain: {image: 'python:3.12', run: 'true', install: pip}\n"
    engine.runs = [
        replace(single(14), image="python:3.12", image_key="a", config=config),
        replace(single(15), image="riseml-env:a", image_key="a", config=config),
    ]
    assert "Image" not in riseml("diff", "14", "15").out


SETS = """\
Code: {first} → {second}, 2 files changed
diff --git a/fit.py b/fit.py
index 814f4a4..ec71d59 100644
--- a/fit.py
+++ b/fit.py
@@ -1,2 +1,2 @@
 one
-two
+2
diff --git a/new.py b/new.py
new file mode 100644
index 0000000..3e5126c
--- /dev/null
+++ b/new.py
@@ -0,0 +1 @@
+new

Configuration:
--- riseml.yml (14)
+++ riseml.yml (15)
@@ -1,4 +1,4 @@
 project: toaster-net
 train:
-  parameters: {lr: [0.1, 0.2], opt: adam}
+  parameters: {lr: [0.1, 0.2, 0.3], opt: adam}
   run: python fit.py

Git: main aaaaaaaaaaaa → main bbbbbbbbbbbb
Image: python:3.12 → python:3.13
Image key: a → b

PACKAGES     14  15
old          1   -
torch        2.0 2.1

PARAMETERS   14         15
lr           1e-1, 1e-2 1e-1, 1e-2, 1e-3

RESULTS      OLD  NEW  OLD VALUE NEW VALUE DIFFERENCE PARAMS
acc          14.1 15.1       0.5      0.75      +0.25 lr=1e-1, opt=adam
state        14.2 15.2    FAILED  FINISHED            lr=1e-2, opt=adam
Only in 15: 1 experiment
"""


def test_two_sets(runs: FakeEngine, riseml: Riseml) -> None:
    result = riseml("diff", "14", "15")
    first, second = (run.revision[:12] for run in (runs.runs[2], runs.runs[1]))
    text = SETS.replace("{first}", first).replace("{second}", second)
    assert _without_ids(result.out) == _without_ids(text)
    assert (result.err, result.status) == ("", 0)


def _without_ids(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("index ")]


def test_stat_names_files(runs: FakeEngine, riseml: Riseml) -> None:
    lines = riseml("diff", "14", "15", "--stat").out.splitlines()
    assert lines[1:4] == [" fit.py +1 -1", " new.py +1 -0", ""]
    assert not any(line.startswith("@@ -1,2") for line in lines)


def test_experiments_of_one_set(runs: FakeEngine, riseml: Riseml) -> None:
    assert riseml("diff", "14.1", "14.2").out == (
        "Code, configuration and image: the same run\n"
        "\n"
        "PARAMETERS   14.1 14.2\n"
        "lr           1e-1 1e-2\n"
        "\n"
        "RESULTS      OLD  NEW  OLD VALUE NEW VALUE DIFFERENCE PARAMS\n"
        "acc          14.1 14.2       0.5      0.25      -0.25\n"
        "state        14.1 14.2  FINISHED    FAILED\n"
    )


def test_the_folder_as_it_is_now(runs: FakeEngine, riseml: Riseml) -> None:
    result = riseml("diff", "15", "--stat")
    assert result.out.startswith("Code: the same")
    Path("fit.py").write_text("one\nthree\nfour\n")
    Path("riseml.yml").write_text(CONFIG.replace("adam", "sgd"))
    result = riseml("diff", "15", "--stat")
    lines = result.out.splitlines()
    assert lines[1] == " fit.py +2 -1"
    assert "opt          adam             sgd" in lines
    assert lines[-2:] == ["Only in 15: 3 experiments", "Only in now: 2 experiments"]
    # No results are compared with those that do not exist yet.
    assert "RESULTS" not in result.out
    assert result.err == ""


def test_a_broken_riseml_yml_is_compared_as_text(
    runs: FakeEngine, riseml: Riseml
) -> None:
    Path("riseml.yml").write_text(CONFIG + "}\n")
    result = riseml("diff", "15", "--stat")
    assert "+}\n" in result.out
    assert "PARAMETERS" not in result.out
    assert result.err.startswith("riseml.yml cannot be read: riseml.yml:5:1: error:")
    assert result.status == 0


def test_a_set_and_an_experiment(runs: FakeEngine, riseml: Riseml) -> None:
    lines = riseml("diff", "15", "16").out.splitlines()
    assert lines[0].startswith("Code: the same")
    assert lines[-2:] == ["Only in 15: 3 experiments", "Only in 16: 1 experiment"]
    # The environments have the same key, so their packages are the same.
    assert not any(line.startswith("PACKAGES") for line in lines)


def test_code_that_is_gone_leaves_the_rest(runs: FakeEngine, riseml: Riseml) -> None:
    runs.runs[1] = replace(runs.runs[1], revision="0" * 40)
    result = riseml("diff", "14", "15")
    assert result.out.startswith("Configuration:\n")
    assert result.err.startswith("The code is not compared: ")
    runs.runs[1] = replace(runs.runs[1], revision="")
    assert "run 15 has no code" in riseml("diff", "14", "15").err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["14.1.train", "15"], "14.1.train is a job\nCompare its experiment: 14.1."),
        (["99", "15"], "no experiment 99"),
        (["14.9", "15"], "there is no experiment 14.9"),
        (["x/y", "15"], "'x/y' is not an id"),
    ],
)
def test_ids_that_cannot_be_compared(
    words: list[str], message: str, runs: FakeEngine, riseml: Riseml
) -> None:
    result = riseml("diff", *words)
    assert message in result.err
    assert result.status == 2 or "no experiment" in result.err


def test_without_a_project_one_id_is_not_enough(
    runs: FakeEngine, riseml: Riseml, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert "there is no riseml.yml to compare with" in riseml("diff", "14").err


def test_data_for_scripts(runs: FakeEngine, riseml: Riseml) -> None:
    data = validate("diff", riseml("diff", "14", "15", "-o", "json").out)
    assert data["parameters"] == {"lr": ["1e-1, 1e-2", "1e-1, 1e-2, 1e-3"]}
    assert data["packages"] == {"old": ["1", None], "torch": ["2.0", "2.1"]}
    assert data["experiments"][0]["results"] == {"acc": [0.5, 0.75]}
    assert (data["only_old"], data["only_new"]) == (0, 1)
    assert [change["path"] for change in data["code"]["files"]] == ["fit.py", "new.py"]
    validate("diff", riseml("diff", "14.1", "14.2", "-o", "json").out)
    validate("diff", riseml("diff", "14", "-o", "json").out)
    rows = riseml("diff", "14", "15", "-o", "csv").out.splitlines()
    assert rows[0] == "kind,name,old,new"
    assert "result,15.1 acc,0.5,0.75" in rows


def test_a_set_that_was_continued_with_other_code(
    runs: FakeEngine, riseml: Riseml
) -> None:
    new, old = runs.runs[1], runs.runs[2]
    config = CONFIG.replace("fit.py", "run.py")
    shards = (
        ShardStatus(1, "a", old.revision, CONFIG),
        ShardStatus(2, "b", new.revision, config, is_added=True),
    )
    first, second = old.experiments
    experiments = (first, replace(second, shard=2))
    runs.runs[2] = replace(old, shards=shards, experiments=experiments)
    lines = riseml("diff", "14.1", "14.2", "--stat").out.splitlines()
    assert lines[1:3] == [" fit.py +1 -1", " new.py +1 -0"]
    assert "+  run: python run.py" in lines
    assert riseml("ls", "code://14.1", "-o", "name").out == "fit.py\n"
    assert riseml("ls", "code://14.2", "-o", "name").out == "fit.py\nnew.py\n"
