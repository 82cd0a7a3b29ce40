"""What experiments of a run ran, and in which words other code differs."""

from dataclasses import replace
from pathlib import Path

import pytest

from riseml.client import run_code
from riseml.client.context import ClientContext
from riseml.client.repeat_types import FolderCode
from riseml.client.run_code import Code
from riseml.errors import ConfigError, OtherCodeError, RiseMLError
from riseml.project import repository_of, snapshot
from riseml.status import State
from tests.cli import fake_engine
from tests.cli.fake_engine import FakeEngine
from tests.folders import write
from tests.unit.client.submitted import (
    REVISION,
    SET_CONFIG,
    context_of,
    recorded,
    recorded_set,
)

RUN = recorded_set(State.FINISHED)
(WORKFLOW,) = RUN.workflows


def test_a_run_recorded_what_it_ran() -> None:
    run = replace(RUN, base_image="busybox@sha256:0", excluded={".gitignore": ("x",)})
    code = run_code.recorded(run, run.workflows[0])
    assert (code.revision, code.base) == (REVISION, "busybox@sha256:0")
    assert code.excluded == {".gitignore": ("x",)}
    assert [one.parameters["lr"] for one in code.plan.experiments] == [
        "1e-1",
        "1e-2",
        "1e-3",
    ]


@pytest.mark.parametrize(
    ("recorded_runner", "runner"), [("podman", "podman"), ("", "process")]
)
def test_a_repetition_has_the_runner_of_its_run(
    recorded_runner: str, runner: str
) -> None:
    # Older runs do not say that their jobs were processes.
    run = replace(RUN, runner=recorded_runner)
    assert run_code.recorded(run, run.workflows[0]).runner == runner


def test_a_run_without_record_cannot_be_repeated() -> None:
    run = fake_engine.grid(14, [State.FAILED])
    with pytest.raises(RiseMLError) as caught:
        run_code.recorded(run, run.workflows[0])
    assert str(caught.value) == "what 14 ran is not recorded, so it cannot be repeated"


def test_a_configuration_of_another_version_is_named() -> None:
    run = recorded(RUN, "project: toaster-net\ntrain:\n  unknown: 1\n")
    with pytest.raises(RiseMLError) as caught:
        run_code.recorded(run, run.workflows[0])
    message = "this version of riseml cannot read the riseml.yml of 14: "
    assert str(caught.value).startswith(message)
    assert caught.value.advice == "Use the version that started it."


def test_code_of_a_folder_is_its_snapshot(tmp_path: Path) -> None:
    (tmp_path / "riseml.yml").write_text(SET_CONFIG)
    context, engine = context_of(RUN)
    folder = FolderCode(tmp_path / "riseml.yml", gitignore=False, node="gpu-1")
    code = run_code.current(context, folder)
    assert engine.calls == [("snapshot", "toaster-net", tmp_path, False)]
    assert (code.revision, code.node, code.git) == ("0" * 40, "gpu-1", None)
    assert code.plan.config == SET_CONFIG


def test_a_faulty_folder_stores_nothing(tmp_path: Path) -> None:
    (tmp_path / "riseml.yml").write_text("project: 1\n")
    context, engine = context_of(RUN)
    with pytest.raises(ConfigError):
        run_code.current(context, FolderCode(tmp_path / "riseml.yml"))
    assert engine.calls == []


def other(revision: str = REVISION, old: str = "", new: str = "") -> Code:
    config = SET_CONFIG.replace(old, new) if old else SET_CONFIG
    code = run_code.recorded(recorded(RUN, config), recorded(RUN, config).workflows[0])
    return replace(code, revision=revision)


@pytest.mark.parametrize(
    ("code", "differing"),
    [
        (other(), []),
        (other(REVISION, "busybox", "alpine"), ["image"]),
        (other(REVISION, "fit", "better"), ["run"]),
        (other(REVISION, "  run:", "  env: {A: b}\n  run:"), ["env"]),
        (other(REVISION, "  run:", "  resources: {cpus: 3}\n  run:"), ["resources"]),
        # These do not decide what an experiment computes.
        (other(REVISION, "  run:", "  resources: {mem: 99}\n  run:"), []),
        (other(REVISION, "  run:", "  timeout: 1h\n  run:"), []),
        (other("b" * 40, "busybox", "alpine"), ["code", "image"]),
    ],
)
def test_differences_are_named_by_their_keys(code: Code, differing: list[str]) -> None:
    context, _ = context_of(RUN)
    assert run_code.differences(context, RUN, WORKFLOW, code) == differing


def test_changed_files_are_named(tmp_path: Path) -> None:
    repository = repository_of("toaster-net", tmp_path / "home")
    folder = write(tmp_path / "project", {f"{name}.py": "1\n" for name in "abcde"})
    old = snapshot(folder, repository, split=True).revision
    write(folder, {f"{name}.py": "2\n" for name in "abcd"})
    new = snapshot(folder, repository, split=True).revision
    run = replace(RUN, revision=old)
    context = ClientContext(None, FakeEngine([run], code=repository))
    (workflow,) = run.workflows
    differing = run_code.differences(context, run, workflow, other(new))
    assert differing == ["code (a.py, b.py, c.py, ...)"]
    same = run_code.differences(context, run, workflow, other(old))
    assert same == []


def test_other_code_is_refused_until_the_user_agrees() -> None:
    context, _ = context_of(RUN)
    code = other("b" * 40)
    run_code.check_same(context, RUN, WORKFLOW, code, other_code=True)
    with pytest.raises(OtherCodeError) as caught:
        run_code.check_same(context, RUN, WORKFLOW, code, other_code=False)
    assert str(caught.value).endswith("another configuration; what differs: code")
    run_code.check_same(context, RUN, WORKFLOW, other(), other_code=False)
