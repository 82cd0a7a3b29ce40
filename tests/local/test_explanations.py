"""Explanations of jobs that failed on this machine: `riseml why`."""

import socket
import sys
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.diagnosis import Cause
from riseml.engines.local.jobs import network
from riseml.project import Exclusion
from tests.local.conftest import Lab

FILE = """
project: lab
train:
  image: busybox
  resources: {{cpus: 0.01, mem: 1}}
  {keys}
  run: {command}
"""
PORT = """\
import os, socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("bound", flush=True)
while not os.path.exists(os.environ["DONE"]):
    time.sleep(0.05)
"""


@pytest.fixture
def client(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.chdir(lab.folder)
    return Client(engine=lab.engine)


def start(client: Client, command: str, keys: str = "") -> str:
    text = FILE.format(command=command, keys=keys)
    Path("riseml.yml").write_text(text, "utf-8")
    return client.train("riseml.yml").id


def failure(client: Client, command: str, keys: str = "") -> Cause:
    """Run a command to its end, and explain its failure."""
    run = start(client, command, keys)
    client.wait(run)
    (cause,) = client.why(run)
    return cause


def test_data_that_gitignore_left_out_is_the_cause(lab: Lab, client: Client) -> None:
    lab.write({".gitignore": "data/\n", "data/train.csv": "1"})
    cause = failure(client, "cat data/train.csv")
    assert (cause.kind, cause.explanation) == (
        "EXCLUDED",
        "data/train.csv was left out by .gitignore",
    )
    assert cause.evidence == ("cat: data/train.csv: No such file or directory",)
    # What counts is what the run got, and not what the folder has now.
    lab.write({".gitignore": ""})
    assert client.why()[0].explanation == cause.explanation


def test_a_file_of_the_data_folder_is_the_cause(
    lab: Lab, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISEML_DATA", str(lab.folder / "volume"))
    lab.write({"volume/train.csv": "1", ".risemlignore": "volume"})
    cause = failure(client, "cat data/train.csv")
    assert cause.explanation == (
        "data/train.csv is not part of the code, but the data folder has train.csv"
    )


def test_a_file_above_the_project_or_a_new_one_is_the_cause(
    lab: Lab, client: Client
) -> None:
    (lab.folder.parent / "shared.csv").write_text("1")
    lab.write({"a.py": ""})
    assert failure(client, "cat ../shared.csv").explanation == (
        "../shared.csv is not part of the code: ../shared.csv is outside the folder of riseml.yml"
    )
    run = start(client, "cat later.csv")
    client.wait(run)
    lab.write({"later.csv": "1"})
    assert client.why(run)[0].explanation == (
        "later.csv was not in the project's folder when the run started"
    )


def test_a_missing_module_names_the_python_that_ran(lab: Lab, client: Client) -> None:
    lab.write({"requirements.txt": "no_such_package"})
    cause = failure(client, f"{sys.executable} -c 'import no_such_package'")
    version = ".".join(map(str, sys.version_info[:3]))
    assert (cause.kind, cause.explanation) == (
        "MODULE",
        f"{sys.executable} (Python {version}) has no module no_such_package",
    )
    assert cause.fix[1:] == (
        "The image busybox was not used: on this machine, jobs run in your own environment.",
        f"Or install it there: `{sys.executable} -m pip install no-such-package`.",
    )


def test_a_module_in_another_folder_of_the_project_is_the_cause(
    lab: Lab, client: Client
) -> None:
    lab.write({"src/lab_nets/__init__.py": "", "train.py": "import lab_nets"})
    command = f"{sys.executable} train.py"
    assert failure(client, command).explanation == (
        "Python did not look for the project's module lab_nets in src"
    )
    run = start(client, command, "env: {PYTHONPATH: /code/src}")
    assert client.wait(run)[0].state == "FINISHED"


def test_the_experiment_that_has_the_port_is_the_cause(
    lab: Lab, client: Client
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    lab.write({"p.py": PORT})
    done = lab.folder.parent / "done"
    keys = f"env: {{DONE: {done}}}"
    command = f"{sys.executable} p.py {port}"
    holder = start(client, command, keys)
    lab.until(lambda: "bound" in lab.log(int(holder)))
    run = start(client, command, keys)
    client.wait(run)
    done.touch()
    client.wait(holder)
    (cause,) = client.why(run)
    assert (cause.kind, cause.explanation) == (
        "PORT",
        f"port {port} was in use by experiment {holder}, which ran on the same machine",
    )


def test_an_isolated_experiment_can_only_be_in_its_own_way(
    lab: Lab, client: Client
) -> None:
    if not network.supported():
        pytest.skip("no network namespaces here")
    lab.write(
        {
            "twice.py": """\
            import socket
            first = socket.create_server(("127.0.0.1", 29500))
            second = socket.create_server(("127.0.0.1", 29500))
            """
        }
    )
    cause = failure(client, f"{sys.executable} twice.py", "isolate_network: true")
    assert cause.explanation == (
        "port 29500 was in use by another process of the same experiment"
    )


def test_a_file_that_cp_wrote_is_left_out_of_the_next_run(
    lab: Lab, client: Client
) -> None:
    run = start(client, "echo weights > $OUTPUT_DIR/model.pt")
    client.wait(run)
    client.cp([f"output://me/lab/{run}/model.pt"], ".")
    assert Path("model.pt").read_text() == "weights\n"
    assert client.survey().excluded == (Exclusion("model.pt", "riseml cp", 8),)
    cause = failure(client, "cat model.pt")
    assert cause.explanation == (
        "model.pt is not part of the code: `riseml cp` wrote it"
    )
    with_it = client.train("riseml.yml", gitignore=False)
    assert client.wait(with_it.id)[0].state == "FINISHED"
    # A file of this machine that somebody copies within it is code.
    client.cp(["model.pt"], "copy.pt")
    assert [item.path for item in client.survey().excluded] == ["model.pt"]
