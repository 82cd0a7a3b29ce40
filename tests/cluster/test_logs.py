"""Lines of pods' logs have times: those of Kubernetes, later those of the copies' index."""

import re
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from riseml import Client
from riseml.cluster.api import path
from riseml.engines import Chunk
from riseml.engines.argo.engine import ArgoEngine
from tests.cluster.installed import NAMESPACE
from tests.cluster.user_namespace import wait_until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(280),
    pytest.mark.xdist_group("system"),
]

CONFIG = """
project: timed
train:
  image: localhost/base:1
  resources: {cpus: 0.1, mem: 64M}
  retries: 1
  run:
    - for i in 1 2; do date +%s.%N; sleep 2; done
    - test $RISEML_ATTEMPT = 1
"""


def lines(client: Client, id: str) -> list[tuple[int, float, float]]:  # noqa: A002
    """Return of each line: the attempt, the time in it, and the time before it."""
    timed = []
    for event in client.logs(id, times=True):
        if not isinstance(event, Chunk):
            continue
        assert event.time
        for line in event.data.splitlines():
            if line[:1].isdigit():
                timed.append((event.attempt, float(line), event.time.timestamp()))
    return timed


def test_lines_have_times(client: Client, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "riseml.yml").write_text(CONFIG)
    run = client.train(project / "riseml.yml")
    client.wait(run.id)
    from_pods = lines(client, run.id)
    assert [attempt for attempt, _, _ in from_pods] == [0, 0, 1, 1]
    for _, printed, written in from_pods:
        assert printed <= written < printed + 1
    assert isinstance(client.engine, ArgoEngine)
    api = client.engine.workflows.api
    pods = path("pods", NAMESPACE)
    selector = "workflows.argoproj.io/workflow"
    for pod in list(api.items(pods, labelSelector=selector)):
        api.delete(f"{pods}/{pod['metadata']['name']}")
    wait_until(lambda: not list(api.items(pods, labelSelector=selector)), 60, "no pods")
    copies = lines(client, run.id)
    assert [line[:2] for line in copies] == [line[:2] for line in from_pods]
    for _, printed, written in copies:
        # The index has whole seconds, and an entry every five.
        assert printed - 1 < written < printed + 10


# The kubelet replaces files of more than 10 MiB, every ten seconds.
LONG = r"""
project: long
train:
  image: localhost/base:1
  resources: {cpus: 0.1, mem: 128M}
  run: python3 print.py
"""
PROGRAM = r"""
import sys, time
out = open(1, "w", newline="", closefd=False)
begun = time.time()
for number in range(250000):
    end = "\r\n" if number % 2 else "\n"
    out.write("50%%\rline %06d %s%s" % (number, "x" * 84, end))
    if number % 100 == 99:
        out.flush()
        time.sleep(max(0, begun + number / 8000 - time.time()))
"""
LINE = re.compile(rb"line (\d{6}) x{84}")


def numbers(client: Client, id: str, **query: Any) -> list[int]:  # noqa: A002
    """Return the numbers of the lines that are shown."""
    text = b""
    for event in client.logs(id, **query):
        if isinstance(event, Chunk):
            text += event.data
    return list(map(int, LINE.findall(text)))


def newest(client: Client, id: str) -> int:  # noqa: A002
    """Return the number of the newest line, 0 if there is none."""
    return max(numbers(client, id, follow=False, tail=1), default=0)


def test_logs_of_25_mb_are_complete(client: Client, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "riseml.yml").write_text(LONG)
    (project / "print.py").write_text(PROGRAM)
    run = client.train(project / "riseml.yml")
    followed: list[int] = []
    follower = Thread(target=lambda: followed.extend(numbers(client, run.id)))
    follower.start()
    wait_until(lambda: newest(client, run.id) > 120_000, 120, "a second file")
    during = numbers(client, run.id, follow=False)
    assert during == list(range(len(during)))
    last = numbers(client, run.id, follow=False, tail=150_000)
    assert last == list(range(last[0], last[0] + len(last)))
    follower.join()
    for lines in (followed, numbers(client, run.id)):
        assert lines == list(range(250_000))
    assert numbers(client, run.id, tail=100_000) == list(range(150_000, 250_000))
