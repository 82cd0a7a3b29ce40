"""What commands really print with `-o json` on the local engine fits the published schemas."""

import csv
import io
import json
from pathlib import Path

import pytest
import yaml

from riseml import cli
from tests.cli.test_schemas import validate
from tests.local.conftest import Lab

CONFIG = """\
project: lab
train:
  image: busybox
  resources: {cpus: 0.01, mem: 64}
  parameters: {n: [1, 2], note: ['a "b", c']}
  retries: 1
  results: {acc: max}
  run:
    - echo "acc=0.{{n}}"
    - test {{n}} != 2
"""
COMMANDS = {
    "train-dry-run": ["train --dry-run"],
    "train": ["train"],
    "wait": ["wait 1", "wait 1.1"],
    "status": [
        "status -a",
        "status -a -l",
        "status 1",
        "status 1.2",
        "status 1.2.train",
    ],
    "results": ["results 1"],
    "why": ["why 1"],
    "ls": ["ls", "ls output://~/1"],
    "check": ["check"],
    "secret": ["secret list"],
    "config-list": ["config list"],
    "config-show": ["config show"],
    "whoami": ["whoami"],
    "doctor": ["doctor"],
}


@pytest.fixture
def _project(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lab.folder)
    monkeypatch.setenv("LOGNAME", "me")
    Path("riseml.yml").write_text(CONFIG)


@pytest.mark.usefixtures("_project")
def test_real_output_fits_its_schema(capfd: pytest.CaptureFixture[str]) -> None:
    def printed(line: str, output_format: str) -> str:
        cli.main([*line.split(), "-o", output_format])
        return capfd.readouterr().out

    for name, lines in COMMANDS.items():
        for line in lines:
            data = validate(name, printed(line, "json"))
            if name in {"train", "doctor"}:
                # A second one differs.
                continue
            assert yaml.safe_load(printed(line, "yaml")) == data, line
            titles, *rows = csv.reader(io.StringIO(printed(line, "csv")))
            assert len(set(titles)) == len(titles), line
            assert all(len(row) == len(titles) for row in rows), line
    lines = printed("logs 1", "json").splitlines()
    records = [validate("logs", line) for line in lines]
    texts = {(record["job"], record["attempt"], record["text"]) for record in records}
    assert {
        ("1.1.train", 0, "acc=0.1"),
        ("1.2.train", 0, "acc=0.2"),
        ("1.2.train", 1, "acc=0.2"),
    } <= texts
    assert all(record["time"] for record in records)
    assert list(yaml.safe_load_all(printed("logs 1", "yaml"))) == records
    assert printed("logs 1", "name") == "1.1.train\n1.2.train\n"
    results = json.loads(printed("results 1", "json"))
    assert results["best"] == "1.2"
    assert results["experiments"][0]["measured"]["acc"]["last"] == 0.1
