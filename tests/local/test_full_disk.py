"""A full disk: it is reported, nothing is lost, and runs continue when there is space again."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

# Each command leaves its exit status in a line `<step> <command> <status>`.
_ON_A_SMALL_DISK = """
mount -t tmpfs -o size=$SIZE,mode=700 none "$RISEML_HOME" || exit 99
run() {
  "$PYTHON" -m riseml "$@" > "$OUT/$1.$step" 2>&1
  echo "$step $1 $?" >> "$OUT/statuses"
}
fill() { dd if=/dev/zero of="$RISEML_HOME/filler.$step" bs=4k count=99999 2> /dev/null; }
until_contains() {
  for _ in $(seq 100); do
    "$PYTHON" -m riseml status $2 > "$OUT/until" 2>&1
    grep -q "$1" "$OUT/until" && return
    sleep 0.1
  done
  echo "never: $1 in status $2" >> "$OUT/statuses"
}
stop() {
  "$PYTHON" -c "
from pathlib import Path
from riseml.engines.local import protocol
protocol.stop_controller(Path('$RISEML_HOME'))"
}
end() {
  rm -f "$RISEML_HOME"/filler.*
  for number in 1 2 3; do "$PYTHON" -m riseml kill --force $number > /dev/null 2>&1; done
  stop
}
"""
_FILE = (
    "project: lab\ntrain: {image: busybox, resources: {cpus: 0.1, mem: 64}, run: %s}\n"
)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs a mount of its own"
)


class Disk:
    """A small disk for a home, in which scripts run commands."""

    def __init__(self, folder: Path) -> None:
        for name in ("home", "project", "out"):
            (folder / name).mkdir()
        self.home, self.project = folder / "home", folder / "project"
        self.out = folder / "out"

    def run(self, script: str, command: str, size: str = "24m") -> list[str]:
        """Run a script, and return the exit statuses of its commands."""
        (self.project / "riseml.yml").write_text(_FILE % command)
        namespace = ["unshare", "--mount"]
        if os.getuid() != 0:
            namespace.append("--map-root-user")
        environment = {
            **os.environ,
            "RISEML_HOME": str(self.home),
            "PYTHON": sys.executable,
            "OUT": str(self.out),
            "SIZE": size,
        }
        done = subprocess.run(
            [*namespace, "sh", "-c", f"{_ON_A_SMALL_DISK}{script}"],
            cwd=self.project,
            env=environment,
            check=False,
        )
        assert done.returncode == 0
        for file in self.out.iterdir():
            assert "Traceback" not in file.read_text(), file.read_text()
        return (self.out / "statuses").read_text().splitlines()

    def output(self, command: str, step: str) -> str:
        """Return what a command of a script has printed."""
        return (self.out / f"{command}.{step}").read_text()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_a_full_disk_loses_nothing(disk: Disk) -> None:
    script = """
        step=before; run train -l
        fill
        head -c 100000 /dev/zero > new-file
        step=full; run train; run status -a
        rm "$RISEML_HOME"/filler.*
        step=after; run train -l; run status -a
        stop
    """
    assert disk.run(script, "echo it works", size="2m") == [
        "before train 0",
        "full train 1",
        "full status 0",
        "after train 0",
        "after status 0",
    ]
    assert f"the disk of {disk.home} is full (2 MB)" in disk.output("train", "full")
    assert "riseml prune" in disk.output("train", "full")
    assert "FINISHED" in disk.output("status", "full")
    assert "it works" in disk.output("train", "after")
    assert disk.output("status", "after").count("FINISHED") == 2


def test_runs_are_read_without_a_controller(disk: Disk) -> None:
    script = """
        step=before; run train -l
        stop
        rm "$RISEML_HOME/reserve"
        step=full; fill
        run status -a; run status 1; run logs 1; run results 1; run why 1; run doctor
        cp "$RISEML_HOME/controller.log" "$OUT/log"
        end
    """
    statuses = disk.run(script, "echo it works")
    readers = ("status", "status", "logs", "results", "why")
    assert statuses == [
        "before train 0",
        *(f"full {command} 0" for command in readers),
        "full doctor 1",
    ]
    assert "FINISHED" in disk.output("status", "full")
    assert "1.train | it works" in disk.output("logs", "full")
    assert "1 ✓ FINISHED" in disk.output("why", "full")
    assert "0 MB are free" in disk.output("doctor", "full")
    # Nothing has started another controller.
    assert (disk.out / "log").read_text().count(" serves ") == 1


def test_runs_are_killed_and_deleted(disk: Disk) -> None:
    script = """
        step=before; run train; run train; until_contains RUNNING 2
        step=first; fill; run kill 1; until_contains KILLED 1; run status 1
        cat "$RISEML_HOME"/output/*/lab/1/run.json > "$OUT/run.json"
        step=second; fill; kill -9 $(cat "$RISEML_HOME/controller.lock")
        run kill 2; until_contains KILLED 2; run status 2
        kill -9 $(cat "$RISEML_HOME/controller.lock"); fill
        step=third; run status -a; run delete 1 -y; run prune --older-than 0s -y; run status -a
        ls "$RISEML_HOME/output/$(ls "$RISEML_HOME/output")/lab" > "$OUT/outputs"
        end
    """
    assert disk.run(script, "sleep 1000") == [
        "before train 0",
        "before train 0",
        "first kill 0",
        "first status 0",
        "second kill 0",
        "second status 0",
        "third status 0",
        "third delete 0",
        "third prune 0",
        "third status 0",
    ]
    assert "FAILED" not in disk.output("status", "first")
    assert "FAILED" not in disk.output("status", "second")
    assert json.loads((disk.out / "run.json").read_text())["state"] == "KILLED"
    assert disk.output("prune", "third").splitlines()[0] == "deleted 2"
    assert disk.output("status", "third") == "No experiments.\n"
    assert (disk.out / "outputs").read_text() == ""


def test_a_kill_needs_no_space_at_all(disk: Disk) -> None:
    script = """
        step=before; run train; until_contains RUNNING 1
        rm "$RISEML_HOME/reserve"; fill
        step=full; run kill 1
        # The job has exited. Its end is in the database only if SQLite's log had room left in it.
        until_contains 'RUNNING\\|KILLED' 1
        kill -9 $(cat "$RISEML_HOME/controller.lock")
        step=after; rm "$RISEML_HOME"/filler.*; run wait 1; run status 1
        end
    """
    assert disk.run(script, "sleep 1000") == [
        "before train 0",
        "full kill 0",
        "after wait 103",
        "after status 0",
    ]
    assert "KILLED" in disk.output("status", "after")
    assert "FAILED" not in disk.output("status", "after")


def test_experiments_wait_for_space(disk: Disk) -> None:
    script = """
        step=before; run train; until_contains RUNNING 1
        fill; touch go
        until_contains "disk of" "1 -l"; run status 1
        step=after; rm "$RISEML_HOME"/filler.*; run wait 1; run status 1
        end
    """
    command = f"'until [ -e {disk.project}/go ]; do sleep 0.1; done'"
    statuses = disk.run(script, f"{command}, parameters: {{x: [1, 2]}}, concurrency: 1")
    assert statuses == [
        "before train 0",
        "before status 0",
        "after wait 0",
        "after status 0",
    ]
    # Nothing is left where the filler has also taken what is kept for records.
    waits = f"the disk of {disk.home} is (almost )?full"
    assert re.search(waits, disk.output("status", "before"))
    assert disk.output("status", "after").count("FINISHED") >= 2


def test_a_log_that_cannot_be_written_stops_no_controller(disk: Disk) -> None:
    script = """
        mkdir "$RISEML_HOME/controller.log"
        step=log; run train -l
        kill -9 $(cat "$RISEML_HOME/controller.lock")
        run train -l
        end
    """
    assert disk.run(script, "echo it works") == ["log train 0", "log train 0"]
