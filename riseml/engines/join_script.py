"""Words that run a command in the container of a job, by join.sh: in pods, podman and docker."""

import secrets
from collections.abc import Sequence
from pathlib import Path

from riseml.engines import terminal
from riseml.engines.access import Command

_KILL = 'read -r pid < "${RISEML_DIR:-/tmp}/$1" && kill "-$2" "-$pid"'


def pid_file() -> str:
    """Return the name of a file that no other command uses."""
    return f"joined-{secrets.token_hex(8)}"


def words(command: Command, file: str) -> Sequence[str]:
    """Return the words that become a command; `file` receives its pid."""
    text = Path(__file__).with_name("join.sh").read_text(encoding="utf-8")
    # The words are part of a URL.
    lines = [line for line in text.split("\n") if not line.startswith("#")]
    has_terminal = terminal.is_wanted(command)
    if has_terminal and terminal.kind():
        lines.insert(0, f"export TERM={terminal.kind()}")
    greeting = command.greeting if has_terminal else ""
    return ["sh", "-c", "\n".join(lines), "riseml", file, greeting, *command.argv]


def kill_words(file: str, name: str) -> Sequence[str]:
    """Return the words that send a signal, such as INT, to the command of a file."""
    return ["sh", "-c", _KILL, "riseml", file, name]
