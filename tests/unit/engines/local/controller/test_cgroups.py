"""Limits of control groups, from recorded tables and files of several systems."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riseml.engines.local.controller.cgroups import GroupLimits, limits

UNLIMITED_V1 = "9223372036854771712\n"
NOTHING = GroupLimits(None, None)


def measured(files: dict[str, str]) -> GroupLimits:
    return limits(lambda path: files.get(path, ""))


# Debian 12, a service of systemd below a slice: version 2 only.
NESTED_V2 = {
    "/proc/self/cgroup": "0::/user.slice/user-1000.slice/user@1000.service/app.slice/train.service\n",
    "/proc/self/mountinfo": (
        "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
        "29 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4"
        " - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
    ),
}
APP = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice"

# Docker with version 2 and a namespace of its own, the default: the group seems the root.
DOCKER_V2 = {
    "/proc/self/cgroup": "0::/\n",
    "/proc/self/mountinfo": (
        "1052 1049 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n"
    ),
}

# Docker with version 1: the tables name the host's path, which the mounts hide.
DOCKER_V1 = {
    "/proc/self/cgroup": (
        "12:memory:/docker/8f3c\n"
        "4:cpu,cpuacct:/docker/8f3c\n"
        "1:name=systemd:/docker/8f3c\n"
        "0::/system.slice/containerd.service\n"
    ),
    "/proc/self/mountinfo": (
        "900 880 0:60 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,mode=755\n"
        "901 900 0:29 /docker/8f3c /sys/fs/cgroup/systemd ro - cgroup cgroup rw,xattr,name=systemd\n"
        "905 900 0:33 /docker/8f3c /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
        "909 900 0:37 /docker/8f3c /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    ),
}

# A virtual machine with the controllers of version 1 beside an empty version 2.
HYBRID = {
    "/proc/self/cgroup": "4:memory:/jobs/a\n3:cpuset:/\n2:cpuacct:/\n1:cpu:/jobs/a/b\n0::/\n",
    "/proc/self/mountinfo": (
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
        "33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
    ),
}


def v1(folder: str, quota: str, period: str = "100000") -> dict[str, str]:
    return {
        f"{folder}/cpu.cfs_quota_us": f"{quota}\n",
        f"{folder}/cpu.cfs_period_us": f"{period}\n",
    }


@pytest.mark.parametrize("tables", [NESTED_V2, DOCKER_V2, DOCKER_V1, HYBRID, {}])
def test_a_system_without_limits_has_none(tables: dict[str, str]) -> None:
    assert measured(tables) == NOTHING


def test_version_2_in_a_container() -> None:
    files = {
        "/sys/fs/cgroup/cpu.max": "200000 100000\n",
        "/sys/fs/cgroup/memory.max": "4294967296\n",
    }
    assert measured(DOCKER_V2 | files) == GroupLimits(Decimal(2), 4_294_967_296)


def test_the_lowest_limit_of_nested_groups_counts() -> None:
    files = {
        f"{APP}/train.service/cpu.max": "400000 100000\n",
        f"{APP}/train.service/memory.max": "max\n",
        f"{APP}/cpu.max": "max 100000\n",
        f"{APP}/memory.max": "2000000000\n",
        "/sys/fs/cgroup/user.slice/user-1000.slice/cpu.max": "75000 50000\n",
        "/sys/fs/cgroup/user.slice/user-1000.slice/memory.max": "3000000000\n",
    }
    assert measured(NESTED_V2 | files) == GroupLimits(Decimal("1.5"), 2_000_000_000)


def test_groups_beside_that_of_the_process_do_not_count() -> None:
    files = {f"{APP}/other.service/cpu.max": "1000 100000\n"}
    assert measured(NESTED_V2 | files) == NOTHING


def test_version_1_in_a_container() -> None:
    files = v1("/sys/fs/cgroup/cpu,cpuacct", "50000") | {
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n"
    }
    assert measured(DOCKER_V1 | files) == GroupLimits(Decimal("0.5"), 1_073_741_824)


def test_version_1_without_limits() -> None:
    folder = "/sys/fs/cgroup/cpu,cpuacct"
    files = v1(folder, "-1") | {
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": UNLIMITED_V1
    }
    assert measured(DOCKER_V1 | files) == GroupLimits(None, int(UNLIMITED_V1))


def test_both_versions_at_once() -> None:
    cpu = "/sys/fs/cgroup/cpu"
    files = (
        v1(f"{cpu}/jobs/a/b", "-1")
        | v1(f"{cpu}/jobs/a", "300000")
        | v1(f"{cpu}/jobs", "700000")
        | {"/sys/fs/cgroup/memory/jobs/a/memory.limit_in_bytes": "5000\n"}
    )
    assert measured(HYBRID | files) == GroupLimits(Decimal(3), 5000)


def test_files_at_the_usual_places_count_whatever_the_tables_say() -> None:
    files = {"/sys/fs/cgroup/cpu.max": "100000 100000"}
    assert measured(HYBRID | files) == GroupLimits(Decimal(1), None)
    assert measured(files) == GroupLimits(Decimal(1), None)


def test_a_group_outside_its_namespace_is_sought_at_the_mount() -> None:
    tables = {
        "/proc/self/cgroup": "0::/../other\n",
        "/proc/self/mountinfo": "1 0 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
        "/sys/fs/cgroup/cpu.max": "max 100000\n",
        "/sys/fs/other/cpu.max": "1000 100000\n",
    }
    assert measured(tables) == NOTHING


def test_a_path_may_contain_blanks_and_colons() -> None:
    tables = {
        "/proc/self/cgroup": "0::/a:b c\n",
        "/proc/self/mountinfo": "1 0 0:26 / /my\\040groups rw - cgroup2 none rw\n",
        "/my groups/a:b c/cpu.max": "150000 100000\n",
    }
    assert measured(tables) == GroupLimits(Decimal("1.5"), None)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("100000 100000", "1"),
        ("100000", "1"),
        ("6400000 100000", "64"),
        ("100000 30000", "3.333"),
        ("max 100000", None),
        ("max", None),
        ("", None),
        ("-1 100000", None),
        ("1 0", None),
        ("many 100000", None),
    ],
)
def test_quotas_become_cores(text: str, cpus: str | None) -> None:
    cores, _ = measured(DOCKER_V2 | {"/sys/fs/cgroup/cpu.max": text})
    assert str(cores) == str(cpus)


WORDS = st.sampled_from(
    [
        "1",
        " - ",
        "cgroup2",
        "cgroup",
        " ",
        "/",
        "/a",
        ":",
        ",",
        "cpu",
        "..",
        "\n",
        "\\777",
    ]
)


@given(st.lists(WORDS).map("".join), st.lists(WORDS).map("".join), st.text(max_size=9))
def test_unexpected_tables_are_no_error(table: str, mounts: str, text: str) -> None:
    def read(path: str) -> str:
        return {
            "/proc/self/cgroup": table,
            "/proc/self/mountinfo": mounts,
        }.get(path, text)

    cpus, mem = limits(read)
    assert cpus is None or cpus >= 0
    assert mem is None or mem >= 0
