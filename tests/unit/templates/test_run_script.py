"""Script that runs a job's lines, in the shells that images have."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from riseml.compiler import pod
from tests.unit.script_shells import FOUND, SHELLS, link_programs, shells
from tests.unit.templates.container_job import Job, without_note

NOBODY = 65534
TRAINER = """
import os, signal, sys, time
seen = []
def save(number, frame):
    seen.append(number)
    if len(seen) > 1:
        return
    time.sleep(0.3)
    os.write(1, b"saved after %d\\n" % len(seen))
    sys.exit(int(sys.argv[1]))
signal.signal(signal.SIGTERM, save)
os.write(1, b"up\\n")
# A signal just before a sleep does not interrupt it, so one long sleep may be too long.
while True:
    time.sleep(0.02)
"""


def variables_of(job: Job, shell: str) -> dict[str, str]:
    """Return the environment of a job's programs."""
    assert job.run("env > variables", shell=shell) == (0, "")
    lines = (job.code / "variables").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.fixture
def poor_job() -> Iterator[Job]:
    """A job whose user cannot write to the working directory."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        job = Job(folder)
        job.output.chmod(0o777)
        job.own.chmod(0o777)
        job.code.chmod(0o555)
        yield job
    finally:
        shutil.rmtree(folder)


everywhere = pytest.mark.parametrize("logged", [False, True], ids=["teed", "logged"])


@shells
@everywhere
def test_lines_follow_each_other_in_one_shell(
    job: Job, shell: str, logged: bool
) -> None:
    if logged:
        job.env["RISEML_LOGGED"] = "1"
    lines = (
        "mkdir sub; cd sub",
        "X=1",
        "export Y=2",
        'say() { echo "$1"; }',
        'say "${PWD##*/} $X $(sh -c "echo \\$Y")"',
    )
    assert job.run(*lines, shell=shell) == (0, "sub 1 2\n")


@shells
@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("false", 1),
        ("(exit 7)", 7),
        ("sh -c 'exit 42'", 42),
        ("true\nsh -c 'exit 3'\necho never", 3),
        ("cd nowhere 2>/dev/null", None),
        ("exit 5", 5),
        ("true | sh -c 'exit 4'", 4),
        ("fail() { sh -c 'exit 6'; echo never; }; fail", 6),
        ("kill -9 $(sh -c 'echo $PPID') 2>/dev/null; sh -c 'kill -9 $$'", 137),
        ("no-such-command-here 2>/dev/null", 127),
        ("if then", None),
    ],
)
def test_the_first_failing_line_ends_the_job_with_its_status(
    job: Job, shell: str, line: str, status: int | None
) -> None:
    ended, output = job.run("echo before", line, "echo never", shell=shell)
    assert output.startswith("before\n")
    assert "never" not in output
    assert ended == status if status is not None else ended != 0


@shells
@pytest.mark.parametrize(
    ("line", "output"),
    [
        ("echo a \\", "a\n"),
        ('echo a # a comment, it\'s "one"', "a\n"),
        ("cat <<EOF\na $((1 + 1))\nEOF", "a 2\n"),
        ("cat <<'RISEML'\n$x it's `no`\nRISEML\necho after", "$x it's `no`\nafter\n"),
        ("echo 'EOF'; echo \"it's\"", "EOF\nit's\n"),
        ("printf '%s\\n' a\\\\b '$HOME' \"\\$x\"", "a\\b\n$HOME\n$x\n"),
        ("echo one |\n  tr a-z A-Z", "ONE\n"),
        ("false || echo kept going", "kept going\n"),
        ("if false; then echo no; fi", ""),
        ("! true || echo no", "no\n"),
        ("", ""),
        ("   \n\t", ""),
        ('echo "$#:$0"', "0:riseml\n"),
        ("set -- a b; echo $#", "2\n"),
        ("echo \u00e4\u20ac\U0001f600", "\u00e4\u20ac\U0001f600\n"),
        ("echo out; echo err >&2", "out\nerr\n"),
        ("env | grep -c ^riseml_ || echo none", "0\nnone\n"),
    ],
)
def test_a_line_has_the_same_effect_as_in_a_script(
    job: Job, shell: str, line: str, output: str
) -> None:
    status, printed = job.run(line, "echo end", shell=shell)
    assert (status, without_note(printed)) == (0, output + "end\n")


@shells
def test_exit_0_ends_the_job_early_with_success(job: Job, shell: str) -> None:
    assert job.run("echo one", "exit 0", "echo two", shell=shell) == (0, "one\n")


def test_lines_run_in_bash_if_it_is_installed(job: Job) -> None:
    if not shutil.which("bash"):
        pytest.skip("no bash")
    assert job.run(
        'a=(x y); [[ ${a[1]} == y ]] && declare -A map=([k]=v) && echo "${map[k]}"',
        'echo "${map[k]}"',
    ) == (
        0,
        "v\nv\n",
    )


def test_lines_run_in_sh_if_there_is_no_bash(job: Job, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    names = "sh mkdir rm mkfifo find tee wc date sleep tail id setsid"
    link_programs(tools, *names.split())
    job.env["PATH"] = str(tools)
    assert job.run('echo "<${BASH_VERSION-}>"', "(exit 7)") == (
        7,
        "<>\n" if _plain_sh() else job.log.read_text(),
    )


def _plain_sh() -> bool:
    return "bash" not in Path("/bin/sh").resolve().name


@shells
def test_the_configuration_is_recorded_before_anything_runs(
    job: Job, shell: str
) -> None:
    status, output = job.run(
        'cat "$OUTPUT_DIR/riseml-configuration.yml"', "false", shell=shell
    )
    assert (status, output) == (1, "project: mnist\nrun: it's\n")


@shells
def test_output_is_copied_to_the_output_folder(job: Job, shell: str) -> None:
    status, output = job.run("echo out", "echo err >&2", "(exit 3)", shell=shell)
    assert (status, output) == (3, "out\nerr\n")
    assert job.log.read_text() == output
    times = [
        line.split()
        for line in job.log.with_name("train.0.log.times").read_text().splitlines()
    ]
    assert times[-1][1] == str(len(output))
    assert all(int(time) > 1_700_000_000 for time, _ in times)


@shells
def test_another_attempt_has_a_log_of_its_own(job: Job, shell: str) -> None:
    job.run("echo one", shell=shell)
    job.env["RISEML_ATTEMPT"] = "1"
    job.run("echo two", shell=shell)
    assert job.log.read_text() == "one\n"
    assert job.log.with_name("train.1.log").read_text() == "two\n"


@shells
@pytest.mark.parametrize(
    ("exit_code", "cause"),
    [
        ("3", " with exit code 3"),
        # Argo writes these if it does not know the exit code.
        ("0", ""),
        ("-1", ""),
        # No variable: the attempt of a gang.
        (None, ""),
    ],
)
def test_a_line_stands_between_attempts(
    job: Job, shell: str, exit_code: str | None, cause: str
) -> None:
    job.env |= {"RISEML_ATTEMPT": "0", "RISEML_ATTEMPTS": "3"}
    if exit_code is not None:
        job.env["RISEML_LAST_EXIT"] = exit_code
    assert job.run("echo one", shell=shell) == (0, "one\n")
    job.env["RISEML_ATTEMPT"] = "1"
    line = f"riseml: attempt 1 failed{cause}; starting attempt 2 of 3\n"
    assert job.run("echo two", shell=shell) == (0, f"{line}two\n")
    assert job.log.with_name("train.1.log").read_text() == f"{line}two\n"


@shells
def test_an_engine_that_writes_the_log_needs_no_copy(job: Job, shell: str) -> None:
    job.env["RISEML_LOGGED"] = "1"
    assert job.run("echo out", shell=shell) == (0, "out\n")
    assert not job.log.exists()


@shells
@pytest.mark.parametrize("end", ["true", "(exit 4)"])
def test_the_last_result_becomes_the_output_parameter(
    job: Job, shell: str, end: str
) -> None:
    last = '{"loss": 1, "\u00e4": "%s\\n"}'
    job.run(
        f"printf '%s\\n' '{{\"loss\": 2}}' '{last}' >> $RESULT_FILE", end, shell=shell
    )
    assert (job.own / "result").read_text() == last


@shells
def test_another_attempt_has_results_of_its_own(job: Job, shell: str) -> None:
    report = """echo '{"attempt": '$RISEML_ATTEMPT'}' >> $RESULT_FILE"""
    job.run(report, shell=shell)
    job.env["RISEML_ATTEMPT"] = "1"
    assert job.run("test ! -e $RESULT_FILE", report, shell=shell)[0] == 0
    # A job that starts later in the same attempt, such as another one of a gang.
    job.run(report, shell=shell)
    assert job.results.read_text() == '{"attempt": 1}\n' * 2
    first = job.results.with_name("results.0.jsonl")
    assert first.read_text() == '{"attempt": 0}\n'


@shells
@pytest.mark.parametrize(
    "attempts",
    [
        {"RISEML_ATTEMPT": "10"},
        {"RISEML_ATTEMPT": "1", "RISEML_EARLIER_ATTEMPTS": "0"},
    ],
    ids=["many retries", "a retry of a repeated experiment"],
)
def test_every_attempt_in_a_pod_keeps_its_log_and_files(
    job: Job, shell: str, attempts: dict[str, str]
) -> None:
    """The run script reads its functions, whatever digits these variables have."""
    job.env |= attempts
    assert job.run("echo out; echo new > file", shell=shell) == (0, "out\n")
    log = job.log.with_name(f"train.{attempts['RISEML_ATTEMPT']}.log")
    assert log.read_text() == "out\n"
    assert (job.output / "workdir/file").read_text() == "new\n"


@shells
def test_the_length_of_a_result_is_counted_in_bytes(job: Job, shell: str) -> None:
    job.env["LC_ALL"] = "C.UTF-8"
    job.run(f"echo '{'ä' * 1025}' >> $RESULT_FILE", shell=shell)
    assert not (job.own / "result").exists()


@shells
def test_a_result_that_is_too_long_for_argo_is_not_cut(job: Job, shell: str) -> None:
    job.run(f"echo '{'x' * 3000}' >> $RESULT_FILE", shell=shell)
    assert not (job.own / "result").exists()


@shells
def test_without_a_result_there_is_no_output_parameter(job: Job, shell: str) -> None:
    assert job.run("true", shell=shell) == (0, "")
    assert not (job.own / "result").exists()


@shells
@everywhere
@pytest.mark.parametrize(
    "send", [os.kill, os.killpg], ids=["to the script", "to its group"]
)
def test_a_trainer_may_save_before_it_exits(
    job: Job, shell: str, logged: bool, send: Callable[..., None]
) -> None:
    if logged:
        job.env["RISEML_LOGGED"] = "1"
    (job.code / "fit.py").write_text(TRAINER)
    for own, status in ((0, 143), (9, 9)):
        process = job.start(f"{sys.executable} fit.py {own}", "echo never", shell=shell)
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        send(process.pid, signal.SIGTERM)
        assert process.communicate(timeout=30)[0] == "saved after 1\n"
        assert process.returncode == status
        # The next pod is not one in place of this one.
        for note in (job.output / ".riseml").glob("pod.*"):
            note.unlink()
    if not logged:
        assert job.log.read_text() == "up\nsaved after 1\n" * 2


@shells
def test_a_signal_while_the_lines_start_is_sent_to_them_once(
    job: Job, shell: str
) -> None:
    """The script may be delayed between starting the lines and waiting for them."""
    check = '[ -z "${riseml_signal-}" ] ||'
    script = pod.script()
    assert script.count(f"\n{check}") == 1
    delay = "while [ ! -e go ]; do sleep 0.05; done"
    delayed = script.replace(f"\n{check}", f"\n{delay}\n{check}")
    job.env["RISEML_LOGGED"] = "1"
    (job.code / "fit.py").write_text(TRAINER)
    process = job.start(f"{sys.executable} fit.py 9", shell=shell, script=delayed)
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    process.terminate()
    # The trainer saves for 0.3 seconds; a second signal within that time is counted.
    time.sleep(0.15)
    (job.code / "go").touch()
    assert process.communicate(timeout=30)[0] == "saved after 1\n"
    assert process.returncode == 9


@shells
def test_a_signal_reaches_background_processes(job: Job, shell: str) -> None:
    line = "(trap 'sleep 0.2; echo saved; exit' TERM; echo up; while :; do sleep 0.05; done) & wait"
    process = job.start(line, "echo never", shell=shell)
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    process.terminate()
    assert process.communicate(timeout=30)[0].endswith(
        "saved\n"
    )  # before it the shell may name what was ended
    assert process.returncode == 143


@shells
@everywhere
def test_background_processes_end_with_the_job(
    job: Job, shell: str, logged: bool
) -> None:
    if logged:
        job.env["RISEML_LOGGED"] = "1"
    assert job.run("sleep 300 & echo $! > pid", "echo done", shell=shell) == (
        0,
        "done\n",
    )


@shells
def test_an_output_folder_that_cannot_be_written_is_named(
    job: Job, tmp_path: Path, shell: str
) -> None:
    job.env["OUTPUT_DIR"] = str(tmp_path / "nowhere")
    status, output = job.run("echo never", shell=shell)
    assert status == 73
    assert (
        f"riseml: cannot write to the output directory {tmp_path}/nowhere (as user {os.getuid()})"
        in output
    )
    assert "never" not in output


@shells
def test_a_log_that_cannot_be_copied_does_not_fail_the_job(
    job: Job, shell: str
) -> None:
    (job.output / ".riseml").mkdir()
    (job.output / ".riseml/logs").write_text("a file where the folder should be")
    status, output = job.run("echo on it goes", shell=shell)
    assert status == 0
    assert output.endswith(
        f"riseml: this log is not copied to {job.log.parent}\non it goes\n"
    )


@shells
def test_the_code_replaces_files_of_install_steps(job: Job, shell: str) -> None:
    (job.code / "built").write_text("by a step")
    (job.code / "fit.py").write_text("as it was when the image was built")
    (job.own / "code/sub").mkdir(parents=True)
    (job.own / "code/fit.py").write_text("print('new')")
    (job.own / "code/sub/.hidden").write_text("there, too")
    assert job.run("cat built fit.py sub/.hidden", shell=shell) == (
        0,
        "by a stepprint('new')there, too",
    )


@shells
def test_a_job_that_cannot_write_to_its_home_gets_another_one(
    poor_job: Job, shell: str
) -> None:
    user = NOBODY if os.getuid() == 0 else None
    poor_job.env["HOME"] = str(poor_job.code)
    status, output = poor_job.run("cd; pwd; touch cache", shell=shell, user=user)
    assert (status, output) == (0, f"{poor_job.own}/home\n")


@shells
@pytest.mark.parametrize("folder", ["code", "nothing"])
def test_a_home_stays_as_it_is_unless_it_only_cannot_be_written_to(
    job: Job, shell: str, folder: str
) -> None:
    home = str(job.code.parent / folder)
    job.env["HOME"] = home
    assert job.run("echo $HOME", shell=shell) == (0, f"{home}\n")


@shells
def test_the_code_runs_elsewhere_if_its_folder_is_not_writable(
    poor_job: Job, shell: str
) -> None:
    user = NOBODY if os.getuid() == 0 else None
    (poor_job.own / "code").mkdir()
    (poor_job.own / "code/fit.py").write_text("new")
    status, output = poor_job.run("cat fit.py; pwd", shell=shell, user=user)
    assert status == 0
    note, rest = output.split("\n", 1)
    assert note.endswith(
        f"cannot write to {poor_job.code}, so the code runs in {poor_job.own}/code"
    )
    assert rest == f"new{poor_job.own}/code\n"


@shells
@pytest.mark.parametrize(
    ("before", "after"), [(None, "{}/lib"), ("/a:/b", "{}/lib:/a:/b")]
)
def test_the_library_is_first_on_the_python_path(
    job: Job, shell: str, before: str | None, after: str
) -> None:
    if before:
        job.env["PYTHONPATH"] = before
    assert job.run('echo "$PYTHONPATH"', shell=shell) == (
        0,
        after.format(job.own) + "\n",
    )


@shells
@pytest.mark.parametrize(
    ("given", "seen"), [(None, "1"), ("", ""), ("0", "0")], ids=["unset", "empty", "0"]
)
def test_python_prints_at_once_unless_the_user_decided(
    job: Job, shell: str, given: str | None, seen: str
) -> None:
    if given is not None:
        job.env["PYTHONUNBUFFERED"] = given
    assert variables_of(job, shell)["PYTHONUNBUFFERED"] == seen


@shells
@everywhere
def test_output_survives_a_kill_without_a_flush(
    job: Job, shell: str, logged: bool
) -> None:
    if logged:
        job.env["RISEML_LOGGED"] = "1"
    (job.code / "fit.py").write_text(
        "import os, signal\nfor n in range(12):\n    print('epoch', n)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    status, output = job.run(f"exec {sys.executable} fit.py", shell=shell)
    assert status == 137
    assert output.splitlines()[:12] == [f"epoch {n}" for n in range(12)]


_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


def threads_of(job: Job, shell: str) -> dict[str, str]:
    for name in _THREADS:
        job.env.setdefault(name, "")
        if not job.env[name]:
            del job.env[name]
    variables = variables_of(job, shell)
    return {name: variables[name] for name in _THREADS}


@shells
@pytest.mark.parametrize(
    ("cpus", "processes", "threads"),
    [("4", None, "4"), ("1", None, "1"), ("5", "2", "2"), ("1", "4", "1")],
)
def test_libraries_start_a_thread_for_each_granted_cpu(
    job: Job, shell: str, cpus: str, processes: str | None, threads: str
) -> None:
    job.env["RISEML_THREADS"] = cpus
    if processes:
        job.env["RISEML_PROCESSES"] = processes
    assert set(threads_of(job, shell).values()) == {threads}


@shells
def test_threads_that_the_user_set_stay(job: Job, shell: str) -> None:
    job.env |= {"RISEML_THREADS": "4", "OMP_NUM_THREADS": "3,2"}
    job.env["MKL_NUM_THREADS"] = "7"
    threads = threads_of(job, shell)
    assert threads["OMP_NUM_THREADS"] == "3,2"
    assert threads["MKL_NUM_THREADS"] == "7"
    # It would obey the user's OMP_NUM_THREADS if it had no variable of its own.
    assert threads["OPENBLAS_NUM_THREADS"] == "3"
    assert threads["LOKY_MAX_CPU_COUNT"] == "4"


PIPE_SHELLS = pytest.mark.parametrize(
    "shell", [name for name in FOUND if name in ("bash", "busybox")]
)


@PIPE_SHELLS
@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("sh -c 'exit 5' 2>&1 | cat", 5),
        ("sh -c 'exit 5' | cat | sh -c 'cat; exit 0'", 5),
        ("( set -- a; sh -c 'exit 6' | cat )", 6),
    ],
)
def test_a_pipe_hides_no_failure(job: Job, shell: str, line: str, status: int) -> None:
    assert job.run(line, "echo never", shell=shell) == (status, "")


def _lacks_pipefail(shell: str) -> bool:
    command = [*SHELLS[shell], "-c", "command set -o pipefail"]
    return subprocess.run(command, check=False, capture_output=True).returncode != 0


@shells
def test_a_shell_without_pipefail_says_so_once_where_it_matters(
    job: Job, shell: str
) -> None:
    status, output = job.run(
        "false || true", "echo a | cat", "echo b | cat", shell=shell
    )
    assert status == 0
    notes = [line for line in output.splitlines() if "pipefail" in line]
    assert len(notes) == int(_lacks_pipefail(shell))
    assert output.endswith("a\nb\n")


COMPILER = shutil.which("gcc") or shutil.which("cc")
COUNT = """
#include <stdio.h>
#include <signal.h>
int main(void) {
    for (int n = 0; n < 12; n++) printf("epoch %d\\n", n);
    return raise(SIGKILL);
}
"""
needs_compiler = pytest.mark.skipif(
    not COMPILER or not shutil.which("stdbuf"), reason="no C compiler or no stdbuf"
)


@needs_compiler
@shells
@pytest.mark.parametrize(
    "lines",
    [
        ("cc count.c -o count", "./count"),
        ("cc count.c -o count && (./count)",),
        ("mkdir sub; cc count.c -o ./sub/count && exec ./sub/count",),
        ("cc -fsanitize=address count.c -o count", "./count"),
    ],
    ids=["lines", "line", "folder", "sanitizer"],
)
def test_a_c_program_prints_by_line(
    job: Job, shell: str, lines: tuple[str, ...]
) -> None:
    (job.code / "count.c").write_text(COUNT)
    status, output = job.run(*lines, shell=shell)
    assert status == 137, output
    assert [line for line in output.splitlines() if line.startswith("epoch")] == [
        f"epoch {n}" for n in range(12)
    ]


@needs_compiler
@shells
@pytest.mark.parametrize(
    "line", ["seq 3 | sort", "python3 -c 'print(1)' > ./out.txt", "cat ./data", "a/x"]
)
def test_other_programs_keep_their_buffers(job: Job, shell: str, line: str) -> None:
    (job.code / "data").write_text("text")
    (job.code / "a").mkdir()
    (job.code / "a/x").write_text("#!/bin/sh\n")
    (job.code / "a/x").chmod(0o755)
    job.run("env > variables", line, shell=shell)
    assert "LD_PRELOAD" not in (job.code / "variables").read_text()


@needs_compiler
@shells
@pytest.mark.parametrize("name", ["LD_PRELOAD", "_STDBUF_O", "ASAN_OPTIONS"])
def test_a_users_own_preload_stays(job: Job, shell: str, name: str) -> None:
    job.env[name] = ":"
    job.run("env > variables; ./count", shell=shell)
    variables = (job.code / "variables").read_text().splitlines()
    assert f"{name}=:" in variables
    assert not any(line.startswith("_STDBUF_O=L") for line in variables)
