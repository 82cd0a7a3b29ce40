"""Files that pods write next to their code are kept, however the pods end."""

from pathlib import Path

import pytest

from riseml import Client
from riseml.status import SetStatus
from tests.cluster.installed import REGISTRY
from tests.cluster.user_namespace import wait_until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(280),
    pytest.mark.xdist_group("system"),
]

LINES = {
    "finished": "true",
    "failed": "exit 3",
    "killed": "while :; do sleep 0.1; done",
    "timed out": "while :; do sleep 0.1; done",
}
NOTE = "2 files, 10 bytes, in workdir/"
PROGRAM = """
from pathlib import Path
Path("runs").mkdir()
Path("runs/events").write_text("event")
Path("old.txt").write_text("saved")
"""
CONFIG = """
project: kept
train:
  image: {image}
  resources: {{cpus: 0.1, mem: 64M}}
  run: [python3 train.py, "{line}"]
"""


def test_files_are_kept_however_a_pod_ends(client: Client, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text(PROGRAM)
    (project / "old.txt").write_text("old")
    runs = {}
    for end, line in LINES.items():
        text = CONFIG.format(image=f"{REGISTRY}/base:1", line=line)
        if end == "timed out":
            text += "  timeout: 15s\n"
        (project / "riseml.yml").write_text(text)
        runs[end] = client.train(project / "riseml.yml").id
    wait_until(lambda: client.status(runs["killed"]).state == "RUNNING", 120, "a run")
    client.kill(runs["killed"])
    client.wait(*runs.values())
    notes = {}
    for end, run in runs.items():
        status = client.status(run)
        assert isinstance(status, SetStatus)
        notes[end] = status.experiments[0].workdir
    assert notes == dict.fromkeys(LINES, NOTE)
    for run in runs.values():
        entries = client.ls(f"output://{client.whoami()}/kept/{run}/workdir")
        assert {entry.name for entry in entries} == {"runs", "old.txt"}
