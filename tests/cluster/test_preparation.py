"""One shell in a real store runs the scripts of a submission, the last one with any bytes as input."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from riseml.cluster import store_shell
from riseml.cluster.command_error import CommandError
from riseml.cluster.pod_exec import Session
from riseml.engines.argo.preparation import Preparation
from tests.contract import cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

_FOLDER = "/output/preparation-test"


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator[Preparation]:
    engine = cluster.engine(tmp_path)
    made = Preparation(engine.user_namespace, engine.store, engine.secrets, tmp_path)
    yield made
    made.store.close()
    engine.store.script('rm -rf -- "$1"', _FOLDER)


def test_one_command_in_the_pod_serves_a_submission(
    prepared: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = 0

    class Counted(Session):
        def __init__(self, *arguments: object, **options: bool) -> None:
            nonlocal opened
            opened += 1
            super().__init__(*arguments, **options)  # type: ignore[arg-type]

    prepared.store._opening.result()
    monkeypatch.setattr(store_shell, "Session", Counted)
    content = os.urandom(300_000)
    with pytest.raises(CommandError, match="cannot access"):
        prepared.store.script('ls "$1"', f"{_FOLDER}/missing")
    script = 'mkdir -p "$1"; cat > "$1/file"; wc -c < "$1/file"; sha256sum < "$1/file"'
    size, digest, *_ = prepared.store.script(script, _FOLDER, stdin=[content]).split()
    assert size == b"300000"
    assert opened == 0
    # The next one has a command of its own.
    again = prepared.store.script('sha256sum < "$1"', f"{_FOLDER}/file")
    assert again.split()[0] == digest
    names, submitter = prepared.answers()
    assert names == sorted(names)
    assert submitter
