"""Jobs as real processes: their environment, their end, and failures to start."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from riseml.engines.local.jobs import launcher, mounts, processes
from riseml.engines.local.jobs.launcher import Mount, ProcessSpec, Step
from riseml.errors import RiseMLError
from tests.local.launcher_home import ANY_BYTES, Home, a_home, opened, until


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with a_home(tmp_path / "home") as home:
        yield home


# Environment of a job


def seen(home: Home, step: Step) -> Any:
    """Return what a Python program in the job prints as a literal."""
    assert home.run(step).status == 0
    return eval(home.log())


def python(
    home: Home, expression: str, *argv: str, env: Mapping[str, str] = {}
) -> Step:
    text = f"import os, signal, sys\nprint({expression})"
    return home.step(sys.executable, "-I", "-S", "-c", text, *argv, env=env)


@pytest.mark.parametrize(
    "env",
    [
        {},
        {
            "QUOTES": 'it\'s "here" `pwd` $HOME \\',
            "LINES": "one\n\ntwo\n",
            "EMPTY": "",
            "SPACE": " a  b\t",
        },
        {"BYTES": ANY_BYTES, "LATIN": "caf\udce9", "LAMBDA": "λ"},
        {
            "lr-decay": "0.1 'x'",
            "a.b": "1",
            "BASH_FUNC_module%%": "() { :; }",
            "λ": "1",
            "1A": "2",
        },
        {
            "UID": "7",
            "IFS": ":",
            "PPID": "x",
            "OPTIND": "z",
            "RANDOM": "4",
            "SHLVL": "9",
            "LD_LIBRARY_PATH": "/none",
        },
        {
            "PS4": "+",
            "ENV": "/nowhere",
            "CDPATH": "/usr",
            "PATH": "/none",
            "over": "1",
            "stopped": "143",
            "key": "k",
        },
        {f"V{n}": "x" * 100 for n in range(1000)},
    ],
    ids=lambda env: " ".join(list(env)[:4]),
)
def test_a_job_has_exactly_the_given_environment(
    home: Home, env: Mapping[str, str]
) -> None:
    expected = {"PATH": os.environ["PATH"], **env, "PWD": str(home.folder)}
    entries = [os.fsencode(f"{name}={value}") for name, value in expected.items()]
    reported = seen(
        home,
        python(
            home, "open('/proc/self/environ', 'rb').read().split(b'\\0')[:-1]", env=env
        ),
    )
    assert sorted(reported) == sorted(
        [*entries, f"{processes.KEY}={home.keys[0]}".encode()]
    )


def test_variables_about_the_callers_directory_are_replaced(home: Home) -> None:
    reported = seen(
        home,
        python(
            home,
            "dict(os.environ)",
            env={"PWD": "/elsewhere", "OLDPWD": "/before", "_": "/bin/caller"},
        ),
    )
    assert reported["PWD"] == str(home.folder)
    assert "OLDPWD" not in reported
    assert reported.get("_") != "/bin/caller"


def test_arguments_may_contain_any_bytes(home: Home) -> None:
    argv = (
        ANY_BYTES,
        "",
        " ",
        "a\nb",
        "--",
        "$x",
        "'",
        "*",
        "caf\udce9",
        "x" * 100_000,
    )
    reported = seen(
        home, python(home, "[os.fsencode(word) for word in sys.argv[1:]]", *argv)
    )
    assert reported == [os.fsencode(word) for word in argv]


def test_a_job_starts_as_a_fresh_process(home: Home, tmp_path: Path) -> None:
    before = (
        signal.signal(signal.SIGHUP, signal.SIG_IGN),
        signal.signal(signal.SIGTERM, signal.SIG_IGN),
    )
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
    try:
        fresh = opened(tmp_path / "under nohup")
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1, signal.SIGTERM])
        signal.signal(signal.SIGHUP, before[0])
        signal.signal(signal.SIGTERM, before[1])
    fresh.run(
        "cat /proc/self/status; ls /proc/self/fd; readlink /proc/self/fd/0 /proc/self/fd/1"
    )
    fresh.launcher.close()
    os.waitpid(fresh.launcher.pid, 0)
    os.close(fresh.lock)
    lines = fresh.log().splitlines()
    masks = [
        int(line.split("\t")[1], 16)
        for line in lines
        if line.startswith(("SigIgn", "SigBlk", "SigCgt"))
    ]
    assert [mask & 0x7FFFFFFF for mask in masks] == [
        0,
        0,
        0,
    ]  # 32 and 33 are the C library's own
    assert lines[-6:-2] == ["0", "1", "2", "3"]  # 3 is the directory that `ls` reads
    assert lines[-2:] == ["/dev/null", str(fresh.folder / "log")]


@pytest.mark.parametrize(
    "name",
    ["it's", 'two "words"', "$(touch bad)", "line\nbreak", "caf\udce9", "-n", "λ\\x"],
)
def test_directories_may_have_any_name(home: Home, name: str) -> None:
    (home.folder / name).mkdir()
    step = Step(
        ("sh", "-c", 'pwd; printf "%s" "$X"'),
        {"X": name, "PATH": os.environ["PATH"]},
        str(home.folder / name),
        str(home.folder / name / "log"),
    )
    directory = home.folder / name / name
    directory.mkdir()
    home.keys.append(f"test:{os.getpid()}:odd")
    job = ProcessSpec(home.keys[-1], str(directory), step)
    home.start(job)
    assert home.end(job).status == 0
    assert home.log(f"{name}/log") == f"{home.folder / name}\n{name}"


def test_logs_are_appended_to_and_may_be_many_or_none(home: Home) -> None:
    (home.folder / "log").write_text("before\n")
    job = home.job(
        "echo main",
        init=(
            home.sh("echo one", "one"),
            home.sh("echo two >&2", None),
            home.sh("echo three"),
        ),
    )
    home.start(job)
    assert home.end(job).status == 0
    assert home.log() == "before\nthree\nmain\n"
    assert home.log("one") == "one\n"


def test_a_job_sees_its_mounts(home: Home) -> None:
    for name in ("code", "data", "output"):
        (home.folder / name).mkdir()
        (home.folder / name / "here").write_text(f"{name}\n")
    bound = tuple(
        Mount(str(home.folder / name), f"/{name}", name == "data")
        for name in ("code", "data", "output")
    )
    job = home.job(
        home.step(
            "sh",
            "-c",
            "cat here; cat /data/here; echo x > /output/new; echo x > /data/new",
            cwd=Path("/code"),
        ),
        mounts=bound,
    )
    if not mounts.supported():
        with pytest.raises(RiseMLError):
            home.launch(job)
        return
    home.start(job)
    assert home.end(job).status == 2
    assert home.log().startswith("code\ndata\n")
    assert (home.folder / "output" / "new").exists()
    assert not (home.folder / "data" / "new").exists()


# End of a job


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("true", 0),
        ("exit 3", 3),
        ("exit 255", 255),
        ("kill -9 $$", 137),
        ("kill -TERM $$", 143),
        ("kill -SEGV $$", 139),
    ],
)
def test_the_status_is_that_of_the_main_command(
    home: Home, text: str, status: int
) -> None:
    before = time.time()
    ended = home.run(text)
    assert (ended.status, ended.step, ended.deadline) == (status, launcher.MAIN, False)
    assert before - 1 < ended.time < time.time() + 1
    assert home.log() == ""


@pytest.mark.parametrize(
    ("argv", "cwd", "status", "words"),
    [
        (("no-such",), None, 64, "no-such cannot be run: executable file not found"),
        (
            ("/no-such",),
            None,
            64,
            "/no-such cannot be run: stat /no-such: no such file",
        ),
        (("/etc/passwd",), None, 64, "/etc/passwd cannot be run: permission denied"),
        (("/",), None, 64, "the command / cannot be run: permission denied"),
        (
            ("true",),
            Path("/no/such/place"),
            127,
            "the working directory /no/such/place does not exist",
        ),
        (("true", "x" * 200_000), None, 126, "Argument list too long"),
    ],
)
def test_the_log_explains_why_a_command_cannot_run(
    home: Home, argv: tuple[str, ...], cwd: Path, status: int, words: str
) -> None:
    ended = home.run(home.step(*argv, cwd=cwd))
    assert ended.status == status
    assert words in home.log()


@pytest.mark.parametrize(("fails", "status"), [(0, 5), (1, 137), (2, 127)])
def test_an_init_step_that_fails_ends_the_job(
    home: Home, fails: int, status: int
) -> None:
    end = {
        5: home.sh("exit 5"),
        137: home.sh("kill -9 $$"),
        127: home.step("no-such-command"),
    }[status]
    init = [home.sh(f"echo init {index}") for index in range(3)]
    init[fails] = end
    job = home.job("echo main", init=tuple(init))
    home.start(job)
    ended = home.end(job)
    assert (ended.status, ended.step) == (status, fails)
    assert [line for line in home.log().splitlines() if line.startswith("init")] == [
        f"init {n}" for n in range(fails)
    ]
    assert "main" not in home.log().splitlines()


def test_the_main_command_starts_after_the_last_init_step(home: Home) -> None:
    job = home.job(
        "sleep 1000", init=(home.sh("until [ -e go ]; do sleep 0.01; done"),)
    )
    pid = home.start(job)
    directory = Path(job.directory)
    early = launcher.read_started(directory)
    (home.folder / "go").touch()
    until((directory / "main").exists)
    started = launcher.read_started(directory)
    assert early is not None
    assert started is not None
    assert started >= early
    processes.sweep(job.key, supervisor=pid)
    assert home.end(job).status in (137, 143)


def test_there_is_no_exit_before_a_job_ends(home: Home, tmp_path: Path) -> None:
    assert launcher.read_pid(tmp_path) is None
    assert launcher.read_exit(tmp_path) is None
    assert launcher.read_started(tmp_path) is None
    job = home.job("sleep 1000")
    pid = home.start(job)
    record = launcher.read_pid(Path(job.directory))
    assert record == (pid, processes.start_time(pid), processes.boot_id())
    assert launcher.read_exit(Path(job.directory)) is None
    processes.sweep(job.key, supervisor=pid)
    home.end(job)


def test_an_incomplete_record_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text("1 2 boot")
    assert launcher.read_pid(tmp_path) is None
    (tmp_path / "pid").write_text("1 2 boot 3.5\n0 -1")
    assert launcher.read_pid(tmp_path) == (1, 2, "boot")
    assert launcher.read_started(tmp_path) == 3.5
    assert launcher.read_exit(tmp_path) is None


# Failures to start


def test_a_job_that_cannot_start_raises_an_error_with_the_reason(home: Home) -> None:
    missing, plain = home.folder / "missing", home.folder / "plain"
    plain.touch()
    fine = home.sh("true")
    started = home.job("true")
    home.start(started)
    home.end(started)
    cases = [
        (
            home.job(Step(("true",), {}, "/", str(missing / "log"))),
            str(missing / "log"),
        ),
        (home.job(Step(("true",), {}, "/", str(home.folder))), str(home.folder)),
        (
            home.job(fine, init=(Step(("true",), {}, "/", str(plain / "log")),)),
            "Not a directory",
        ),
        (ProcessSpec(home.keys[0], str(missing), fine), str(missing)),
        (started, "File exists: pid"),
        (
            home.job(fine, mounts=(Mount(str(missing), "/code"),)),
            str(missing) if mounts.supported() else "",
        ),
        (
            home.job(
                fine, sidecars=tuple(home.sh("true", f"log{n}") for n in range(9))
            ),
            "10 logs",
        ),
        (home.job(home.step("a\0b")), "NUL"),
        (home.job(home.step("true", env={"X": "a\0b"})), "NUL"),
    ]
    for job, words in cases:
        with pytest.raises(RiseMLError) as error:
            home.launch(job)
        assert words in str(error.value)
        assert processes.members(job.key) == set()
    assert home.run("exit 9").status == 9


def test_a_full_disk_is_an_error_and_starts_no_job(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))
    try:
        home = opened(tmp_path / "home")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    job = home.job("true")
    with pytest.raises(RiseMLError):
        home.launch(job)
    assert launcher.read_pid(Path(job.directory)) is None
    home.launcher.close()
    os.waitpid(home.launcher.pid, 0)
    os.close(home.lock)


def test_a_job_starts_once_if_the_launcher_dies_after_the_request(
    tmp_path: Path,
) -> None:
    home = opened(tmp_path / "home")
    job = home.job("echo started")
    os.kill(home.launcher.pid, signal.SIGSTOP)
    home.launcher.begin(job)
    os.kill(home.launcher.pid, signal.SIGKILL)
    home.launcher.finish()
    assert home.end(job).status == 0
    assert home.log() == "started\n"
    home.launcher.close()
    os.waitpid(home.launcher.pid, 0)
    os.close(home.lock)


def test_a_new_launcher_that_dies_at_once_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = opened(tmp_path / "home")
    monkeypatch.setattr(launcher, "bare", lambda: (sys.executable, "-c", "pass", "-S"))
    os.kill(home.launcher.pid, signal.SIGKILL)
    os.waitpid(home.launcher.pid, 0)
    with pytest.raises(RiseMLError, match="launcher was killed"):
        home.launch(home.job("true"))
    home.launcher.close()
    os.waitpid(home.launcher.pid, 0)
    os.close(home.lock)


def test_a_job_killed_before_its_reply_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = f"""
import os, sys
sys.path.insert(0, {str(Path(launcher.__file__).parents[4])!r})
from riseml.engines.local.jobs import forkserver
forkserver._write_pid = lambda boot: os.kill(os.getpid(), 9)
sys.argv.pop(1)
forkserver.main()
"""
    monkeypatch.setattr(launcher, "bare", lambda: (sys.executable, "-I", "-c", killed))
    with a_home(tmp_path / "home") as home:
        for _ in range(3):
            with pytest.raises(RiseMLError, match="killed as it started"):
                home.launch(home.job("true"))


def test_reports_of_earlier_jobs_are_not_taken_for_a_reply(home: Home) -> None:
    """The end of a supervisor that is killed is reported once more, before the next reply."""
    for status in (3, 4):
        job = home.job(f"echo ready {status}; exec sleep 1000")
        pid = home.start(job)
        home.says(f"ready {status}")
        os.kill(pid, signal.SIGKILL)
        until(lambda: not processes.exists(pid))  # noqa: B023 (called at once)
        assert launcher.read_exit(Path(job.directory)) is None
        assert processes.sweep(job.key) == 1
        assert home.run(f"exit {status}").status == status


def test_every_installed_shell_can_parse_the_script(home: Home) -> None:
    """supervise.sh is POSIX shell, since /bin/sh may be any such shell."""
    text = (Path(launcher.__file__).parent / "supervise.sh").read_text()
    for shell in (["sh"], ["dash"], ["bash", "--posix"], ["busybox", "sh"]):
        try:
            read = subprocess.run(
                [*shell, "-n"], input=text, capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            continue
        assert (read.returncode, read.stderr) == (0, ""), shell
    assert textwrap.dedent(text) == text


@pytest.mark.parametrize(
    ("main", "sidecars", "status", "step"),
    [
        ("sleep 1", ("exit 3",), 3, launcher.MAIN - 1),
        ("sleep 1", ("true", "trap 'exit 4' TERM; sleep 60 & wait"), 4, -3),
        ("sleep 1", ("exit 143", "exit 137", "sleep 60"), 0, launcher.MAIN),
        ("sleep 1; exit 6", ("exit 3",), 6, launcher.MAIN),
    ],
)
def test_a_sidecar_that_fails_counts_if_the_main_command_succeeds(
    home: Home, main: str, sidecars: tuple[str, ...], status: int, step: int
) -> None:
    beside = tuple(home.sh(script) for script in sidecars)
    job = home.job(main, sidecars=beside)
    home.start(job)
    ended = home.end(job)
    assert (ended.status, ended.step) == (status, step)


def test_nothing_is_asked_of_a_launcher_that_nobody_waits_for(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is reported as not started must not start later."""
    requests: list[None] = []
    monkeypatch.setattr(home.launcher, "_send", lambda: requests.append(None))
    monkeypatch.setattr(home.launcher, "_reply", lambda: b"")
    with pytest.raises(launcher.LaunchError, match="the launcher was killed"):
        home.launch(home.job("true"))
    assert len(requests) == 2
