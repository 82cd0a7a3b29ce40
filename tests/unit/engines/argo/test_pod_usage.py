"""Counters of containers, parsed from what usage.sh prints in them."""

import subprocess

from riseml.engines.argo import pod_usage, usage_view
from riseml.engines.argo.pod_usage import parse
from riseml.readings import GpuUsage

NET = """== net
Inter-|   Receive                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes packets
    lo:     900 0 0 0 0 0 0 0 900 0 0 0 0 0 0 0
  eth0:   21188 286 0 0 0 0 0 0 1102 15 0 0 0 0 0 0
"""
VERSION_2 = """== cpu.stat
usage_usec 2500000
user_usec 2000000
== memory.current
500000
== memory.stat
anon 300000
inactive_file 120000
== io.stat
8:0 rbytes=1000 wbytes=30 rios=1 wios=2 dbytes=0 dios=0
8:16 rbytes=500 wbytes=0 rios=1 wios=2 dbytes=0 dios=0
"""
VERSION_1 = """== cpuacct/cpuacct.usage
2500000000
== memory/memory.usage_in_bytes
700000
== memory/memory.stat
inactive_file 1
total_inactive_file 100000
== blkio/blkio.throttle.io_service_bytes
254:0 Read 4096
254:0 Write 8192
254:0 Total 12288
254:16 Read 4
Total 12292
"""


def test_version_2_of_control_groups() -> None:
    counters = parse(VERSION_2 + NET)
    assert counters == pod_usage.Counters(2.5, 380000, 1500, 30, 21188, 1102, ())


def test_version_1_of_control_groups() -> None:
    counters = parse(VERSION_1 + NET)
    assert counters == pod_usage.Counters(2.5, 600000, 4100, 8192, 21188, 1102, ())


def test_without_a_control_group_processes_count() -> None:
    fields = ["0"] * 50
    fields[11], fields[14], fields[21] = "150", "50", "3"
    line = f"7 (a (b) c) {' '.join(fields)}\n"
    counters = parse(f"== stat\n{line}{line}{NET}")
    assert (counters.cpu_seconds, counters.mem) == (4.0, 6 * 4096)


def test_gpus_are_those_of_nvidia_smi() -> None:
    lines = (
        "GPU-1, 0, NVIDIA H100, 00000000:65:00.0, 87, 1024, 81559, 310.25, 700.00, 61\n"
        "GPU-2, 1, NVIDIA H100, 00000000:66:00.0, [N/A], 0, 81559, [N/A], [N/A], 40\n"
        "Unable to determine the device handle\n"
    )
    counters = parse(f"{VERSION_2}{NET}== gpus\n{lines}")
    assert counters.gpus == (
        GpuUsage(
            "GPU-1",
            0,
            "NVIDIA H100",
            "00000000:65:00.0",
            util=0.87,
            mem=1 << 30,
            mem_total=81559 << 20,
            power=310.25,
            power_limit=700.0,
            temp=61.0,
        ),
        GpuUsage(
            "GPU-2",
            1,
            "NVIDIA H100",
            "00000000:66:00.0",
            mem=0,
            mem_total=81559 << 20,
            temp=40.0,
        ),
    )


def test_the_script_runs_in_a_shell() -> None:
    script = usage_view._SCRIPT.read_text()
    output = subprocess.run(
        ["sh", "-ec", script], capture_output=True, text=True, check=True
    ).stdout
    assert parse(output).net_received >= 0
