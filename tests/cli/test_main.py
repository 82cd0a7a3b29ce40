"""Table of commands, errors, interrupts, pipes, and imports at start-up."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from riseml import cli
from riseml.cli import app, progress
from riseml.engines import Change, Chunk
from riseml.errors import (
    ConfigError,
    Fault,
    HomeError,
    InvalidInputError,
    NotAllowedError,
    NotFoundError,
    UnreachableError,
    UnsupportedError,
)
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, single

HEAVY = {"hera", "kubernetes", "jinja2", "pydantic", "rich", "asyncio", "psutil"}
# Commands of other packages, which only `--help` and unknown words need
ENTRY_POINTS = {"importlib.metadata"}

GROUPS = {name for name in cli.COMMANDS if hasattr(cli.load(name), "COMMANDS")}


def _summary(module: ModuleType) -> str:
    documented = module if hasattr(module, "COMMANDS") else module.command
    return (documented.__doc__ or "").splitlines()[0]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_table_has_the_summary_of_each_command(name: str) -> None:
    assert cli.COMMANDS[name].summary == _summary(cli.load(name))


def test_the_help_fits_a_terminal_of_80_columns(riseml: Riseml) -> None:
    assert max(map(len, riseml("--help").out.splitlines())) <= 80


def test_the_table_lists_every_module_with_a_command() -> None:
    listed = {command.module for command in cli.COMMANDS.values()}
    missing = []
    for file in sorted(Path(cli.__file__).parent.glob("*.py")):
        module = import_module(f"riseml.cli.{file.stem}")
        is_command = hasattr(module, "command") or isinstance(
            getattr(module, "COMMANDS", None), dict
        )
        if file.stem != "__init__" and is_command and file.stem not in listed:
            line = f'"{file.stem}": Command("{file.stem}", "{_summary(module)}", RUN),'
            missing.append(line)
    assert not missing, "add to COMMANDS in riseml/cli/__init__.py: " + "\n".join(
        missing
    )


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_every_group_has_help_for_itself_and_its_commands(
    name: str, riseml: Riseml
) -> None:
    result = riseml(name)
    assert result.status == 0
    assert result.out.startswith(cli.COMMANDS[name].summary)
    assert result == riseml(name, "--help") == riseml("help", name)
    for word in cli.load(name).COMMANDS:
        assert f"\n  {word} " in result.out
        assert riseml(name, word, "--help").out.startswith(
            f"Usage: riseml {name} {word}"
        )


@pytest.mark.parametrize("name", sorted(set(cli.COMMANDS) - GROUPS))
def test_every_command_has_help(name: str, riseml: Riseml) -> None:
    result = riseml(name, "--help")
    assert result.status == 0
    assert result.out.startswith(f"Usage: riseml {name}")
    assert cli.COMMANDS[name].summary in " ".join(result.out.split())
    assert result == riseml(name, "-h") == riseml("help", name)
    command = app.build(name, cli.load(name).command)
    if command.params:
        # Examples follow the first sentences.
        _usage, _summary, examples, *_ = result.out.split("\n\n")
        assert examples.lstrip().startswith("Example")


def _loaded(*words: str, home: Path, folder: Path | None = None) -> set[str]:
    code = "import sys, riseml.__main__ as m; s = m.cli.main(sys.argv[1:]); print(*sys.modules, s, file=sys.stderr)"
    environment = {**os.environ, "RISEML_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        check=True,
    )
    *modules, status = done.stderr.split("\n")[-2].split()
    assert status == "0", done.stderr
    return set(modules)


@pytest.mark.parametrize(
    "line", ["--version", "status", "status -a -l", "train --help", "whoami"]
)
def test_quick_commands_load_nothing_heavy(line: str, tmp_path: Path) -> None:
    modules = _loaded(*line.split(), home=tmp_path / "none")
    assert not modules & (HEAVY | ENTRY_POINTS)


@pytest.mark.parametrize("line", ["status", "status -a -l -n 5", "whoami"])
def test_correct_lines_load_neither_typer_nor_dataclasses(
    line: str, tmp_path: Path
) -> None:
    modules = _loaded(*line.split(), home=tmp_path / "none")
    assert not modules & {"typer", "dataclasses", "inspect"}


@pytest.mark.parametrize("line", ["check", "train --dry-run"])
def test_a_plan_loads_neither_compiler_nor_typer(line: str, tmp_path: Path) -> None:
    config = "project: quick\ntrain: {image: busybox, run: echo}\n"
    (tmp_path / "riseml.yml").write_text(config)
    modules = _loaded(*line.split(), home=tmp_path / "none", folder=tmp_path)
    unneeded = {"typer", "dataclasses", "inspect", "random", "riseml.compiler"}
    assert not modules & (HEAVY | unneeded)


def test_status_on_one_machine_reads_no_documents(tmp_path: Path) -> None:
    modules = _loaded("status", home=tmp_path / "none")
    unneeded = {
        "riseml.status.document",
        "riseml.client.cron_schedule",
        "decimal",
        "ipaddress",
        "shutil",
        "socket",
        "threading",
        "urllib.parse",
    }
    assert not modules & unneeded


def test_paths_become_uris_as_usual(tmp_path: Path) -> None:
    program = "import riseml.cli as c; c._load_pathlib(); import pathlib, sys; "
    program += "assert 'urllib.parse' not in sys.modules; "
    program += "print(pathlib.Path('/ä b').as_uri()); from urllib import parse; "
    program += "print(parse.quote('ä'), parse.urlsplit('a:b').scheme)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        check=True,
        text=True,
        capture_output=True,
    )
    assert done.stdout.split() == ["file:///%C3%A4%20b", "%C3%A4", "a"]


def test_help_loads_no_command(tmp_path: Path) -> None:
    modules = _loaded("--help", home=tmp_path / "none")
    assert not modules & (HEAVY | {"typer", "click", "subprocess"})
    assert not (tmp_path / "none").exists()


def test_the_version_loads_almost_nothing(tmp_path: Path) -> None:
    modules = _loaded("--version", home=tmp_path / "none")
    unwanted = {
        "typing",
        "typer",
        "click",
        "json",
        "subprocess",
        "dataclasses",
        "riseml.errors",
    }
    assert not modules & unwanted
    assert not (tmp_path / "none").exists()


BUG = "This is a bug in RiseML. Run the command again with --debug to see where.\n"
ERRORS = {
    "input": (
        InvalidInputError("bad word", "Say it better."),
        2,
        "riseml: error: bad word\nSay it better.\n",
    ),
    "config": (
        ConfigError(
            (
                Fault(
                    "riseml.yml",
                    3,
                    5,
                    "unknown key 'trian'",
                    source="    trian:",
                    advice="Did you mean train?",
                ),
            )
        ),
        2,
        "riseml.yml:3:5: error: unknown key 'trian'\n        trian:\n        ^\n    Did you mean train?\n",
    ),
    "unreachable": (UnreachableError("no answer"), 3, "riseml: error: no answer\n"),
    "not allowed": (NotAllowedError("not you"), 3, "riseml: error: not you\n"),
    "not found": (NotFoundError("no run 9"), 4, "riseml: error: no run 9\n"),
    "home": (
        HomeError("disk full", "Free some."),
        1,
        "riseml: error: disk full\nFree some.\n",
    ),
    "unsupported": (UnsupportedError("no"), 1, "riseml: error: no\n"),
    "system": (
        PermissionError(13, "Permission denied", "/x"),
        1,
        "riseml: error: /x: Permission denied\n",
    ),
    "bug": (
        ValueError("what\never"),
        1,
        "riseml: error: unexpected ValueError: what ever\n" + BUG,
    ),
    "odd text": (NotFoundError("no 'r\udce4k'"), 4, "riseml: error: no 'r\ufffdk'\n"),
    "interrupt": (KeyboardInterrupt(), 130, "\nAborted.\n"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_and_their_exit_statuses(
    name: str, engine: FakeEngine, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, status, text = ERRORS[name]

    def fail(query: object) -> None:
        raise error

    monkeypatch.setattr(engine, "list", fail)
    result = riseml("status")
    assert (result.status, result.out, result.err) == (status, "", text)


@pytest.mark.parametrize(
    ("words", "variable"), [(["--debug"], ""), ([], "1"), ([], "0")]
)
def test_tracebacks_need_an_option_or_a_variable(
    words: list[str],
    variable: str,
    engine: FakeEngine,
    riseml: Riseml,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RISEML_DEBUG", variable)
    monkeypatch.setattr(engine, "list", lambda query: 1 / 0)
    result = riseml("status", *words)
    assert result.status == 1
    assert ("Traceback" in result.err) == (bool(words) or variable == "1")
    assert (
        result.err.splitlines()[-2]
        == "riseml: error: unexpected ZeroDivisionError: division by zero"
    )


def test_no_color_can_follow_the_command(
    riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert riseml("status", "--no-color").status == 0
    assert os.environ["NO_COLOR"] == "1"


def test_global_flags_after_two_dashes_are_arguments(riseml: Riseml) -> None:
    assert riseml("status", "--", "--debug").err.startswith(
        "riseml: error: '--debug' is not an id"
    )


def _pipe(line: str, home: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "RISEML_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-m", "riseml", *line.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def test_a_closed_pipe_is_not_an_error(tmp_path: Path) -> None:
    process = _pipe("--help", tmp_path)
    assert process.stdout
    process.stdout.close()
    assert process.wait() == 141
    assert process.stderr
    with process.stderr:
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("redirection", "status", "text"),
    [
        (">&-", 0, ""),
        (">/dev/full", 1, "riseml: error: No space left on device\n"),
        (">&- 2>&-", 0, ""),
        ("2>/dev/full --nothing", 2, ""),
        ("| true", 0, ""),
    ],
)
def test_streams_that_cannot_be_written(
    redirection: str, status: int, text: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "RISEML_HOME": str(tmp_path / "none")}
    line = f"{sys.executable} -m riseml --help {redirection}".replace(
        "--help 2>/dev/full", "2>/dev/full"
    )
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (status, text)


def test_a_terminal_without_symbols_gets_blanks(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "RISEML_HOME": str(tmp_path / "none"),
        "PYTHONIOENCODING": "ascii",
    }
    done = subprocess.run(
        [sys.executable, "-c", ASCII],
        capture_output=True,
        env=environment,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    line = done.stdout.splitlines()[-1]
    assert line.startswith(b"12     toaster-net      FINISHED 11 minutes  Experiment ")
    assert line.endswith(b" n=r?k")


@pytest.mark.parametrize(("line", "name"), [("logs 16", "16"), ("logs 16.train", "16")])
def test_ctrl_c_while_following_only_detaches(
    line: str, name: str, engine: FakeEngine, riseml: Riseml
) -> None:
    engine.runs, engine.events, engine.interrupt = (
        [single(16)],
        [Chunk("16.train", b"half")],
        True,
    )
    result = riseml(*line.split())
    assert result.status == 0
    assert result.out in {"16.train | half\n", "half\n"}
    assert result.err == (
        f"\nExperiment {name} continues in the background: `riseml logs {name}` shows its log again, "
        f"`riseml kill {name}` stops it.\n"
    )
    assert not [call for call in engine.calls if call[0] == "stop"]


def test_watch_appends_changes_without_a_terminal(
    engine: FakeEngine, riseml: Riseml
) -> None:
    engine.runs = [single(16, State.PENDING)]
    engine.later = [single(16), single(16), single(16, State.FAILED)]
    result = riseml("status", "16", "-w")
    expected = [
        f"{name} {state}"
        for state in ("PENDING", "RUNNING", "FAILED")
        for name in ("16", "16.train")
    ]
    assert (result.status, result.out.splitlines()) == (0, expected)


ASCII = """
import sys
import riseml.client.context, riseml.cli
from riseml.cli import clock
from riseml.status import State
from tests.cli.fake_engine import NOW, FakeEngine, single
clock.now = lambda: NOW
engine = FakeEngine(runs=[single(12, State.FINISHED, result={"n": "r\xe4k"})])
riseml.client.context.open_engine = lambda settings: engine
sys.exit(riseml.cli.main(["status", "-a", "-l"]))
"""
SLOW = """
import sys, time
import riseml.client.context, riseml.cli
from tests.cli.fake_engine import FakeEngine, single
engine = FakeEngine(runs=[single(16)])
def logs(query):
    print("following", file=sys.stderr, flush=True)
    time.sleep(60)
    yield
engine.logs = logs
riseml.client.context.open_engine = lambda settings: engine
sys.exit(riseml.cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 0), (signal.SIGHUP, -signal.SIGHUP)]
)
def test_signals_while_following(number: int, status: int) -> None:
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, "logs"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        start_new_session=True,
    )
    assert process.stderr
    with process.stderr:
        assert process.stderr.readline() == "following\n"
        time.sleep(0.05)
        process.send_signal(number)
        assert process.wait() == status
        assert ("continues in the background" in process.stderr.read()) == (status == 0)


def test_logs_of_a_job_show_only_its_states(engine: FakeEngine, riseml: Riseml) -> None:
    engine.runs = [single(16)]
    engine.events = [
        Change("16.train", "RUNNING"),
        Change("16", "RUNNING"),
        Chunk("16.train", b"x\n"),
    ]
    assert riseml("logs", "16.train").out == "--> RUNNING\nx\n"


def test_a_notice_appears_after_a_delay_and_is_erased(
    screen: Callable[..., None],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen()
    is_shown = threading.Event()
    show = progress.Notice._show

    def telling(notice: progress.Notice, text: str) -> None:
        show(notice, text)
        is_shown.set()

    monkeypatch.setattr(progress, "_DELAY_SECONDS", 3600)
    monkeypatch.setattr(progress.Notice, "_show", telling)
    notice = progress.Notice()
    notice.begin("Never shown...")
    notice.end()
    monkeypatch.setattr(progress, "_DELAY_SECONDS", 0)
    notice.begin("Syncing...")
    assert is_shown.wait(60)
    notice.end()
    notice.end()
    assert capfd.readouterr().err == "Syncing...\r\x1b[K"


def test_no_notice_without_a_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    notice = progress.Notice()
    notice.begin("Syncing...")
    notice.end()
    assert capfd.readouterr().err == ""
