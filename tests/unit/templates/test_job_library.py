"""Library for jobs: one file, for old and new versions of Python, that never raises."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import riseml
from riseml import templating

PATH = templating.folder() / "library/riseml.py"


class Scalar:
    """A number of numpy, torch or jax."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def item(self) -> Any:
        return self.value


class Array:
    """An array of several numbers."""

    def item(self) -> Any:
        raise ValueError("can only convert an array of size 1")

    def tolist(self) -> list[float]:
        return [1.0, float("nan")]


class Endless:
    """A mock, which has every attribute; an attribute is a mock as well."""

    def __getattr__(self, name: str) -> "Endless":
        return self

    def __call__(self) -> "Endless":
        return self

    def __repr__(self) -> str:
        return "endless"


@pytest.fixture
def library() -> ModuleType:
    """Load the file again, as another process does."""
    module = ModuleType("riseml")
    exec(compile(PATH.read_bytes(), str(PATH), "exec"), module.__dict__)
    return module


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "deep/er/results.jsonl"
    monkeypatch.setenv("RESULT_FILE", str(path))
    monkeypatch.setenv("RISEML_EXPERIMENT", "14.3")
    return path


@pytest.fixture(autouse=True)
def _outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RESULT_FILE", "RISEML_EXPERIMENT", "ARGO_PROGRESS_FILE"):
        monkeypatch.delenv(name, raising=False)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_results_join_those_of_earlier_calls(
    library: ModuleType, results: Path
) -> None:
    library.report_result(accuracy=0.5, loss=2)
    library.report_result(loss=1)
    assert _lines(results) == [
        {"accuracy": 0.5, "loss": 2},
        {"accuracy": 0.5, "loss": 1},
    ]


def test_results_join_those_of_other_processes(
    library: ModuleType, results: Path
) -> None:
    results.parent.mkdir(parents=True)
    results.write_text(
        '{"loss": 9, "accuracy": 0.1}\n{"from": "another one", "loss": 3}\n\n'
    )
    library.report_result(loss=1)
    assert json.loads(results.read_text().splitlines()[-1]) == {
        "from": "another one",
        "loss": 1,
    }


@pytest.mark.parametrize("before", ["no json\n", "[1]\n", "\xff\n", '{"torn": ', ""])
def test_malformed_lines_of_others_do_no_harm(
    library: ModuleType, results: Path, before: str
) -> None:
    results.parent.mkdir(parents=True)
    results.write_bytes(before.encode("latin-1"))
    library.report_result(loss=1)
    assert json.loads(results.read_bytes().decode("latin-1").splitlines()[-1]) == {
        "loss": 1
    }


def test_a_result_longer_than_a_block_joins_that_of_another_process(
    library: ModuleType, results: Path
) -> None:
    others = {f"name-{number}": "x" * 100 for number in range(2000)}
    results.parent.mkdir(parents=True)
    results.write_text(json.dumps({"old": 1}) + "\n" + json.dumps(others) + "\n")
    library.report_result(loss=1)
    assert _lines(results)[-1] == {**others, "loss": 1}


def test_a_torn_line_of_another_process_loses_only_itself(
    library: ModuleType, results: Path
) -> None:
    results.parent.mkdir(parents=True)
    results.write_text('{"acc": 1}\n{"acc": 2, "lo')
    library.report_result(loss=1)
    lines = results.read_text().splitlines()
    assert json.loads(lines[-1]) == {"acc": 1, "loss": 1}
    assert lines[1] == '{"acc": 2, "lo'


def test_a_line_of_another_program_between_two_reports_counts(
    library: ModuleType, results: Path
) -> None:
    library.report_result(loss=1)
    with results.open("a") as file:
        file.write('{"acc": 0.5, "loss": 2}\n')
    library.report_result(step=3)
    assert _lines(results)[-1] == {"acc": 0.5, "loss": 1, "step": 3}


def test_a_file_of_many_reports_stays_short(
    library: ModuleType, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_FILE_LIMIT", 20_000)
    monkeypatch.setattr(library, "_KEPT", 2_000)
    results.parent.mkdir(parents=True)
    results.write_text("no json\n")
    for step in range(1000):
        library.report_result(step=step, text="x" * 100)
        assert results.stat().st_size <= 20_000
    lines = results.read_text().splitlines()
    assert lines[0] == "no json"
    assert json.loads(lines[1])["step"] == 0
    assert json.loads(lines[-1])["step"] == 999
    index = results.with_name(f"{results.name}.times")
    assert sorted(results.parent.iterdir()) == [results, index]


def test_jobs_that_share_a_file_that_is_shortened_lose_nothing(results: Path) -> None:
    code = """
import os, riseml
riseml.report_result.__globals__.update(_FILE_LIMIT=20000, _KEPT=2000)
for step in range(100):
    riseml.report_result(**{"step-%d" % os.getpid(): step, "text": "x" * 500})
"""
    env = {**os.environ, "PYTHONPATH": str(PATH.parent)}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=env) for _ in range(3)
    ]
    assert [process.wait(60) for process in processes] == [0] * 3
    steps = {f"step-{process.pid}": 99 for process in processes}
    assert _lines(results)[-1] == {**steps, "text": "x" * 500}
    assert results.stat().st_size < 25_000


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (True, True),
        (None, None),
        (3, 3),
        (10**30, 10**30),
        (0.1, 0.1),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        ("\u00e4\n", "\u00e4\n"),
        (b"bytes", "bytes"),
        ((1, 2), [1, 2]),
        ({"a": {1: float("nan")}}, {"a": {"1": "NaN"}}),
        (Scalar(0.25), 0.25),
        (Scalar(float("nan")), "NaN"),
        (Scalar(Scalar(2)), 2),
        (Array(), [1.0, "NaN"]),
        (Endless(), "endless"),
        (1j, "1j"),
        (Path("/a"), "/a"),
    ],
)
def test_values_become_json(
    library: ModuleType, results: Path, value: Any, plain: Any
) -> None:
    library.report_result(value=value)
    text = results.read_text()
    assert json.loads(
        text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON")
    ) == {"value": plain}


def test_numbers_of_numpy_become_plain_numbers(
    library: ModuleType, results: Path
) -> None:
    class Scalar:
        """A scalar like those of numpy and torch: not a number, but convertible to one."""

        def __init__(self, value: object) -> None:
            self.value = value

        def item(self) -> object:
            return self.value

    class Array:
        def item(self) -> object:
            raise ValueError("can only convert an array of size 1")

        def tolist(self) -> list[int]:
            return [1, 2]

    library.report_result(a=Scalar(0.5), b=Scalar(3), c=Array(), d=Scalar(value=True))
    assert _lines(results) == [{"a": 0.5, "b": 3, "c": [1, 2], "d": True}]


# Each call, and what it returns outside of a job
_OUTSIDE = {
    "report_result(loss=1, accuracy=object())": None,
    "report_progress(3, 10)": None,
    "report_progress('no number', None)": None,
    "experiment_id()": None,
    "should_stop()": False,
}


@pytest.mark.parametrize("call", _OUTSIDE)
def test_outside_of_a_job_nothing_happens(
    library: ModuleType,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert eval(call, vars(library)) is _OUTSIDE[call]
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


def test_it_can_be_imported_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    module = ModuleType("riseml")
    exec(compile(PATH.read_bytes(), str(PATH), "exec"), module.__dict__)
    assert module.report_result(loss=1) is None


_OLD_PYTHON = """
import riseml
riseml.report_result(loss=0.5, text=u"\\u00e9")
riseml.report_result(accuracy=1)
riseml.report_progress(3, 10)
assert riseml.experiment_id() == "14.3"
assert riseml.should_stop() is False
"""


@pytest.mark.parametrize("name", ["python2.7", "python3.6", "python3.8", "python3.13"])
def test_old_and_new_versions_of_python_report(
    tmp_path: Path, results: Path, name: str
) -> None:
    python = shutil.which(name)
    if not python or subprocess.run([python, "-V"], check=False).returncode:
        pytest.skip(f"no {name} on this machine")
    environment = {
        **os.environ,
        "PYTHONPATH": str(PATH.parent),
        "ARGO_PROGRESS_FILE": str(tmp_path / "progress"),
    }
    # The folder of the checkout comes first on the path of `python -c`.
    subprocess.run(
        [python, "-c", _OLD_PYTHON], cwd=tmp_path, env=environment, check=True
    )
    assert _lines(results)[-1] == {"accuracy": 1, "loss": 0.5, "text": "é"}
    assert (tmp_path / "progress").read_text() == "3/10\n"


def test_reports_never_raise(
    library: ModuleType, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endless: list[Any] = []
    endless.append(endless)
    library.report_result(loss=endless)
    results.parent.mkdir(parents=True, exist_ok=True)
    results.mkdir()
    library.report_result(loss=1)
    os.environ["ARGO_PROGRESS_FILE"] = str(results)
    library.report_progress(1, 2)
    library.report_progress("a", object())
    assert capsys.readouterr().err.count("could not be reported") == 4


def test_progress_is_written_as_argo_reads_it(
    library: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "progress"
    monkeypatch.setenv("ARGO_PROGRESS_FILE", str(path))
    for done, total, written in (
        (3, 10, "3/10"),
        (0, 0, "0/1"),
        (12, 10, "10/10"),
        (-1, 5, "0/5"),
        (2.9, 4.0, "2/4"),
    ):
        library.report_progress(done, total)
        assert path.read_text() == written + "\n"


_REPORTER = """
import sys
sys.path.insert(0, sys.argv[1])
import riseml
total = int(sys.argv[2])
for done in range(1000):
    riseml._published[:] = []
    riseml.report_progress(done % (total + 1), total)
"""


def test_processes_that_report_different_totals_never_leave_a_torn_file(
    tmp_path: Path,
) -> None:
    """Argo's executor crashes on a line such as `00`, the end of a longer one."""
    (tmp_path / "lib").mkdir()
    shutil.copy(PATH, tmp_path / "lib")
    files = [tmp_path / "argo", tmp_path / "progress"]
    environment = {
        "ARGO_PROGRESS_FILE": str(files[0]),
        "RESULT_FILE": str(tmp_path / "results.jsonl"),
        "PATH": os.environ["PATH"],
    }
    reporters = []
    for total in (9, 100_000):
        command = [sys.executable, "-c", _REPORTER, str(tmp_path / "lib"), str(total)]
        reporters.append(subprocess.Popen(command, env=environment))
    seen = {path: set[str]() for path in files}
    while any(reporter.poll() is None for reporter in reporters):
        for path in filter(Path.exists, files):
            seen[path].add(path.read_text())
    assert [reporter.wait() for reporter in reporters] == [0, 0]
    for path, attempt in zip(files, ("", " 0"), strict=True):
        complete = re.compile(rf"\d+/(9|100000){attempt}\n")
        assert [text for text in seen[path] if not complete.fullmatch(text)] == []
        assert len(seen[path]) > 1
    assert {path.name for path in tmp_path.iterdir()} == {"argo", "lib", "progress"}


def test_progress_is_written_to_the_volume_at_most_once_a_second(
    library: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGO_PROGRESS_FILE", str(tmp_path / "argo"))
    monkeypatch.setenv("RESULT_FILE", str(tmp_path / "results.jsonl"))
    monkeypatch.setenv("RISEML_ATTEMPT", "2")
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    published = []
    for seconds, done in ((0, 1), (0.5, 2), (0.6, 3), (0.1, 4), (0.2, 10)):
        now += seconds
        library.report_progress(done, 10)
        assert (tmp_path / "argo").read_text() == f"{done}/10\n"
        published.append((tmp_path / "progress").read_text())
    # The last step is never left out.
    assert published == ["1/10 2\n"] * 2 + ["3/10 2\n"] * 2 + ["10/10 2\n"]


def test_without_a_progress_file_nothing_is_printed(
    library: ModuleType, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library.report_progress(1, 2)
    assert capsys.readouterr() == ("", "")


def test_the_id_of_the_experiment_is_that_of_the_environment(
    library: ModuleType, results: Path
) -> None:
    assert library.experiment_id() == "14.3"


def test_jobs_that_share_a_file_write_complete_lines(results: Path) -> None:
    report = (
        "riseml.report_result(**{'name-%d' % __import__('os').getpid(): 'x' * 500})"
    )
    code = f"import riseml\nfor i in range(50): {report}"
    env = {**os.environ, "PYTHONPATH": str(PATH.parent)}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=env) for _ in range(4)
    ]
    assert [process.wait(60) for process in processes] == [0] * 4
    lines = _lines(results)
    assert len(lines) == 200
    # The last line includes the values of the other processes.
    assert len(lines[-1]) == 4


def test_the_installed_package_has_the_same_functions(results: Path) -> None:
    riseml.report_result(loss=1)
    assert _lines(results) == [{"loss": 1}]
    assert riseml.experiment_id() == "14.3"
    assert callable(riseml.report_progress)
    with pytest.raises(AttributeError, match="has no attribute 'report_results'"):
        riseml.report_results  # noqa: B018


def test_importing_the_package_loads_no_other_module() -> None:
    code = "import sys; before = set(sys.modules); import riseml; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert loaded.split() == ["riseml"]


def test_the_file_is_valid_python_2() -> None:
    tree = ast.parse(PATH.read_text("utf-8"), feature_version=(3, 4))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            new = [
                node.args.kwonlyargs,
                node.args.posonlyargs,
                node.returns,
                *(a.annotation for a in node.args.args),
            ]
            assert not any(new)
        assert not isinstance(
            node,
            ast.JoinedStr
            | ast.AnnAssign
            | ast.Starred
            | ast.Nonlocal
            | ast.AsyncFunctionDef,
        )
        if isinstance(node, ast.Raise):
            assert node.cause is None
    assert PATH.read_bytes().isascii()


def test_an_index_says_when_results_were_reported(
    library: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "results.jsonl"
    monkeypatch.setenv("RESULT_FILE", str(results))
    before = time.time()
    for _ in range(50):
        library.report_result(loss=1)
    lines = (tmp_path / "results.jsonl.times").read_text().splitlines()
    # At most one line a second is added.
    assert 1 <= len(lines) <= 1 + time.time() - before
    seconds, size = lines[0].split()
    assert before - 1 <= float(seconds) <= time.time()
    assert int(size) == len('{"loss": 1}\n')
