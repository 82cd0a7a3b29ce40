"""Marks of a run on a cluster: labels and annotations of its Workflows, and its record."""

import json
from dataclasses import replace

from riseml import labels
from riseml.engines import Query
from riseml.engines.argo import archive, marks
from riseml.plan import Marks
from riseml.status.data import encode, from_data, to_data
from tests.unit.engines.argo.fake_cluster import FakeCluster, FakeStore, reader
from tests.unit.engines.argo.test_listing import listing, run
from tests.unit.engines.argo.test_run_reader import RUN, ended

BEFORE = Marks("baseline", ("draft", "paper"), "text")
AFTER = Marks("", ("paper",), "other text")
PATCH = {
    "metadata": {
        "labels": {
            "tags.riseml.io/draft": None,
            "tags.riseml.io/paper": "true",
            "riseml.io/name": None,
        },
        "annotations": {"riseml.io/note": "other text"},
    }
}


class RecordingStore(FakeStore):
    """A store that keeps what is written to it."""

    def script(self, text: str, *arguments: str, stdin: object = None) -> bytes:
        if isinstance(stdin, list):
            self.written = b"".join(stdin)
        return super().script(text, *arguments, stdin=stdin)


def test_marks_are_labels_and_an_annotation() -> None:
    tags = {
        labels.NAME: "baseline",
        "tags.riseml.io/draft": "true",
        "tags.riseml.io/paper": "true",
    }
    workflow = run(14, labels=tags, annotations={labels.NOTE: "text"})
    cluster = FakeCluster([workflow])
    assert reader(cluster).read(RUN).marks == BEFORE
    marks.change(reader(cluster), RUN, AFTER)
    assert cluster.calls == [f"patch net-14 {PATCH}"]


def test_the_record_of_an_ended_run_changes_as_well() -> None:
    store = RecordingStore()
    workflow = ended()
    workflow["metadata"]["annotations"][archive.ARCHIVED] = "yes"
    marks.change(reader(FakeCluster([workflow]), store), RUN, AFTER)
    assert from_data(json.loads(store.written)).marks == AFTER


def test_a_run_of_which_only_the_record_is_left() -> None:
    archived = replace(reader(FakeCluster([ended()])).read(RUN), marks=BEFORE)
    line = json.dumps(to_data(archived), default=encode).encode()
    store = RecordingStore({'"$2"/run.json': line + b"\n"})
    marks.change(reader(FakeCluster(), store), RUN, AFTER)
    assert from_data(json.loads(store.written)) == replace(archived, marks=AFTER)


def test_tags_select_runs() -> None:
    tagged = run(12, completed="Succeeded", labels={"tags.riseml.io/paper": "true"})
    archived = replace(reader(FakeCluster([ended()])).read(RUN), marks=BEFORE)
    runs = listing(FakeCluster([tagged, run(13)]), archived)
    selected = runs.runs(Query(all=True, tags=("paper",)))
    assert [(status.number, status.marks.tags) for status in selected] == [
        (14, ("draft", "paper")),
        (12, ("paper",)),
    ]
    assert [
        status.number for status in runs.runs(Query(all=True, name="baseline"))
    ] == [14]
