"""Jobs of an experiment that share no folder: each finds the others by their host names."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from riseml import templating
from tests.unit.script_shells import SHELLS

shells = pytest.mark.parametrize("shell", SHELLS)
HOSTS = 'getent() { grep -qx "$2" hosts; }\ncommand() { [ $2 = getent ]; }\n'


def _start(folder: Path, shell: str) -> "subprocess.Popen[bytes]":
    script = templating.read("gang_hosts.sh") + HOSTS + "riseml_find_peers"
    env = {
        "PATH": os.environ["PATH"],
        "RISEML_MEETING": str(folder / "meeting"),
        "RISEML_GANG": "master=a.riseml:1 worker.1=b.riseml:1",
    }
    return subprocess.Popen([*SHELLS[shell], "-c", script], cwd=folder, env=env)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "meeting").glob("*"))


@shells
def test_a_job_is_present_once_its_host_name_has_an_address(
    tmp_path: Path, shell: str
) -> None:
    (tmp_path / "hosts").write_text("a.riseml\n")
    with _start(tmp_path, shell) as process:
        limit = time.monotonic() + 30
        while _names(tmp_path) != ["master"]:
            assert time.monotonic() < limit
            time.sleep(0.05)
        assert process.poll() is None
        (tmp_path / "hosts").write_text("a.riseml\nb.riseml\n")
        assert process.wait(30) == 0
    assert _names(tmp_path) == ["master", "worker.1"]
