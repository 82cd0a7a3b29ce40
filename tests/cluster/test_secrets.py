"""Secrets are masked in the output of a pod and in its copy in the output volume."""

from pathlib import Path

import pytest

from riseml import Client
from riseml.engines import Chunk
from riseml.status import SetStatus
from tests.cluster.installed import REGISTRY

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(280),
    pytest.mark.xdist_group("system"),
]

TOKEN = "tok-7f3a9c"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n-----END KEY-----"
PROGRAM = """
import os, riseml, sys, time
token = os.environ["TOKEN"]
def write(text, file=sys.stdout):
    os.write(file.fileno(), text.encode())
write("one " + token + "\\n")
write("two " + token[:4])
time.sleep(0.05)
write(token[4:] + "\\n" + os.environ["KEY"] + "\\n")
write("error " + token + "\\n", sys.stderr)
riseml.report_result(url="https://u:" + token + "@host")
write("last " + token)
"""
CONFIG = """
project: masked
train:
  image: {image}
  resources: {{cpus: 0.1, mem: 64M}}
  secrets: [TOKEN, KEY]
  run: {run}
"""


def log(client: Client, run: str) -> str:
    events = client.logs(run, follow=False)
    return b"".join(event.data for event in events if isinstance(event, Chunk)).decode()


def test_neither_the_pod_nor_the_copy_shows_a_value(
    client: Client, tmp_path: Path
) -> None:
    client.set_secret("TOKEN", TOKEN)
    client.set_secret("KEY", KEY)
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text(PROGRAM)
    text = CONFIG.format(image=f"{REGISTRY}/base:1", run="python3 train.py")
    (project / "riseml.yml").write_text(text)
    run = client.train(project / "riseml.yml").id
    client.wait(run)
    # The client no longer knows the values, so it cannot mask them.
    client.delete_secret("TOKEN")
    client.delete_secret("KEY")
    expected = "one ***\ntwo ***\n***\nerror ***\nlast ***"
    assert log(client, run).removesuffix("\n") == expected
    status = client.status(run)
    assert isinstance(status, SetStatus)
    assert status.experiments[0].result == {"url": "https://u:***@host"}
    copy = f"output://{client.whoami()}/masked/{run}/.riseml/logs/train.0.log"
    client.cp([copy], str(tmp_path / "copy.log"))
    assert (tmp_path / "copy.log").read_text() == expected
