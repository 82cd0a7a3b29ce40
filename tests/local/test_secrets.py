"""Secrets are masked when a log is written, so no file shows them."""

import json
import subprocess
from pathlib import Path

import pytest

from riseml.engines.local import protocol
from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab

TOKEN = "tok-7f3a9c"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----"

PROGRAM = """
import os, sys, time
token, key = os.environ["TOKEN"], os.environ["KEY"]
def write(text, file=sys.stdout):
    os.write(file.fileno(), text.encode())
write("one " + token + "\\n")
write("two " + token[:4])
time.sleep(0.05)
write(token[4:] + "\\n")
write(key + "\\n")
for line in key.splitlines():
    write("[rank 0] " + line + "\\n")
write("long " + os.environ["LONGER"] + "\\n")
write("error " + token + "\\n", sys.stderr)
write("." * ((1 << 18) - 5) + token + "\\n")
"""


def log_file(lab: Lab, number: int = 1) -> Path:
    return lab.output(number) / ".riseml/logs/train.0.log"


def contains(folder: Path, text: str) -> list[Path]:
    """Return the files below a folder that contain a text."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if text.encode() in path.read_bytes()]


def test_no_file_shows_a_value_however_it_is_written(lab: Lab) -> None:
    values = {"TOKEN": TOKEN, "KEY": KEY, "LONGER": f"{TOKEN}-and-more"}
    for name, value in values.items():
        lab.engine.set_secret(name, value)
    lab.write({"program.py": PROGRAM})
    run = lab.run("secrets: [TOKEN, KEY, LONGER]\nrun: python3 program.py")
    assert run.state is State.FINISHED, lab.log(1)
    text = log_file(lab).read_text()
    expected = [
        "one ***",
        "two ***",
        "***",
        *["[rank 0] ***"] * 4,
        "long ***",
        "error ***",
        "." * ((1 << 18) - 5) + "***",
    ]
    assert text.splitlines() == expected
    assert lab.log(1) == text
    output = lab.engine.home / "output"
    for value in (TOKEN, *KEY.splitlines()):
        assert contains(output, value) == []


def test_jobs_without_secrets_write_to_their_logs_themselves(lab: Lab) -> None:
    lab.engine.set_secret("TOKEN", TOKEN)
    lab.run("run: readlink /proc/self/fd/1")
    assert log_file(lab).read_text() == f"{log_file(lab)}\n"
    lab.run("secrets: TOKEN\nrun: readlink /proc/self/fd/1")
    assert log_file(lab, 2).read_text().startswith("pipe:")


def test_an_unfinished_line_appears_while_the_job_waits(lab: Lab) -> None:
    lab.engine.set_secret("TOKEN", TOKEN)
    ready = lab.folder.parent / "ready"
    lab.train(
        f"secrets: TOKEN\nrun: 'printf \"a prompt: tok\"; while [ ! -e {ready} ]; do sleep 0.02; done; echo -7f3a9c'"
    )
    lab.until(lambda: log_file(lab).exists())
    lab.until(lambda: log_file(lab).read_text() == "a prompt: tok")
    ready.touch()
    assert lab.wait(1).state is State.FINISHED
    assert log_file(lab).read_text() == "a prompt: tok***\n"


@pytest.mark.parametrize("force", [False, True])
def test_a_kill_loses_no_output(lab: Lab, *, force: bool) -> None:
    lab.engine.set_secret("TOKEN", TOKEN)
    ready = lab.folder.parent / "ready"
    lines = "i=0; while [ $i -lt 2000 ]; do echo $i $TOKEN; i=$((i+1)); done"
    lab.train(f"secrets: TOKEN\nrun: '{lines}; touch {ready}; sleep 1000'")
    lab.until(ready.exists)
    lab.engine.stop(Id(number=1), force=force)
    assert lab.wait(1).state is State.KILLED
    expected = "".join(f"{number} ***\n" for number in range(2000))
    # The shell of the lines may say that it was terminated.
    assert log_file(lab).read_text().startswith(expected)


def test_the_end_is_known_after_the_last_line_is_written(lab: Lab) -> None:
    lab.engine.set_secret("TOKEN", TOKEN)
    for number in range(1, 6):
        lab.run("secrets: TOKEN\nrun: 'echo first; printf tok-7f'")
        # More than half of the value.
        assert log_file(lab, number).read_text() == "first\n***"


def test_a_filter_holds_neither_the_home_nor_the_pipes_of_the_launcher(
    lab: Lab,
) -> None:
    lab.engine.set_secret("TOKEN", TOKEN)
    ready = lab.folder.parent / "ready"
    lab.train(
        f"secrets: TOKEN\nrun: 'until [ -e {ready} ]; do sleep 0.02; done; echo $TOKEN'"
    )
    lab.until(lambda: log_file(lab).exists())
    protocol.stop_controller(lab.engine.home)
    # The second run needs another controller, and that one another launcher.
    assert lab.run("run: echo second").state is State.FINISHED
    ready.touch()
    assert lab.wait(1).state is State.FINISHED
    assert log_file(lab).read_text() == "***\n"


def test_results_and_what_is_kept_of_a_run_show_no_value(lab: Lab) -> None:
    lab.engine.set_secret("TOKEN", TOKEN)
    program = (
        "import os, riseml; token = os.environ['TOKEN'];"
        " riseml.report_result(url='https://u:' + token + '@host', loss=0.5, **{token:1})"
    )
    lab.run(f'secrets: TOKEN\nrun: python3 -c "{program}"')
    by_hand = r'echo "{\"url\": \"$TOKEN\"}" > $RESULT_FILE'
    lab.run(f"secrets: TOKEN\nrun:\n- '{by_hand}'")
    for number, result in (
        (1, {"***": 1, "loss": 0.5, "url": "https://u:***@host"}),
        (2, {"url": "***"}),
    ):
        run = lab.engine.read(Id(number=number))
        assert run.experiments[0].result == result
        assert TOKEN not in json.dumps(lab.engine.get(Id(number=number)))
    kept = lab.engine.home / "output"
    lab.until(lambda: len(list(kept.rglob("run.json"))) == 2)

    assert contains(kept, TOKEN) == []
    database = lab.engine.home / "riseml.db"
    assert TOKEN.encode() not in database.read_bytes()


def test_the_record_of_who_held_a_port_shows_no_value(lab: Lab) -> None:
    lab.engine.set_secret("TOKEN", TOKEN)
    server = (
        "import socket, sys; server = socket.create_server(('127.0.0.1', 0));"
        "print(server.getsockname()[1], flush=True); sys.stdin.read()"
    )
    lab.write({"server.py": server})
    with subprocess.Popen(
        ["python3", "server.py", f"--token={TOKEN}"],
        cwd=lab.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout
        port = holder.stdout.readline().strip()
        lab.write(
            {"client.py": f"import socket\nsocket.create_server(('127.0.0.1', {port}))"}
        )
        assert lab.run("run: python3 client.py").state is State.FAILED
        holder.communicate()
    record = json.loads(log_file(lab).with_suffix(".log.port").read_text())
    assert record["command"].endswith("--token=***")


def test_an_older_log_is_masked_across_pieces_when_it_is_read(lab: Lab) -> None:
    lab.run("run: 'true'")
    lab.engine.set_secret("TOKEN", TOKEN)
    lab.engine.set_secret("KEY", KEY)
    # The log is read in pieces of 256 KiB.
    filler = "." * 63 + "\n"
    text = filler * ((1 << 18) // 64 - 1) + "." * 60 + TOKEN + "\n"
    text += filler * ((1 << 18) // 64 - 1) + KEY + "\nend"
    log_file(lab).write_text(text)
    assert lab.log(1) == text.replace(TOKEN, "***").replace(KEY, "***")
