"""Processes of a machine, read from a tree with exact values."""

import os
from pathlib import Path

import pytest

from riseml.engines.local.jobs import process_table
from riseml.engines.local.jobs.process_table import Process
from tests.unit.engines.local.jobs.process_tree import PAGE, ProcessTree


@pytest.fixture
def tree(tmp_path: Path) -> ProcessTree:
    return ProcessTree(tmp_path / "proc")


def test_a_process_has_the_time_of_children_that_ended(tree: ProcessTree) -> None:
    tree.add(7, 1, rss=3 * PAGE, own_cpu=1.5, child_cpu=0.25)
    assert process_table.read(str(tree.root)) == {
        7: Process(7, 1, 1007, 1.75, 3 * PAGE)
    }


def test_threads_of_the_kernel_are_left_out(tree: ProcessTree) -> None:
    tree.add(2, 0)
    tree.add(8, 2)
    assert list(process_table.read(str(tree.root))) == [2]


def test_counters_are_read(tree: ProcessTree) -> None:
    tree.add(7, 1, key="a:1:n", pss=4096, io=(100, 30))
    folder = tree.root / "7" / "net"
    folder.mkdir()
    (folder / "dev").write_text(
        "Inter-|   Receive\n face |bytes\n"
        "    lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n"
        "  eth0: 70 1 0 0 0 0 0 0 40 1 0 0 0 0 0 0\n"
        "  tap0: 1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n"
    )
    root = str(tree.root)
    assert process_table.key_of(7, root) == "a:1:n"
    assert process_table.proportional_memory(7, root) == 4096
    assert process_table.disk_bytes(7, root) == (100, 30)
    assert process_table.net_bytes(7, root) == (71, 42)


def test_what_cannot_be_read_is_not_known(tree: ProcessTree) -> None:
    tree.add(7, 1)
    root = str(tree.root)
    assert process_table.key_of(9, root) is None
    assert process_table.proportional_memory(7, root) is None
    assert process_table.disk_bytes(7, root) is None
    assert process_table.net_bytes(7, root) is None


def test_this_process_is_in_the_table() -> None:
    process = process_table.read()[os.getpid()]
    assert process.parent == os.getppid()
    assert process.cpu > 0
    assert process.rss > 5_000_000
