"""One `riseml.Client` that threads and a forked process share, on the cluster of KUBECONFIG."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import riseml
from riseml.status import State
from tests.cluster.user_namespace import IMAGE
from tests.contract import cluster
from tests.contract.bench import Bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("threads"),
]

NAMESPACE = "riseml-threads"
SECONDS = 200.0


def test_threads_and_a_forked_process_use_a_client_while_one_thread_waits(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    engine = cluster.engine(tmp_path / "home", NAMESPACE)
    client = riseml.Client(engine=engine)
    bench = Bench(engine, folder, IMAGE, SECONDS, project="threads")
    number = bench.train(
        'run: until [ -e "$OUTPUT_DIR/go" ]; do sleep 0.2; done'
    ).number
    run = str(number)
    bench.until(lambda: client.status(run).state is State.RUNNING, "the run")

    def look(_: int) -> tuple[State, int]:
        return client.status(run).state, len(client.runs())

    with ThreadPoolExecutor(4) as threads:
        waiting = threads.submit(client.wait, run)
        try:
            assert list(threads.map(look, range(12))) == [(State.RUNNING, 1)] * 12
            assert state_in_child(client, run) is State.RUNNING
            # The connections of this process still work.
            assert look(0) == (State.RUNNING, 1)
            assert not waiting.done()
        finally:
            engine.store.script(
                'touch "/output/$1/go"', f"{engine.user}/threads/{number}"
            )
        (ended,) = waiting.result(SECONDS)
    assert ended.state is State.FINISHED


def state_in_child(client: riseml.Client, run: str) -> State:
    """Return the state that a forked process reads."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # From Python 3.12 on, a fork in a process with threads is a warning.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            os.write(writer, client.status(run).state.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        state = pipe.read()
    os.waitpid(child, 0)
    return State(state.decode())
