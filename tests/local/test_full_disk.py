"""A full disk: it is reported, nothing is lost, and runs continue when there is space again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ON_A_SMALL_DISK = """
mount -t tmpfs -o size=2m none "$RISEML_HOME" || exit 99
run() { "$PYTHON" -m riseml "$@" > "$OUT/$1.$step" 2>&1; echo "$step $1 $?" >> "$OUT/statuses"; }
step=before; run train -l
dd if=/dev/zero of="$RISEML_HOME/filler" bs=4k count=9999 2> /dev/null
head -c 100000 /dev/zero > new-file
step=full; run train; run status -a
rm "$RISEML_HOME/filler"
step=after; run train -l; run status -a
"$PYTHON" -c "
from pathlib import Path
from riseml.engines.local import protocol
protocol.stop_controller(Path('$RISEML_HOME'))"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a mount of its own")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    home, project, out = (tmp_path / name for name in ("home", "project", "out"))
    for folder in (home, project, out):
        folder.mkdir()
    (project / "riseml.yml").write_text(
        "project: lab\ntrain: {image: busybox, resources: {cpus: 0.1, mem: 64}, run: echo it works}\n"
    )
    environment = {
        **os.environ,
        "RISEML_HOME": str(home),
        "PYTHON": sys.executable,
        "OUT": str(out),
    }
    namespace = (
        ["unshare", "--mount"]
        if os.getuid() == 0
        else ["unshare", "--mount", "--map-root-user"]
    )
    done = subprocess.run(
        [*namespace, "sh", "-c", _ON_A_SMALL_DISK],
        cwd=project,
        env=environment,
        check=False,
    )
    assert done.returncode == 0
    statuses = (out / "statuses").read_text().splitlines()
    assert statuses == [
        "before train 0",
        "full train 1",
        "full status 0",
        "after train 0",
        "after status 0",
    ]
    output = (out / "train.full").read_text()
    assert "Traceback" not in output
    assert "space" in output
    assert "FINISHED" in (out / "status.full").read_text()
    assert "it works" in (out / "train.after").read_text()
    assert (out / "status.after").read_text().count("FINISHED") == 2
