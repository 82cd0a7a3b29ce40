"""TensorBoards of this machine: which one is started, and what is left of it."""

import re
from pathlib import Path
from typing import cast

import psutil
import pytest

from riseml.client import tensorboard, tensorboard_program
from riseml.client.client import Client
from riseml.engines import Engine
from riseml.errors import RiseMLError, UnsupportedError
from riseml.status import SetStatus, State
from tests.cli.fake_engine import FakeEngine, single
from tests.local import tensorboards

HAS_ONE = "#!/bin/sh\nexit 0\n"


def silent(text: str) -> None:
    """Drop a note."""


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        ({"tensorboard": "", "python3": HAS_ONE}, ["tensorboard"]),
        ({"python3": HAS_ONE}, ["python3", "-m", "tensorboard.main"]),
        (
            {"python3": tensorboards.WORTHLESS, "python": HAS_ONE},
            ["python", "-m", "tensorboard.main"],
        ),
        ({"python3": tensorboards.WORTHLESS}, ["mine", "-m", "tensorboard.main"]),
    ],
    ids=["on the PATH", "in python3", "in python", "in this one"],
)
def test_the_users_tensorboard_is_preferred(
    programs: dict[str, str],
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tensorboards.path_with(tmp_path / "bin", mine=HAS_ONE, **programs)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin/mine"))
    assert tensorboard_program.command() == [
        str(tmp_path / "bin" / expected[0]),
        *expected[1:],
    ]


def test_a_folder_named_tensorboard_is_not_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorboard").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    with pytest.raises(RiseMLError, match="there is no tensorboard"):
        tensorboard_program.command()


@pytest.mark.parametrize(
    "program",
    [tensorboards.SERVES, tensorboards.STUBBORN],
    ids=["serves", "ignores TERM"],
)
def test_closing_ends_all_processes(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = program.replace(
        "import http.server",
        "import subprocess; subprocess.Popen(['sleep', '1000'])\nimport http.server",
    )
    monkeypatch.setenv(
        "PATH", tensorboards.path_with(tmp_path / "bin", tensorboard=child)
    )
    monkeypatch.setattr(tensorboard, "_GRACE_SECONDS", 0.2)
    with tensorboard.serve(tmp_path, 0, silent) as opened:
        assert tensorboard.answers(opened.url)
        assert not opened.is_own
        parent = next(
            process
            for process in psutil.Process().children()
            if "sleep" in str(process.children())
        )
        processes = [parent, *parent.children()]
    assert len(processes) == 2
    assert psutil.wait_procs(processes, timeout=60)[1] == []
    assert not tensorboard.answers(opened.url)


def test_a_port_in_use_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "PATH",
        tensorboards.path_with(tmp_path / "bin", tensorboard=tensorboards.SERVES),
    )
    port = tensorboard_program.free_port(0)
    with tensorboard.serve(tmp_path, port, silent) as opened:
        assert opened.url == f"http://127.0.0.1:{port}"
        with pytest.raises(
            RiseMLError, match=f"port {port} cannot be used: Address already in use"
        ):
            tensorboard.serve(tmp_path, port, silent)


def test_a_failure_quotes_the_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tensorboards.SERVES.replace(
        "server.serve_forever()",
        "server.handle_request(); print('enough'); sys.exit(3)",
    )
    monkeypatch.setenv(
        "PATH", tensorboards.path_with(tmp_path / "bin", tensorboard=program)
    )
    with (
        tensorboard.serve(tmp_path, 0, silent) as opened,
        pytest.raises(RiseMLError) as caught,
    ):
        opened.wait()
    assert (str(caught.value), caught.value.advice) == (
        "tensorboard has ended with status 3",
        "it serves\nenough",
    )


def test_closing_leaves_a_runs_own_tensorboard_alone() -> None:
    with tensorboard.TensorBoard("http://127.0.0.1:1") as opened:
        assert opened.is_own
        opened.wait()


class RemoteEngine:
    """An engine whose outputs and TensorBoards cannot be reached from here."""

    name, user = "far", "paul"

    def read(self, run: object) -> SetStatus:
        return single(14, State.FINISHED)


def test_an_engine_without_local_output_is_named_in_the_error(tmp_path: Path) -> None:
    client = Client(engine=cast(Engine, RemoteEngine()))
    for act in (client.output, client.tensorboard):
        with pytest.raises(
            UnsupportedError,
            match="the outputs of the engine far are not on this machine",
        ):
            act("14")
    near = FakeEngine(runs=[single(14)], outputs=tmp_path)
    assert Client(engine=near).output("14") == tmp_path / "14"


def test_the_environment_of_the_run_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tensorboards.path_with(tmp_path / "bin", tensorboard=tensorboards.SERVES)
    monkeypatch.setenv("PATH", path)
    users = [str(tmp_path / "bin/tensorboard")]
    environment = tmp_path / "environment"
    # `riseml prune` has removed it.
    assert tensorboard_program.command(environment) == users
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin/python"
    python.write_text(tensorboards.WORTHLESS)
    python.chmod(0o755)
    assert tensorboard_program.command(environment) == users
    python.write_text(HAS_ONE)
    own = [str(python), "-m", "tensorboard.main"]
    assert tensorboard_program.command(environment) == own


def test_the_log_says_that_none_is_installed() -> None:
    script = Path(__file__).parents[3] / "templates/tensorboard.sh"
    (message,) = re.findall("'(no working .*?)'", script.read_text())
    assert tensorboard_program.is_missing(["first", f"riseml: {message}"])
    assert not tensorboard_program.is_missing(["TensorBoard 2.20.0 at http://x:1/"])
