"""Control groups of jobs in trees of files like those of systemd, containers and root."""

import os
from decimal import Decimal
from pathlib import Path

import pytest

from riseml.engines.local.controller import job_groups
from riseml.engines.local.controller.job_groups import Parents

MOUNTS = "29 23 0:26 / {} rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


class Tree:
    """A hierarchy of version 2 below a folder, and the group of this process in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.own = ""

    def add(
        self, group: str, controllers: str, enabled: str = "", **files: str
    ) -> Path:
        folder = self.root / group
        folder.mkdir(parents=True, exist_ok=True)
        contents = {
            "cgroup.controllers": controllers,
            "cgroup.subtree_control": enabled,
            "cgroup.procs": "",
            "memory.max": "max",
            **{name.replace("_", "."): text for name, text in files.items()},
        }
        for name, text in contents.items():
            (folder / name).write_text(f"{text}\n")
        return folder

    def read(self, path: str) -> str:
        if path == "/proc/self/cgroup":
            return f"0::/{self.own}\n"
        if path == "/proc/self/mountinfo":
            return MOUNTS.format(self.root)
        file = Path(path)
        return file.read_text() if file.exists() else ""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    tree = Tree(tmp_path / "cgroup")
    monkeypatch.setattr(job_groups, "_read_file", tree.read)
    # A kernel refuses to enable a controller in a group that has processes.
    monkeypatch.setattr(job_groups, "_attempt", lambda *_: None)
    return tree


def test_a_terminal_of_a_desktop_uses_the_slice_of_its_programs(tree: Tree) -> None:
    tree.own = "user.slice/user@1000.service/app.slice/app-terminal.scope"
    tree.add("", "cpu memory pids", "cpu memory pids")
    slice_ = tree.add(tree.own.rpartition("/")[0], "cpu memory pids", "memory pids")
    tree.add(tree.own, "memory pids")
    assert job_groups.find() == Parents(2, slice_, None)


def test_processor_time_is_limited_where_its_controller_is_enabled(tree: Tree) -> None:
    tree.own = "system.slice/work.service"
    tree.add(tree.own, "cpu memory")
    slice_ = tree.add("system.slice", "cpu memory", "cpu memory")
    assert job_groups.find() == Parents(2, slice_, slice_)


def test_a_container_whose_group_has_processes_gives_none(tree: Tree) -> None:
    tree.add("", "cpu memory")
    assert job_groups.find() is None


def test_a_job_does_not_escape_the_limits_of_its_group(tree: Tree) -> None:
    tree.own = "batch.slice/limited.service"
    tree.add("batch.slice", "cpu memory", "cpu memory")
    tree.add(tree.own, "cpu memory", memory_max="1000000")
    assert job_groups.find() is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_session_that_belongs_to_root_gives_none(tree: Tree) -> None:
    tree.own = "user.slice/session-1.scope"
    folder = tree.add(tree.own, "cpu memory", "cpu memory")
    for path in (folder, folder.parent):
        path.chmod(0o555)
    assert job_groups.find() is None
    for path in (folder, folder.parent):
        path.chmod(0o755)


def test_groups_can_be_switched_off(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.own = "a"
    tree.add("", "memory", "memory")
    assert job_groups.find() == Parents(2, tree.root, None)
    monkeypatch.setenv("RISEML_CGROUPS", "off")
    assert job_groups.find() is None


@pytest.mark.parametrize(
    ("cpus", "quota"),
    [("2", "200000 100000"), ("0.5", "50000 100000"), ("0.01", "1000 100000")],
)
def test_a_group_of_version_2_has_the_requested_amounts(
    cpus: str, quota: str, tmp_path: Path
) -> None:
    parents = Parents(2, tmp_path, tmp_path)
    (folder,) = parents.make("home.7.node", 512_000_000, Decimal(cpus))
    assert folder == tmp_path / "riseml.home.7.node"
    assert (folder / "memory.max").read_text() == "512000000"
    assert (folder / "cpu.max").read_text() == quota


def test_a_group_of_version_2_ends_as_a_whole_and_does_not_swap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(
        job_groups, "_attempt", lambda file, text: written.append((file.name, text))
    )
    (folder,) = Parents(2, tmp_path, None).make("x", 64, Decimal(1))
    assert written == [("memory.swap.max", "0"), ("memory.oom.group", "1")]
    assert not (folder / "cpu.max").exists()


def test_version_1_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    memory, cpu = tmp_path / "memory", tmp_path / "cpu"
    for folder in (memory, cpu):
        folder.mkdir()
    groups = Parents(1, memory, cpu).make("x", 64_000_000, Decimal("1.5"))
    assert groups == (memory / "riseml.x", cpu / "riseml.x")
    assert (groups[0] / "memory.limit_in_bytes").read_text() == "64000000"
    assert (groups[1] / "cpu.cfs_quota_us").read_text() == "150000"
    assert (groups[1] / "cpu.cfs_period_us").read_text() == "100000"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("memory.events", "low 0\nhigh 0\nmax 90\noom 3\noom_kill 2\n"),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
    ],
)
def test_kills_for_want_of_memory_are_counted(
    name: str, text: str, tmp_path: Path
) -> None:
    assert job_groups.oom_kills(tmp_path) == 0
    (tmp_path / name).write_text(text)
    assert job_groups.oom_kills(tmp_path) == 2


@pytest.mark.parametrize("name", ["memory.peak", "memory.max_usage_in_bytes"])
def test_the_peak_is_known_on_newer_kernels(name: str, tmp_path: Path) -> None:
    assert job_groups.peak(tmp_path) is None
    (tmp_path / name).write_text("63995904\n")
    assert job_groups.peak(tmp_path) == 63_995_904


def test_a_group_with_processes_is_not_removed(tmp_path: Path) -> None:
    busy, gone, empty = tmp_path / "busy", tmp_path / "gone", tmp_path / "empty"
    for folder in (busy, empty):
        folder.mkdir()
    (busy / "file").touch()
    assert job_groups.remove((busy, gone, empty)) == [busy]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["busy"]
