"""Order in which a kill reaches the processes of a job's lines."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from riseml import templating
from riseml.compiler import pod
from tests.unit.script_shells import FOUND, SHELLS, shells
from tests.unit.templates.container_job import Job

PYTHON = sys.executable
# A trainer as users write it: a helper process, and a checkpoint after TERM that needs it.
TRAINER = """
import multiprocessing as mp, os, signal, sys, time

def help():
    while True:
        time.sleep(1)

def stop(number, frame):
    global signals
    signals += 1
    if signals > 1:
        return
    print("saving")
    time.sleep(float(os.environ.get("SAVES", "0.5")))
    open(os.environ["OUTPUT_DIR"] + "/ckpt", "w").write(f"{child.is_alive()} {signals}")
    print("saved")
    sys.exit(int(os.environ.get("STATUS", "0")))

signals = 0
if __name__ == "__main__":
    child = mp.Process(target=help, daemon=True)
    child.start()
    signal.signal(signal.SIGTERM, stop)
    print("up", file=sys.stderr)
    while True:
        time.sleep(0.02)
"""
POOL = """
import os, signal, sys, time
from concurrent.futures import ProcessPoolExecutor

stopping = False

def stop(number, frame):
    global stopping
    stopping = True

def load(i):
    time.sleep(0.05)
    return i

if __name__ == "__main__":
    if os.environ["WHEN"] == "after":
        signal.signal(signal.SIGTERM, stop)
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(load, range(2)))
        if os.environ["WHEN"] == "before":
            signal.signal(signal.SIGTERM, stop)
        epoch = 0
        while not stopping:
            if epoch == 1:
                print("up", file=sys.stderr)
            sum(pool.map(load, range(10)))
            epoch += 1
        open(os.environ["OUTPUT_DIR"] + "/ckpt", "w").write("epoch")
        print("checkpoint")
"""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = Job(tmp_path)
    job.env["RISEML_LOGGED"] = "1"
    (job.code / "t.py").write_text(TRAINER)
    (job.code / "pool.py").write_text(POOL)
    return job


def until(process: "subprocess.Popen[str]", text: str, count: int = 1) -> str:
    """Read the output until it contains a text so often, and return it."""
    assert process.stdout
    output = ""
    while output.count(text) < count:
        line = process.stdout.readline()
        assert line, output
        output += line
    return output


def stopped(
    job: Job, *lines: str, shell: str, number: int = signal.SIGTERM, count: int = 1
) -> tuple[int, str]:
    """Start lines, send a signal once they print `up`, and return status and output."""
    process = job.start(*lines, shell=shell)
    # Python writes the end of a line by itself, so lines of processes may interleave.
    output = until(process, "up", count)
    os.kill(process.pid, number)
    output += process.communicate(timeout=60)[0]
    return process.returncode, output


def checkpoint(job: Job) -> str | None:
    path = job.output / "ckpt"
    return path.read_text() if path.exists() else None


LINES = {
    "plain": "python t.py",
    "tee": 'python t.py 2>&1 | tee "$OUTPUT_DIR/log"',
    "exec": "exec python t.py",
    "background": "python t.py & wait $!",
    "bash": "sh -c 'python t.py; echo after $?'",
    "subshell": "( cd .; python t.py; echo after )",
    "pipeline": 'cat /dev/zero | tr -d "\\0" | python t.py 2>&1 | cat | tee "$OUTPUT_DIR/log"',
    "subshell in a pipeline": "( cd .; python t.py ) 2>&1 | cat",
    "loop": "echo 1 | while read -r x; do python t.py; done",
    "timeout": "timeout 100 python t.py",
    "nohup": "nohup python t.py",
    "xargs": "echo t.py | xargs python",
    "xargs and tee": 'echo t.py | xargs python 2>&1 | tee "$OUTPUT_DIR/log"',
    "make": "make -s train",
    "script": "./train.sh | cat",
    "background helper": "sleep 1000 & python t.py",
    "case": "case x in x) python t.py | cat ;; esac",
    "and": "python t.py && echo never",
}


@shells
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_trainer_saves_before_what_it_uses_ends(
    job: Job, shell: str, line: str
) -> None:
    (job.code / "Makefile").write_text("train:\n\t@python t.py\n")
    (job.code / "train.sh").write_text("#!/bin/sh\npython t.py\nexit $?\n")
    (job.code / "train.sh").chmod(0o755)
    job.env["PATH"] = f"{Path(PYTHON).parent}:{job.env['PATH']}"
    job.env["STATUS"] = "143"
    status, output = stopped(job, line, "echo never", shell=shell)
    assert checkpoint(job) == "True 1", output
    assert "saved\n" in output, output
    assert "never" not in output
    assert status != 0
    if (job.output / "log").exists():
        assert (job.output / "log").read_text().endswith("saved\n")


@shells
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_pool_ends_its_epoch(job: Job, shell: str, when: str) -> None:
    job.env["WHEN"] = when
    _, output = stopped(job, f"{PYTHON} pool.py", shell=shell)
    assert checkpoint(job) == "epoch", output
    assert "checkpoint\n" in output


@shells
def test_a_second_kill_changes_nothing(job: Job, shell: str) -> None:
    process = job.start(f'{PYTHON} t.py | tee "$OUTPUT_DIR/log"', shell=shell)
    until(process, "up\n")
    os.kill(process.pid, signal.SIGTERM)
    until(process, "saving\n")
    os.kill(process.pid, signal.SIGTERM)
    os.kill(process.pid, signal.SIGHUP)
    assert process.communicate(timeout=60)[0] == "saved\n"
    assert checkpoint(job) == "True 1"
    assert process.returncode == 143


@shells
def test_what_a_trap_of_the_lines_starts_runs_to_its_end(job: Job, shell: str) -> None:
    lines = (
        "trap 'sleep 0.5; echo kept > \"$OUTPUT_DIR/kept\"; exit 9' TERM",
        f"{PYTHON} t.py",
    )
    job.env["SAVES"] = "0.1"
    status, output = stopped(job, *lines, shell=shell)
    assert status == 9, output
    assert (job.output / "kept").read_text() == "kept\n"
    assert checkpoint(job) == "True 1"


@pytest.mark.skipif("bash" not in FOUND, reason="no bash")
def test_a_server_in_the_background_outlives_the_trainer(job: Job) -> None:
    """The trainer may need it until the end; it gets the signal then."""
    server = (
        "import os, signal, sys, time\n"
        "def stop(*_):\n"
        "    saved = os.path.exists(os.environ['OUTPUT_DIR'] + '/ckpt')\n"
        "    print('server ends', saved)\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "while True: time.sleep(0.02)\n"
    )
    (job.code / "server.py").write_text(server)
    line = f"{PYTHON} server.py & {PYTHON} t.py"
    status, output = stopped(job, line, shell="bash")
    assert output.endswith("saving\nsaved\nserver ends True\n")
    assert status == 143


@shells
def test_an_orphan_of_a_launcher_saves_before_its_helpers_end(
    job: Job, shell: str
) -> None:
    launcher = "import subprocess, sys\nsubprocess.call([sys.executable, 't.py'])\n"
    (job.code / "launch.py").write_text(launcher)
    line = f'{PYTHON} launch.py 2>&1 | tee "$OUTPUT_DIR/log"'
    _, output = stopped(job, line, shell=shell)
    assert checkpoint(job) == "True 1", output
    assert (job.output / "log").read_text() == "up\nsaving\nsaved\n"


@shells
def test_stages_of_a_pipeline_end_one_after_the_other(job: Job, shell: str) -> None:
    stage = (
        "import os, signal, sys, time\n"
        "def stop(*_):\n    sys.stderr.write('TERM ' + sys.argv[1] + '\\n')\n    os._exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "if sys.argv[1] == 'b': sys.stderr.write('up\\n')\n"
        "for line in sys.stdin: pass\n"
        "if sys.argv[1] == 'b': time.sleep(60)\n"
        "sys.stderr.write('end ' + sys.argv[1] + '\\n')\n"
    )
    (job.code / "stage.py").write_text(stage)
    run = f"{PYTHON} stage.py"
    _, output = stopped(
        job, f"{PYTHON} t.py | {run} a | {run} b | {run} c", shell=shell, count=2
    )
    lines = [line for line in output.splitlines() if line.startswith(("end", "TERM"))]
    assert lines == ["end a", "TERM b", "end c"]
    assert checkpoint(job) == "True 1"


@shells
def test_processes_that_read_from_each_other_end(job: Job, shell: str) -> None:
    # A command that starts just as the signal comes would count as one of a trap.
    line = "mkfifo p; (echo up >&2; exec cat) < p | cat > p"
    status, output = stopped(job, line, shell=shell)
    assert status != 0, output


@shells
@pytest.mark.parametrize("failing", [False, True], ids=["kill", "failure"])
def test_processes_of_a_worker_save_before_their_helpers_end(
    job: Job, shell: str, failing: bool
) -> None:
    job.env |= {
        "RISEML_PROCESSES": "3",
        "RISEML_NODE": "0",
        "RISEML_NODES": "1",
        "RISEML_LEADER": "127.0.0.1:1",
        "RISEML_EACH": "RANK=$rank",
        "SAVES": "1",
    }
    fail = "until [ -e fail ]; do sleep 0.1; done; exit 7"
    line = (
        f'mkdir "$OUTPUT_DIR/$RANK"; [ "$RANK" != 1 ] || {{ {fail}; }}; '
        f'OUTPUT_DIR=$OUTPUT_DIR/$RANK {PYTHON} t.py 2>&1 | tee "$OUTPUT_DIR/$RANK/log"'
    )
    process = job.start(line, shell=shell, script=pod.script("processes"))
    until(process, "up", 2)
    if failing:
        (job.code / "fail").touch()
    else:
        os.kill(process.pid, signal.SIGTERM)
    output = process.communicate(timeout=60)[0]
    for rank in ("0", "2"):
        assert (job.output / rank / "ckpt").read_text() == "True 1", output
        assert (job.output / rank / "log").read_text() == "up\nsaving\nsaved\n"
    if failing:
        assert process.returncode == 7
    else:
        assert process.returncode != 0


@shells
def test_no_trap_interrupts_a_stop(job: Job, shell: str) -> None:
    """A trap within a trap changes the status of a command in dash and busybox."""
    job.env["SAVES"] = "1"
    process = job.start(f"{PYTHON} t.py", shell=shell)
    until(process, "up")
    os.kill(process.pid, signal.SIGTERM)
    until(process, "saving")
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = int(status.partition("SigIgn:")[2].split()[0], 16)
    names = ("TERM", "INT", "HUP", "USR1", "USR2", "ALRM")
    for name in names:
        assert mask >> (signal.Signals[f"SIG{name}"] - 1) & 1, name
    process.communicate(timeout=60)
    assert checkpoint(job) == "True 1"


@shells
def test_a_stop_right_after_the_start_waits_for_a_first_child(
    tmp_path: Path, shell: str
) -> None:
    """A shell that gets TERM just before it starts a program ends only after that program."""
    script = f"""{templating.read("stop.sh")}
        riseml_shells=/proc/self/exe
        (until [ -e go ]; do :; done; sleep 100; :) &
        riseml_lines=$!
        (sleep 0.2; : > go) &
        riseml_await_child $riseml_lines
        echo "children:$riseml_children"
        kill -KILL $riseml_children
        wait
    """
    process = subprocess.run(
        [*SHELLS[shell], "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert re.search(r"children:\s*\d+", process.stdout), process.stderr


@pytest.mark.parametrize("runner", ["session", "processes", "mpi"])
def test_kubernetes_leaves_the_script_as_it_is(runner: str) -> None:
    """The kubelet turns two dollar signs of an argument into one."""
    assert "$$" not in pod.script(runner, gang=True) + pod.functions()
