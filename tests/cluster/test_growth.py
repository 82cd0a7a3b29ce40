"""Sets that are repeated, extended and continued on a cluster, also after their Workflows are gone."""

from pathlib import Path

import pytest

from riseml import Client
from riseml.client.repeat_types import FolderCode
from riseml.client.types import Overrides
from riseml.cluster.api import Api, path
from riseml.engines import Chunk
from riseml.status import SetStatus, State
from tests.cluster.installed import NAMESPACE, REGISTRY
from tests.cluster.user_namespace import wait_until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(280),
    pytest.mark.xdist_group("system"),
]

# It fails at its third epoch, unless it continues.
PROGRAM = """
import os, sys
resume = os.environ.get("RESUME_DIR", "")
begin = 0
if resume and os.path.exists(resume + "/epochs"):
    begin = int(open(resume + "/epochs").read())
print("from", begin, "attempt", os.environ["RISEML_ATTEMPT"], flush=True)
for epoch in range(begin, int(os.environ["EPOCHS"])):
    open(os.environ["OUTPUT_DIR"] + "/epochs", "w").write(str(epoch + 1))
    if epoch == 2 and os.environ["LR"] == "0.2" and not resume:
        sys.exit(3)
"""
CONFIG = f"""
project: growing
train:
  image: {REGISTRY}/base:1
  resources: {{cpus: 0.05, mem: 32M}}
  concurrency: 3
  parameters: {{lr: [0.1, 0.2], epochs: 4}}
  run: python3 train.py
"""


def read(client: Client, run: str) -> SetStatus:
    client.wait(run)
    return client.read(run)


def states(run: SetStatus) -> list[State]:
    return [experiment.state for experiment in run.experiments]


def lines(client: Client, subject: str) -> list[str]:
    written = b""
    for event in client.logs(subject, follow=False):
        if isinstance(event, Chunk):
            written += event.data
    return written.decode().splitlines()


def delete_workflows(api: Api, *names: str) -> None:
    """Delete Workflows with their pods, as Argo does after a while."""
    for name in names:
        workflow = f"{path('workflows', NAMESPACE)}/{name}"
        api.delete(workflow, propagationPolicy="Foreground")

    def are_gone() -> bool:
        left = api.items(path("workflows", NAMESPACE))
        return not {item["metadata"]["name"] for item in left} & set(names)

    wait_until(are_gone, 60, "the end of the Workflows")


def test_a_set_is_repeated_extended_and_continued(
    client: Client, api: Api, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text(PROGRAM)
    file = project / "riseml.yml"
    file.write_text(CONFIG)
    run = client.train(file).id
    assert states(read(client, run)) == [State.FINISHED, State.FAILED]

    # A further attempt, in a Workflow of its own.
    assert client.retry(run).experiments == (f"{run}.2",)
    repeated = read(client, run)
    assert states(repeated) == [State.FINISHED, State.FAILED]
    first, second = (shard.name for shard in repeated.shards)
    assert [
        attempt.attempt for attempt in repeated.experiments[1].jobs[0].attempts
    ] == [
        0,
        1,
    ]
    assert lines(client, f"{run}.2") == ["from 0 attempt 0", "from 0 attempt 1"]

    # Without the first Workflow, all is still there, and can be continued.
    delete_workflows(api, first)
    assert client.read(run).experiments == repeated.experiments
    in_place = client.retry(f"{run}.2", folder=FolderCode(file), resume=True)
    assert in_place.experiments == (f"{run}.2",)
    finished = read(client, run)
    assert states(finished) == [State.FINISHED, State.FINISHED]
    assert lines(client, f"{run}.2") == [
        "from 0 attempt 0",
        "from 0 attempt 1",
        "from 3 attempt 2",
    ]
    assert client.retry(run).experiments == ()

    # Only the archive is left.
    delete_workflows(api, second, finished.shards[2].name)
    assert states(client.read(run)) == [State.FINISHED, State.FINISHED]
    wider = FolderCode(file, Overrides(("lr=0.1,0.2,0.3",)))
    assert client.extend(run, wider).experiments == (f"{run}.3",)
    extended = read(client, run)
    assert states(extended) == [State.FINISHED] * 3
    assert [shard.index for shard in extended.shards] == [1, 2, 3, 4]
    (listed,) = client.runs(all=True, project="growing")
    assert (listed.id, listed.state) == (run, State.FINISHED)

    # Each experiment of a new set finds what its predecessor has written.
    overrides = Overrides(("epochs=6", "lr=0.2,0.1"))
    after = client.train(file, overrides=overrides, resume=run).id
    assert states(read(client, after)) == [State.FINISHED] * 2
    assert [lines(client, f"{after}.{sub}")[0] for sub in (1, 2)] == [
        "from 4 attempt 0",
        "from 4 attempt 0",
    ]
    client.delete(run, after)
