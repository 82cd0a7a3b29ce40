"""One `riseml.Client` that several threads and forked processes share."""

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import riseml
from riseml.status import State
from tests.local.conftest import PATIENCE, Lab

GATED = """\
project: lab
train:
  image: busybox
  resources: {{cpus: 0.01, mem: 1}}
  parameters: {{x: [1, 2, 3]}}
  concurrency: 3
  run: until [ -e {gate} ]; do sleep 0.05; done
"""


def submit(lab: Lab, client: riseml.Client) -> tuple[str, Path]:
    """Start a set that ends once a file exists; return its id and that file."""
    gate = lab.folder.parent / "gate"
    lab.write({"riseml.yml": GATED.format(gate=gate)})
    return client.train(lab.folder / "riseml.yml").id, gate


def test_a_thread_waits_for_a_run_that_another_one_has_looked_at(lab: Lab) -> None:
    client = riseml.Client(lab.engine.home)
    run, gate = submit(lab, client)
    assert client.status(run).state is not State.FINISHED
    states: list[State] = []
    thread = threading.Thread(
        target=lambda: states.extend(ended.state for ended in client.wait(run))
    )
    thread.start()
    lab.until(lambda: client.status(run).state is State.RUNNING)
    gate.touch()
    thread.join(PATIENCE)
    assert states == [State.FINISHED]
    assert client.status(run).state is State.FINISHED


def test_many_threads_use_a_client_while_one_of_them_waits(lab: Lab) -> None:
    client = riseml.Client(lab.engine.home)
    run, gate = submit(lab, client)
    lab.until(lambda: client.status(run).state is State.RUNNING)

    def look(_: int) -> tuple[State, int, str]:
        status = client.status(run)
        return status.state, len(client.runs()), str(client.engine.latest())

    with ThreadPoolExecutor(4) as threads:
        waiting = threads.submit(client.wait, run)
        try:
            running = list(threads.map(look, range(40)))
            assert not waiting.done()
        finally:
            # The executor waits for its threads.
            gate.touch()
        (ended,) = waiting.result(PATIENCE)
    assert running == [(State.RUNNING, 1, run)] * 40
    assert ended.state is State.FINISHED


def test_threads_that_submit_at_once_have_consecutive_numbers(lab: Lab) -> None:
    lab.write({"riseml.yml": GATED.format(gate="/"), "code.py": "print(1)\n"})
    client = riseml.Client(lab.engine.home)

    def train(_: int) -> tuple[str, State]:
        run = client.train(lab.folder / "riseml.yml")
        (ended,) = client.wait(run.id)
        return run.id, ended.state

    with ThreadPoolExecutor(4) as threads:
        runs = dict(threads.map(train, range(4)))
    assert runs == dict.fromkeys(("1", "2", "3", "4"), State.FINISHED)


def test_a_worker_thread_of_asyncio_waits_while_the_loop_goes_on(lab: Lab) -> None:
    client = riseml.Client(lab.engine.home)
    run, gate = submit(lab, client)
    lab.until(lambda: client.status(run).state is State.RUNNING)

    async def notebook() -> State:
        waiting = asyncio.create_task(asyncio.to_thread(client.wait, run))
        try:
            # The loop runs again before it looks.
            await asyncio.sleep(0.1)
            assert client.status(run).state is State.RUNNING
            assert not waiting.done()
        finally:
            gate.touch()
        (ended,) = await asyncio.wait_for(waiting, PATIENCE)
        return ended.state

    assert asyncio.run(notebook()) is State.FINISHED


def test_an_iterator_goes_on_in_whichever_thread_reads_it(lab: Lab) -> None:
    client = riseml.Client(lab.engine.home)
    run, gate = submit(lab, client)
    changes = client.changes(run)

    def state() -> State | None:
        status = next(changes)
        return status.state if status else None

    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        assert first.submit(state).result(PATIENCE) is not State.FINISHED
        gate.touch()
        while second.submit(state).result(PATIENCE) is not State.FINISHED:
            pass


FORKED = """\
import os, sys, warnings
import riseml

warnings.simplefilter("error")
client = riseml.Client()
run, gate = sys.argv[1:]
print("parent", client.status(run).state, flush=True)
changes = client.changes(run)
next(changes)
child = os.fork()
if child:
    status = os.waitpid(child, 0)[1]
    print("parent", client.status(run).state, list(changes)[-1].state)
    sys.exit(os.waitstatus_to_exitcode(status))
# The file locks of the parent are not those of the child, so it opens the database again.
print("child", client.status(run).state, flush=True)
open(gate, "w").close()
print("child", client.wait(run)[0].state, list(changes)[-1].state, flush=True)
"""


def test_a_forked_process_goes_on_using_the_client(lab: Lab) -> None:
    client = riseml.Client(lab.engine.home)
    run, gate = submit(lab, client)
    lab.until(lambda: client.status(run).state is State.RUNNING)
    process = subprocess.run(
        [sys.executable, "-c", FORKED, run, str(gate)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert process.stderr == ""
    assert process.stdout == dedent("""\
        parent RUNNING
        child RUNNING
        child FINISHED FINISHED
        parent FINISHED FINISHED
        """)
    assert process.returncode == 0


HELD = """\
import os, sys, threading
import riseml

client = riseml.Client()
run = sys.argv[1]
client.status(run)
stop = threading.Event()


def read():
    while not stop.is_set():
        client.status(run)


threads = [threading.Thread(target=read) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(20):
    child = os.fork()
    if not child:
        os._exit(client.status(run).state != "RUNNING")
    assert os.waitpid(child, 0)[1] == 0
stop.set()
"""


def test_a_fork_while_other_threads_read_leaves_no_lock_behind(lab: Lab) -> None:
    client = riseml.Client(lab.engine.home)
    run, gate = submit(lab, client)
    lab.until(lambda: client.status(run).state is State.RUNNING)
    # A lock that a thread held at the fork would stop the child forever.
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HELD, run], timeout=PATIENCE, check=True
    )
    gate.touch()
    assert client.wait(run)[0].state is State.FINISHED
