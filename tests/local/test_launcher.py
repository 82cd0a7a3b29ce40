"""Jobs as real processes: what they see, how they end, and what outlives whom."""

import fcntl
import os
import resource
import select
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from riseml.engines.local import launcher, mounts, processes
from riseml.engines.local.launcher import Exit, Launch, Launcher, Mount, Step
from riseml.errors import RiseMLError

PATIENCE = 60.0  # seconds; only a hang takes so long
ANY_BYTES = os.fsdecode(bytes(range(1, 256)))
DAEMON = "(setsid setsid env -i sleep 1000 &)"  # two sessions away, and without its job's key


@dataclass
class Home:
    """A home with a launcher, and the keys of all jobs that were started in it."""

    folder: Path
    lock: int
    launcher: Launcher
    keys: list[str] = field(default_factory=list)

    def step(self, *argv: str, log: str | None = "log", cwd: Path | None = None, **env: str) -> Step:
        path = str(self.folder / log) if log else None
        return Step(argv, {"PATH": os.environ["PATH"], **env}, str(cwd or self.folder), path)

    def sh(self, text: str, log: str | None = "log") -> Step:
        return self.step("sh", "-c", text, log=log)

    def job(self, main: Step | str, **options: Any) -> Launch:
        """Describe a job that nobody has started yet."""
        self.keys.append(f"test:{os.getpid()}:{self.folder}:{len(self.keys)}")
        directory = self.folder / f"job {len(self.keys)}"
        directory.mkdir()
        return Launch(self.keys[-1], str(directory), self.sh(main) if isinstance(main, str) else main, **options)

    def start(self, job: Launch) -> int:
        pid = self.launcher.start(job)
        found = launcher.read_pid(Path(job.directory))
        assert found is not None
        assert found[0] == pid
        return pid

    def run(self, main: Step | str, **options: Any) -> Exit:
        """Start a job, wait for the end of its supervisor, and return how it ended: nothing is left of it then."""
        job = self.job(main, **options)
        self.start(job)
        return self.end(job)

    def end(self, job: Launch) -> Exit:
        found = launcher.read_pid(Path(job.directory))
        assert found is not None
        gone(found[0])
        ended = launcher.read_exit(Path(job.directory))
        assert ended is not None
        assert ended.swept
        assert processes.members(job.key) == set()
        return ended

    def log(self, name: str = "log") -> str:
        return (self.folder / name).read_bytes().decode("utf-8", "surrogateescape")

    def says(self, text: str, name: str = "log") -> None:
        until(lambda: (self.folder / name).exists() and text in self.log(name))


def until(happened: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < limit
        time.sleep(0.005)


def gone(pid: int) -> None:
    """Wait for the end of a process that is not a child of ours."""
    descriptor = processes.pidfd(pid)
    if descriptor is not None:
        assert select.select([descriptor], [], [], PATIENCE)[0]
        os.close(descriptor)
    until(lambda: not processes.exists(pid))


def opened(folder: Path) -> Home:
    folder.mkdir()
    lock = os.open(folder / "controller.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    restart = ["/bin/sh", "-c", f'echo "${{{processes.KEY}-none}}" >> restarted', "controller"]
    return Home(folder, lock, Launcher(folder, lock, restart))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = opened(tmp_path / "home")
    yield home
    home.launcher.close()
    for key in home.keys:
        processes.sweep(key)
    os.close(home.lock)
    try:
        os.waitpid(home.launcher.pid, 0)
    except ChildProcessError:  # a test has waited for it
        assert not processes.exists(home.launcher.pid)


# What a job sees


def seen(home: Home, step: Step) -> Any:
    """What a Python program in the job writes as a literal."""
    assert home.run(step).status == 0
    return eval(home.log())


def python(home: Home, expression: str, *argv: str, **env: str) -> Step:
    text = f"import os, signal, sys\nprint({expression})"
    return home.step(sys.executable, "-I", "-S", "-c", text, *argv, **env)


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"QUOTES": "it's \"here\" `pwd` $HOME \\", "LINES": "one\n\ntwo\n", "EMPTY": "", "SPACE": " a  b\t"},
        {"BYTES": ANY_BYTES, "LATIN": "caf\udce9", "LAMBDA": "λ"},
        {"lr-decay": "0.1 'x'", "a.b": "1", "BASH_FUNC_module%%": "() { :; }", "λ": "1", "1A": "2"},
        {"UID": "7", "IFS": ":", "PPID": "x", "OPTIND": "z", "RANDOM": "4", "SHLVL": "9", "LD_LIBRARY_PATH": "/none"},
        {"PS4": "+", "ENV": "/nowhere", "CDPATH": "/usr", "PATH": "/none", "over": "1", "stopped": "143", "key": "k"},
        {f"V{n}": "x" * 100 for n in range(1000)},
    ],
    ids=lambda env: " ".join(list(env)[:4]),
)
def test_the_environment_is_exactly_what_was_given(home: Home, env: Mapping[str, str]) -> None:
    wanted = {"PATH": os.environ["PATH"], **env, "PWD": str(home.folder)}
    entries = [os.fsencode(f"{name}={value}") for name, value in wanted.items()]
    found = seen(home, python(home, "open('/proc/self/environ', 'rb').read().split(b'\\0')[:-1]", **env))
    assert sorted(found) == sorted([*entries, f"{processes.KEY}={home.keys[0]}".encode()])


def test_variables_of_the_callers_place_are_said_anew(home: Home) -> None:
    found = seen(home, python(home, "dict(os.environ)", PWD="/elsewhere", OLDPWD="/before", _="/bin/caller"))
    assert found["PWD"] == str(home.folder)
    assert "OLDPWD" not in found
    assert found.get("_") != "/bin/caller"


def test_arguments_arrive_whatever_bytes_they_hold(home: Home) -> None:
    argv = (ANY_BYTES, "", " ", "a\nb", "--", "$x", "'", "*", "caf\udce9", "x" * 100_000)
    found = seen(home, python(home, "[os.fsencode(word) for word in sys.argv[1:]]", *argv))
    assert found == [os.fsencode(word) for word in argv]


def test_a_job_starts_as_a_fresh_process(home: Home, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN), signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
    try:
        fresh = opened(tmp_path / "under nohup")
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1, signal.SIGTERM])
        signal.signal(signal.SIGHUP, before[0])
        signal.signal(signal.SIGTERM, before[1])
    fresh.run("grep -E '^Sig(Ign|Blk|Cgt)' /proc/self/status; ls /proc/self/fd; readlink /proc/self/fd/0 /proc/self/fd/1")
    fresh.launcher.close()
    os.waitpid(fresh.launcher.pid, 0)
    os.close(fresh.lock)
    lines = fresh.log().split("\n")
    assert [line.split("\t")[1] for line in lines[:3]] == ["0" * 16] * 3
    assert lines[3:7] == ["0", "1", "2", "3"]  # 3 is the directory that `ls` reads
    assert lines[7:9] == ["/dev/null", str(fresh.folder / "log")]


@pytest.mark.parametrize("name", ["it's", 'two "words"', "$(touch bad)", "line\nbreak", "caf\udce9", "-n", "λ\\x"])
def test_directories_may_have_any_name(home: Home, name: str) -> None:
    (home.folder / name).mkdir()
    step = Step(("sh", "-c", 'pwd; printf "%s" "$X"'), {"X": name}, str(home.folder / name), str(home.folder / name / "log"))
    directory = home.folder / name / name
    directory.mkdir()
    home.keys.append(f"test:{os.getpid()}:odd")
    job = Launch(home.keys[-1], str(directory), step)
    home.start(job)
    assert home.end(job).status == 0
    assert home.log(f"{name}/log") == f"{home.folder / name}\n{name}"


def test_logs_are_appended_to_and_may_be_many_or_none(home: Home) -> None:
    (home.folder / "log").write_text("before\n")
    job = home.job("echo main", init=(home.sh("echo one", "one"), home.sh("echo two >&2", None), home.sh("echo three")))
    home.start(job)
    assert home.end(job).status == 0
    assert home.log() == "before\nthree\nmain\n"
    assert home.log("one") == "one\n"


def test_a_job_sees_its_mounts(home: Home) -> None:
    for name in ("code", "data", "output"):
        (home.folder / name).mkdir()
        (home.folder / name / "here").write_text(f"{name}\n")
    bound = tuple(Mount(str(home.folder / name), f"/{name}", name == "data") for name in ("code", "data", "output"))
    job = home.job(home.step("sh", "-c", "cat here; cat /data/here; echo x > /output/new; echo x > /data/new", cwd=Path("/code")), mounts=bound)
    if not mounts.supported():
        with pytest.raises(RiseMLError):
            home.launcher.start(job)
        return
    home.start(job)
    assert home.end(job).status == 2
    assert home.log().startswith("code\ndata\n")
    assert (home.folder / "output" / "new").exists()
    assert not (home.folder / "data" / "new").exists()


# How a job ends


@pytest.mark.parametrize(
    ("text", "status"),
    [("true", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137), ("kill -TERM $$", 143), ("kill -SEGV $$", 139)],
)
def test_the_status_is_the_main_commands(home: Home, text: str, status: int) -> None:
    before = time.time()
    ended = home.run(text)
    assert (ended.status, ended.step, ended.deadline) == (status, launcher.MAIN, False)
    assert before - 1 < ended.time < time.time() + 1
    assert home.log() == ""  # no word of ours


@pytest.mark.parametrize(
    ("argv", "cwd", "status", "words"),
    [
        (("no-such-command",), None, 127, "no-such-command: not found"),
        (("/etc/passwd",), None, 126, "Permission denied"),
        (("/",), None, 126, "/"),
        (("true",), Path("/no/such/place"), 127, "the working directory /no/such/place does not exist"),
        (("true", "x" * 200_000), None, 126, "Argument list too long"),
    ],
)
def test_what_cannot_be_run_says_why_in_the_log(home: Home, argv: tuple[str, ...], cwd: Path, status: int, words: str) -> None:
    ended = home.run(home.step(*argv, cwd=cwd))
    assert ended.status == status
    assert words in home.log()


@pytest.mark.parametrize(("fails", "status"), [(0, 5), (1, 137), (2, 127)])
def test_an_init_step_that_fails_ends_the_job(home: Home, fails: int, status: int) -> None:
    end = {5: home.sh("exit 5"), 137: home.sh("kill -9 $$"), 127: home.step("no-such-command")}[status]
    init = [home.sh(f"echo init {index}") for index in range(3)]
    init[fails] = end
    job = home.job("echo main", init=tuple(init))
    home.start(job)
    ended = home.end(job)
    assert (ended.status, ended.step) == (status, fails)
    assert [line for line in home.log().splitlines() if line.startswith("init")] == [f"init {n}" for n in range(fails)]
    assert "main" not in home.log().splitlines()


def test_the_main_command_starts_after_the_last_init_step(home: Home) -> None:
    job = home.job("sleep 1000", init=(home.sh("until [ -e go ]; do sleep 0.01; done"),))
    pid = home.start(job)
    directory = Path(job.directory)
    early = launcher.read_started(directory)
    (home.folder / "go").touch()
    until((directory / "main").exists)
    started = launcher.read_started(directory)
    assert early is not None
    assert started is not None
    assert started > early
    processes.sweep(job.key, since=pid)
    assert home.end(job).status == 137


def test_before_and_while_a_job_runs_there_is_no_end_to_read(home: Home, tmp_path: Path) -> None:
    assert launcher.read_pid(tmp_path) is None
    assert launcher.read_exit(tmp_path) is None
    assert launcher.read_started(tmp_path) is None
    job = home.job("sleep 1000")
    pid = home.start(job)
    found = launcher.read_pid(Path(job.directory))
    assert found == (pid, processes.start_time(pid), processes.boot_id())
    assert launcher.read_exit(Path(job.directory)) is None
    processes.sweep(job.key, since=pid)
    home.end(job)


def test_a_record_cut_short_is_none(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text("1 2 boot")
    assert launcher.read_pid(tmp_path) is None
    (tmp_path / "pid").write_text("1 2 boot 3.5\n0 -1")
    assert launcher.read_pid(tmp_path) == (1, 2, "boot")
    assert launcher.read_started(tmp_path) == 3.5
    assert launcher.read_exit(tmp_path) is None


# Signals and time


SAVES = """
trap 'echo saving; sleep 0.6; echo saved; exit 7' TERM
echo ready
while :; do sleep 0.05; done
"""


def test_a_terminated_job_gets_the_time_to_save_and_its_last_words_are_kept(home: Home) -> None:
    job = home.job(SAVES)
    pid = home.start(job)
    home.says("ready")
    assert processes.terminate(pid, job.key)
    assert home.end(job).status == 7
    assert home.log() == "ready\nsaving\nsaved\n"


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "PIPE", "ALRM"])
def test_a_signal_to_the_whole_group_leaves_the_supervisor(home: Home, name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    job = home.job(f"echo ready; exec {sys.executable} -S -c 'import time; time.sleep(1000)'")
    pid = home.start(job)
    home.says("ready")
    os.killpg(pid, number)
    ended = home.end(job)
    assert ended.status in (128 + number, 1)  # Python turns INT into an exception and ignores PIPE


@pytest.mark.parametrize("while_in", ["init", "main"])
def test_a_job_that_ignores_term_is_swept_with_all_it_has_started(home: Home, while_in: str) -> None:
    stubborn = f"trap '' TERM; {DAEMON} sleep 1001 & (sleep 1002 &) echo ready; while :; do sleep 0.05; done"
    job = home.job(stubborn) if while_in == "main" else home.job("echo main", init=(home.sh(stubborn),))
    pid = home.start(job)
    home.says("ready")
    assert processes.terminate(pid, job.key)
    until(lambda: len(children(pid)) >= 2)  # the daemon has come to its reaper
    family = children(pid)
    assert processes.sweep(job.key, {pid}, since=pid) >= 4
    ended = home.end(job)
    assert (ended.status, ended.step) == (137, launcher.MAIN if while_in == "main" else 0)
    assert not any(processes.exists(member) for member in family)
    assert "main" not in home.log().split()


def children(pid: int) -> list[int]:
    return list(processes._children(pid))


def test_a_job_terminated_as_it_starts_runs_nothing_more(home: Home) -> None:
    job = home.job("touch ran; sleep 1000", init=(home.sh("trap '' TERM; echo ready; sleep 0.3"),))
    pid = home.start(job)
    home.says("ready")
    processes.terminate(pid, job.key)
    assert home.end(job).status == 143
    assert not (home.folder / "ran").exists()


def test_terminating_right_after_the_start_is_never_lost(home: Home) -> None:
    for _ in range(10):
        job = home.job("sleep 1000")
        assert processes.terminate(home.start(job), job.key)
        assert home.end(job).status == 143


def test_at_its_deadline_a_job_may_save_and_its_last_words_are_kept(home: Home) -> None:
    ended = home.run(SAVES, deadline=0.3, grace=30.0)
    assert (ended.status, ended.deadline) == (7, True)
    assert home.log() == "ready\nriseml: stopped after 0.3 seconds, the timeout of this job\nsaving\nsaved\n"


def test_after_the_grace_period_all_of_a_job_is_killed(home: Home) -> None:
    ended = home.run(f"trap '' TERM; {DAEMON} while :; do sleep 0.05; done", deadline=0.2, grace=0.2)
    assert (ended.status, ended.deadline) == (137, True)


def test_the_deadline_is_the_main_commands_and_costs_nothing_when_met(home: Home) -> None:
    ended = home.run("exit 4", init=(home.sh("sleep 0.5"),), deadline=0.4)
    assert (ended.status, ended.deadline) == (4, False)
    assert home.run("true", deadline=86400.0).status == 0


def test_what_a_job_leaves_behind_ends_with_it(home: Home) -> None:
    job = home.job(f"sleep 1000 & {DAEMON} exit 3")
    home.start(job)
    assert home.end(job).status == 3
    assert 'sleep 1000' not in subprocess.run(["ps", "-eo", "sess,args"], capture_output=True, text=True, check=True).stdout.split(
        str(launcher.read_pid(Path(job.directory))[0])  # type: ignore[index]
    )


def test_a_process_of_another_job_is_not_touched(home: Home) -> None:
    home.keys.append("another:job")
    ended = home.run(f"{processes.KEY}=another:job setsid sleep 1000 & echo $!; exit 0")
    other = int(home.log())
    assert ended.status == 0
    assert processes.exists(other)
    os.kill(other, signal.SIGKILL)


def test_a_job_that_stops_its_own_group_can_be_killed(home: Home) -> None:
    job = home.job("echo ready; kill -STOP 0")
    pid = home.start(job)
    home.says("ready")
    processes.sweep(job.key, since=pid)
    assert home.end(job).status == 137


def test_a_fork_bomb_is_swept(home: Home) -> None:
    chain = "import os\nwhile True:\n if os.fork(): os._exit(0)\n os.setsid()"
    job = home.job(home.step(sys.executable, "-S", "-c", f"import os\nif os.fork():\n import time\n print('ready', flush=True)\n time.sleep(1000)\n{chain}"))
    pid = home.start(job)
    home.says("ready")
    processes.sweep(job.key, since=pid, limit=PATIENCE)
    assert home.end(job).status == 137


# Sidecars


def test_a_sidecar_ends_with_the_main_command(home: Home) -> None:
    sidecar = home.sh("trap 'echo bye; exit 0' TERM; echo up; touch up; while :; do sleep 0.02; done", "sidecar")
    ended = home.run("until [ -e up ]; do sleep 0.01; done; echo main; exit 3", sidecars=(sidecar,))
    assert ended.status == 3
    assert home.log() == "main\n"
    assert home.log("sidecar") == "up\nbye\n"


def test_a_stubborn_sidecar_is_killed_after_the_grace_period(home: Home) -> None:
    sidecar = home.sh("trap '' TERM; touch up; while :; do sleep 0.02; done", None)
    ended = home.run("until [ -e up ]; do sleep 0.01; done", sidecars=(sidecar, sidecar), grace=0.2)
    assert ended.status == 0


def test_a_sidecar_that_fails_does_not_matter(home: Home) -> None:
    assert home.run("sleep 0.1; exit 2", sidecars=(home.step("no-such-command", log="sidecar"),)).status == 2
    assert "not found" in home.log("sidecar")


# Who outlives whom


def test_jobs_survive_a_killed_launcher_and_bring_the_controller_back(home: Home) -> None:
    job = home.job("until [ -e go ]; do sleep 0.01; done; exit 6")
    home.start(job)
    os.kill(home.launcher.pid, signal.SIGKILL)
    os.waitpid(home.launcher.pid, 0)
    (home.folder / "go").touch()
    assert home.end(job).status == 6
    until((home.folder / "restarted").exists)
    assert home.run("exit 1").status == 1  # by a new launcher


def test_a_launcher_killed_between_two_jobs_is_replaced(home: Home) -> None:
    for status in range(3):
        assert home.run(f"exit {status}").status == status
        os.kill(home.launcher.pid, signal.SIGKILL)


def let_go(home: Home) -> None:
    """What happens to the launcher when its controller is killed."""
    os.close(home.launcher._requests)
    os.close(home.launcher._replies)
    home.launcher._requests, home.launcher._replies = os.pipe()[::-1]
    os.close(home.lock)
    home.lock = os.open(os.devnull, os.O_RDONLY)


def test_the_end_of_a_job_brings_an_absent_controller_back(home: Home) -> None:
    job = home.job("until [ -e go ]; do sleep 0.01; done; exit 6")
    home.start(job)
    let_go(home)
    assert processes.exists(home.launcher.pid)
    assert not (home.folder / "restarted").exists()
    (home.folder / "go").touch()
    assert home.end(job).status == 6
    os.waitpid(home.launcher.pid, 0)
    until((home.folder / "restarted").exists)
    until(lambda: (home.folder / "restarted").read_text() == "none\n")


def test_a_controller_killed_right_after_a_jobs_end_is_brought_back(home: Home) -> None:
    home.run("true")
    let_go(home)
    os.waitpid(home.launcher.pid, 0)
    until((home.folder / "restarted").exists)


def test_a_controller_that_is_there_is_not_started_again(home: Home) -> None:
    job = home.job("until [ -e go ]; do sleep 0.01; done")
    home.start(job)
    let_go(home)
    other = os.open(home.folder / "controller.lock", os.O_RDWR)
    until(lambda: taken(other))  # the launcher gives it up
    (home.folder / "go").touch()
    home.end(job)
    os.waitpid(home.launcher.pid, 0)
    os.close(other)
    assert not (home.folder / "restarted").exists()


def taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_a_launcher_without_jobs_goes_with_its_controller(home: Home) -> None:
    home.run("true")
    home.launcher.close()
    os.waitpid(home.launcher.pid, 0)
    assert not (home.folder / "restarted").exists()
    home.launcher._spawn()


def test_a_controller_started_from_inside_a_job_belongs_to_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(processes.KEY, "outer")
    home = opened(tmp_path / "home")
    job = home.job("until [ -e go ]; do sleep 0.01; done")
    home.start(job)
    let_go(home)
    (home.folder / "go").touch()
    home.end(job)
    os.waitpid(home.launcher.pid, 0)
    until((home.folder / "restarted").exists)
    until(lambda: (home.folder / "restarted").read_text() == "\n")


KILLED_CONTROLLER = """
import fcntl, os, signal, sys
from pathlib import Path
from riseml.engines.local.launcher import Launch, Launcher, Step
home = Path(sys.argv[1])
lock = os.open(home / "controller.lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
launcher = Launcher(home, lock, ["/bin/true"])
for number in range(30):
    (home / str(number)).mkdir()
    step = Step(("sleep", "1000"), {"PATH": os.environ["PATH"]}, "/", None)
    launch = Launch(f"{home}:{number}", str(home / str(number)), step)
    launcher._asked = lambda request: os.write(launcher._requests, request) and b"0 1"
    launcher.start(launch)
print("sent", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_who_gets_the_lock_knows_of_every_job_that_runs(tmp_path: Path) -> None:
    """A controller is killed with launches under way: the next one finds a pid file for each, or it never runs."""
    subprocess.run([sys.executable, "-c", KILLED_CONTROLLER, str(tmp_path)], stdout=subprocess.PIPE, check=False)
    lock = os.open(tmp_path / "controller.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    found = {number: launcher.read_pid(tmp_path / str(number)) for number in range(30)}
    assert all(found.values())
    for number, record in found.items():
        assert record is not None
        assert processes.alive(*record)
        processes.sweep(f"{tmp_path}:{number}", since=record[0])
        gone(record[0])
    os.close(lock)


def test_the_launcher_keeps_no_zombies(home: Home) -> None:
    for _ in range(5):
        home.run("true")
    until(lambda: children(home.launcher.pid) == [])


# What cannot be started


def test_reasons_come_as_errors_and_nothing_runs(home: Home) -> None:
    missing, plain = home.folder / "missing", home.folder / "plain"
    plain.touch()
    fine = home.sh("true")
    started = home.job("true")
    home.start(started)
    home.end(started)
    cases = [
        (home.job(Step(("true",), {}, "/", str(missing / "log"))), str(missing / "log")),
        (home.job(Step(("true",), {}, "/", str(home.folder))), str(home.folder)),
        (home.job(fine, init=(Step(("true",), {}, "/", str(plain / "log")),)), "Not a directory"),
        (Launch(home.keys[0], str(missing), fine), str(missing)),
        (started, "File exists: pid"),
        (home.job(fine, mounts=(Mount(str(missing), "/code"),)), str(missing) if mounts.supported() else ""),
        (home.job(fine, sidecars=tuple(home.sh("true", f"log{n}") for n in range(9))), "10 logs"),
        (home.job(home.step("a\0b")), "NUL"),
        (home.job(home.step("true", X="a\0b")), "NUL"),
    ]
    for job, words in cases:
        with pytest.raises(RiseMLError) as error:
            home.launcher.start(job)
        assert words in str(error.value)
        assert processes.members(job.key) == set()
    assert home.run("exit 9").status == 9


def test_a_full_disk_is_an_error_and_no_job(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))
    try:
        home = opened(tmp_path / "home")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    job = home.job("true")
    with pytest.raises(RiseMLError):
        home.launcher.start(job)
    assert launcher.read_pid(Path(job.directory)) is None
    home.launcher.close()
    os.waitpid(home.launcher.pid, 0)
    os.close(home.lock)


def test_another_launcher_that_dies_at_once_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = opened(tmp_path / "home")
    monkeypatch.setattr(launcher, "_bare", lambda: (sys.executable, "-c", "pass", "-S"))
    os.kill(home.launcher.pid, signal.SIGKILL)
    os.waitpid(home.launcher.pid, 0)
    with pytest.raises(RiseMLError, match="launcher was killed"):
        home.launcher.start(home.job("true"))
    home.launcher.close()
    os.waitpid(home.launcher.pid, 0)
    os.close(home.lock)


def test_the_shell_text_is_understood_by_the_shells_there_are(home: Home) -> None:
    """supervise.sh keeps to POSIX: whatever /bin/sh is, it can be read."""
    text = (Path(launcher.__file__).parent / "supervise.sh").read_text()
    for shell in (["sh"], ["dash"], ["bash", "--posix"], ["busybox", "sh"]):
        try:
            read = subprocess.run([*shell, "-n"], input=text, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            continue
        assert (read.returncode, read.stderr) == (0, ""), shell
    assert textwrap.dedent(text) == text
