"""`riseml tensorboard` of active and ended runs, and the page of a run in Argo."""

import http.server
import json
import os
import signal
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from riseml.client import tensorboard
from riseml.engines import Chunk
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid, job, single
from tests.local import tensorboards

# The line that templates/tensorboard.sh begins with
MISSING = b"riseml: no working tensorboard is installed; the experiments continue without it.\n"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(503)  # an answer is an answer

    def log_message(self, format: str, *words: object) -> None:  # noqa: A002
        """Log nothing."""


@contextmanager
def serving(port: int = 0, pause: float = 0.0) -> Iterator[str]:
    """Serve HTTP after `pause` seconds, and yield the address."""
    server = http.server.HTTPServer(
        ("127.0.0.1", port), Answer, bind_and_activate=False
    )
    server.server_bind()

    def serve() -> None:
        if pause:
            server.server_activate()
        server.serve_forever(0.01)

    if not pause:
        server.server_activate()  # not in the other thread, which may come late
    timer = threading.Timer(pause, serve)
    timer.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        timer.join(pause)  # it may not have begun
        server.shutdown()
        timer.join()
        server.server_close()


@pytest.fixture
def outputs(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return the output folder, with output of run 15 and a TensorBoard on the PATH."""
    engine.runs = [replace(grid(15, [State.FINISHED, State.FAILED]))]
    engine.outputs = tmp_path / "output"
    (engine.outputs / "15").mkdir(parents=True)
    (engine.outputs / "15.2").mkdir()
    monkeypatch.setenv(
        "PATH",
        tensorboards.path_with(tmp_path / "bin", tensorboard=tensorboards.SERVES),
    )
    return engine.outputs


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Interrupt every wait for a TensorBoard; return whether each answered at that time."""
    answered: list[bool] = []

    def wait(server: tensorboard.TensorBoard) -> None:
        answered.append(tensorboard.answers(server.url))
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()

    monkeypatch.setattr(tensorboard.TensorBoard, "wait", wait)
    return answered


def test_the_tensorboard_of_a_run_is_opened(engine: FakeEngine, riseml: Riseml) -> None:
    with serving() as url:
        engine.runs = [replace(single(16), tensorboard_url=url), single(15)]
        result = riseml("tensorboard")
    assert (result.status, result.out, result.err) == (0, f"{url}\n", "")


def test_status_shows_the_page_in_argo(engine: FakeEngine, riseml: Riseml) -> None:
    page = "https://argo.example.com/workflows/riseml-paul/mnist-16"
    engine.runs = [replace(single(16), page=page), single(15)]
    assert f"\nArgo: {page}\n" in riseml("status", "16").out
    assert json.loads(riseml("status", "16", "-o", "json").out)["page"] == page
    assert "Argo:" not in riseml("status", "15").out


def test_a_starting_tensorboard_is_awaited(engine: FakeEngine, riseml: Riseml) -> None:
    with serving(pause=0.3) as url:
        engine.runs = [replace(single(16), tensorboard_url=url)]
        result = riseml("tensorboard", "16")
    assert (result.status, result.out, result.err) == (
        0,
        f"{url}\n",
        f"Waiting for TensorBoard to start at {url} ...\n",
    )


def test_an_ended_run_is_shown_until_ctrl_c(
    outputs: Path, riseml: Riseml, interrupted: list[bool]
) -> None:
    for name in ("15", "15.2"):
        result = riseml("tensorboard", name)
        assert result.status == 0
        assert result.out.startswith("http://127.0.0.1:")
        assert (
            result.err
            == f"Starting TensorBoard over {outputs / name} ...\nPress Ctrl-C to stop it.\n\n"
        )
        assert not tensorboard.answers(result.out.strip())
    assert interrupted == [True, True]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_local_tensorboard_replaces_one_that_does_not_answer(
    outputs: Path,
    engine: FakeEngine,
    riseml: Riseml,
    interrupted: list[bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving() as free:
        pass  # Nobody answers at this address once the server is gone.
    monkeypatch.setattr(tensorboard, "_PATIENCE_SECONDS", 0.0)
    engine.runs = [replace(engine.runs[0], tensorboard_url=free)]
    result = riseml("tensorboard", "15")
    assert result.status == 0
    assert (
        "It does not answer; `riseml logs 15.tensorboard` says why.\nStarting TensorBoard over "
        in result.err
    )
    assert interrupted == [True]


def test_a_run_that_ends_during_the_wait_is_shown_locally(
    outputs: Path,
    engine: FakeEngine,
    riseml: Riseml,
    interrupted: list[bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving() as free:
        pass  # Nobody answers at this address once the server is gone.
    addresses = iter([free, free, None, None])
    monkeypatch.setattr(engine, "tensorboard_url", lambda run: next(addresses))
    assert (
        "It has ended.\nStarting TensorBoard over " in riseml("tensorboard", "15").err
    )
    assert interrupted == [True]


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (tensorboards.FAILS, "tensorboard has ended with status 1\nno flag --port\n"),
        (tensorboards.DIES, "tensorboard has ended with status -9\n"),
    ],
)
def test_a_failing_tensorboard_is_reported(
    program: str, words: str, outputs: Path, riseml: Riseml, tmp_path: Path
) -> None:
    (tmp_path / "bin/tensorboard").write_text(program)
    result = riseml("tensorboard")
    assert (result.status, result.out) == (1, "")
    assert result.err.endswith(f"riseml: error: {words}")


def test_a_missing_tensorboard_is_reported_with_advice(
    outputs: Path, riseml: Riseml, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    monkeypatch.setattr("sys.executable", "/bin/false")
    result = riseml("tensorboard")
    assert result.status == 1
    assert result.err.startswith(
        "riseml: error: there is no tensorboard in your environment\nInstall it with `pip install "
    )


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (["99"], 4, "no experiment 99"),
        (["15.7"], 4, "there is no experiment 15.7"),
        (["15.1"], 4, "there is no output: "),
        ([".paul"], 2, "'.paul' does not identify any experiment"),
        (["15", "--port", "-1"], 2, "invalid value for '--port'"),
    ],
)
def test_ids_without_a_tensorboard(
    words: list[str], status: int, error: str, outputs: Path, riseml: Riseml
) -> None:
    result = riseml("tensorboard", *words)
    assert (result.status, result.out) == (status, "")
    assert result.err.startswith(f"riseml: error: {error}")


@pytest.mark.parametrize(
    ("words", "display", "width", "opened"),
    [
        ([], ":0", 80, True),
        (["--no-browser"], ":0", 80, False),
        ([], "", 80, False),
        ([], ":0", 0, False),
    ],
    ids=["", "not expected", "no display", "no terminal"],
)
def test_a_browser_is_opened_only_on_a_desktop(  # noqa: PLR0917 (fixtures)
    words: list[str],
    display: str,
    width: int,
    opened: bool,
    engine: FakeEngine,
    riseml: Riseml,
    screen: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened_urls: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened_urls.append)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", display)
    if width:
        screen(width)
    with serving() as url:
        engine.runs = [replace(single(16), tensorboard_url=url)]
        assert riseml("tensorboard", *words).status == 0
    assert opened_urls == ([url] if opened else [])


def test_status_shows_an_address_that_responds(
    engine: FakeEngine, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("riseml.client.context.open_engine", lambda settings: engine)
    with serving() as url:
        board = job("19.tensorboard")
        run = replace(single(19), jobs=(board,), tensorboard_url=url)
        engine.runs = [run]
        assert f"Tensorboard: {url}\n" in riseml("status", "19").out
    assert "Tensorboard: STARTING\n" in riseml("status", "19").out
    assert "No tensorboard" not in riseml("status", "19").out


def test_status_says_that_none_is_installed(engine: FakeEngine, riseml: Riseml) -> None:
    board = job("19.tensorboard")
    engine.runs = [replace(single(19), jobs=(board,))]
    engine.events = [Chunk("19.tensorboard", MISSING)]
    assert riseml("status", "19").out.endswith(
        "\n\nNo tensorboard is installed where run 19 runs: add `pip install tensorboard` to"
        " `install` in riseml.yml, or to its image.\n"
    )


def test_a_missing_tensorboard_is_reported_at_once(
    engine: FakeEngine,
    riseml: Riseml,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tensorboard, "_PATIENCE_SECONDS", 10_000.0)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", "/bin/false")
    engine.outputs = tmp_path
    (tmp_path / "19").mkdir()
    board = job("19.tensorboard")
    # Nothing listens there.
    url = "http://127.0.0.1:1"
    engine.runs = [replace(single(19), jobs=(board,), tensorboard_url=url)]
    engine.events = [Chunk("19.tensorboard", MISSING)]
    result = riseml("tensorboard", "19")
    assert (result.status, result.out) == (1, "")
    assert result.err.splitlines() == [
        "Waiting for TensorBoard to start at http://127.0.0.1:1 ...",
        (
            "No tensorboard is installed where run 19 runs: add `pip install tensorboard` to"
            " `install` in riseml.yml, or to its image."
        ),
        "riseml: error: there is no tensorboard in your environment",
        "Install it with `pip install tensorboard`, or put an installed one on your PATH.",
    ]
