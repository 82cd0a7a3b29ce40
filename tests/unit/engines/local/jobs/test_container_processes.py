"""Processes around a container are found in /proc, and those of others are not."""

import os
import subprocess
import sys

import pytest

from riseml.engines.local.jobs import container_processes, processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def monitor(name: str) -> subprocess.Popen[bytes]:
    """Start a process that looks like the conmon of a container, with one below it."""
    words = ["/usr/bin/conmon", "-c", "echo; sleep 60; true", "-n", name]
    process = subprocess.Popen(words, executable="/bin/sh", stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    return process


def test_the_monitor_of_a_container_is_killed_with_what_is_below_it() -> None:
    own, other = monitor("box"), monitor("box.1")
    try:
        assert container_processes.find_monitor(os.getpid(), "box") == own.pid
        while not container_processes.children(own.pid):
            continue
        (child,) = container_processes.children(own.pid)
        assert container_processes.kill_monitor(os.getpid(), "box")
        assert own.wait() == -9
        while processes.exists(child):
            continue
        assert other.poll() is None
        assert not container_processes.kill_monitor(os.getpid(), "box")
    finally:
        container_processes.kill_monitor(os.getpid(), "box.1")
        other.wait()


def test_a_process_that_has_ended_has_no_children() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert container_processes.children(process.pid) == []


def test_a_process_outside_of_containers_is_not_the_first_one() -> None:
    env = {**os.environ, processes.KEY: "here", container_processes.NAME: "box"}
    process = subprocess.Popen(["sleep", "60"], env=env)
    try:
        assert container_processes.find_first("here", "box") == 0
    finally:
        process.kill()
        process.wait()
