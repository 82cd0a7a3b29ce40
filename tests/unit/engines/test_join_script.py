"""Script that joins a job in a container, under the shells that containers have."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from riseml.engines import join_script
from riseml.engines.access import Command
from tests.unit.script_shells import FOUND, SHELLS

_PATIENCE = 30.0


class Container:
    """Processes that look like those of a job's container.

    `init` stands for the first process, whose child has a working directory.
    """

    def __init__(self, folder: Path, shell: str) -> None:
        self.folder, self.shell = folder, SHELLS[shell]
        self.directory = folder / "code"
        self.directory.mkdir()
        # The environment that the container's document has.
        self.environment = {
            "PATH": os.environ["PATH"],
            "RISEML_DIR": str(folder),
            "FROM_DOCUMENT": "two\nlines",
        }
        self._started: list[subprocess.Popen[bytes]] = []
        script = f"cd {self.directory} && sleep 1000 & wait"
        self.init = self.start(["sh", "-c", script], {})
        children = Path(f"/proc/{self.init.pid}/task/{self.init.pid}/children")
        limit = time.monotonic() + _PATIENCE
        while not self._has_entered(children) and time.monotonic() < limit:
            time.sleep(0.01)

    def _has_entered(self, children: Path) -> bool:
        child = children.read_text().strip()
        return bool(child) and Path(f"/proc/{child}/cwd").samefile(self.directory)

    def start(
        self, words: Sequence[str], variables: Mapping[str, str]
    ) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(words, env={**self.environment, **variables})
        self._started.append(process)
        return process

    def start_program(self, **variables: str) -> None:
        """Start a program with what run.sh exports."""
        path = f"{self.folder}/lib:/more"
        self.start(["sleep", "1000"], {"PYTHONPATH": path, **variables})

    def join(self, *argv: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command by the script."""
        words = list(join_script.words(Command(argv, tty=False), "joined-1"))
        words[:1] = self.shell
        words[words.index("-c") + 1] = words[words.index("-c") + 1].replace(
            "/proc/1/", f"/proc/{self.init.pid}/"
        )
        return subprocess.run(
            words,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )

    def close(self) -> None:
        child = Path(f"/proc/{self.init.pid}/task/{self.init.pid}/children").read_text()
        for pid in map(int, child.split()):
            os.kill(pid, 9)
        for process in self._started:
            process.kill()
            process.wait()


@pytest.fixture(params=FOUND)
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    opened = Container(tmp_path, request.param)
    yield opened
    opened.close()


def variables(text: str) -> dict[str, str]:
    entries = filter(None, text.split("\0"))
    return dict(entry.split("=", 1) for entry in entries)


def test_a_command_has_what_the_oldest_program_has(container: Container) -> None:
    values = {
        "EXPORTED": "by a line",
        "MULTIPLE": "first\nsecond\n\n",
        "QUOTED": 'it\'s "$HOME" `x` \\n',
        "EMPTY": "",
        "FROM_DOCUMENT": "two\nlines",
    }
    container.start_program(**values)
    time.sleep(0.05)
    container.start_program(EXPORTED="by a later program")
    done = container.join("env", "-0")
    environment = variables(done.stdout)
    assert {name: environment[name] for name in values} == values
    assert environment["PYTHONPATH"] == f"{container.folder}/lib:/more"
    assert environment["PWD"] == str(container.directory)
    assert not [name for name in environment if name.startswith("riseml_")]
    assert (done.returncode, done.stderr) == (0, "")


def test_between_programs_it_has_what_riseml_adds(container: Container) -> None:
    environment = variables(container.join("env", "-0").stdout)
    assert environment["PYTHONPATH"] == f"{container.folder}/lib"
    assert environment["PYTHONUNBUFFERED"] == "1"
    assert environment["FROM_DOCUMENT"] == "two\nlines"
    assert environment["PWD"] == str(container.directory)


def test_the_status_and_the_words_of_a_command_are_kept(container: Container) -> None:
    done = container.join("sh", "-c", 'echo "$0|$1|$#"; cat; exit 3', "a b", "c\n'd'")
    assert (done.returncode, done.stdout) == (3, "a b|c\n'd'|1\n")
    missing = container.join("no-such-program")
    assert missing.returncode == 127
    assert missing.stderr == "riseml: the job has no command no-such-program\n"


def test_a_shell_reads_its_commands(container: Container) -> None:
    done = container.join(stdin="pwd\nexit 4\n")
    assert (done.returncode, done.stdout) == (4, f"{container.directory}\n")


def test_the_pid_of_a_command_is_known_to_who_sends_signals(
    container: Container,
) -> None:
    done = container.join("sh", "-c", "echo $$; cat $RISEML_DIR/joined-1")
    pid, recorded = done.stdout.split()
    assert pid == recorded
    words = join_script.kill_words("joined-1", "INT")
    assert words[-2:] == ["joined-1", "INT"]


def test_names_of_files_are_unique() -> None:
    assert join_script.pid_file() != join_script.pid_file()


def test_the_words_have_no_comments() -> None:
    _, _, script, *rest = join_script.words(Command(("ls",), tty=False), "file")
    assert not [line for line in script.split("\n") if line.startswith("#")]
    assert rest == ["riseml", "file", "", "ls"]
    assert len(script) < 3000


def test_a_terminal_has_a_greeting_and_its_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "vt220")
    command = Command((), tty=True, greeting="in {directory}, hello")
    _, _, script, *rest = join_script.words(command, "file")
    assert script.startswith("export TERM=vt220\n")
    assert rest == ["riseml", "file", "in {directory}, hello"]
    monkeypatch.setenv("TERM", "odd; rm -rf")
    _, _, script, *_ = join_script.words(command, "file")
    assert "TERM=" not in script.splitlines()[0]
