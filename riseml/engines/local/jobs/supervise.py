"""The text that one job's supervising shell runs: supervise.sh, then the job's steps with every word quoted.

The launcher hands it over in an unnamed file. So any bytes are safe in it, environments may hold secrets (arguments of
a process are public, files stay on disk), and nothing of it depends on what the job's mounts hide.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from riseml.errors import UnsupportedError

_ENV = b"/usr/bin/env"
_FIRST_LOG = 3
# Dash knows descriptors of one digit only
_LAST_LOG = 9
# Variables that some shell keeps for itself: set by `env`, on the way to the command
_SHELL_OWN = frozenset(
    b"BASHOPTS BASHPID BASH_VERSINFO EUID FUNCNAME GROUPS HISTCMD IFS LINENO OPTARG OPTIND PPID RANDOM SECONDS"
    b" SHELLOPTS UID".split()
)
_DROPPED = frozenset(
    (b"PWD", b"OLDPWD", b"_")
)  # said anew: where the step is, and by a shell what it calls
_SUPERVISORS = (
    b"PATH",
    b"LD_LIBRARY_PATH",
    b"SHLVL",
)  # what the supervising shell has of its own


def prologue(**values: str) -> bytes:
    """Return assignments of what supervise.sh needs, and its text without comments."""
    lines = (
        Path(__file__).with_name("supervise.sh").read_bytes().splitlines(keepends=True)
    )
    return assign(**values) + b"".join(
        line for line in lines if not line.startswith(b"#")
    )


def assign(**values: str) -> bytes:
    """Return assignments of shell variables."""
    return b"".join(
        b"%s=%s\n" % (name.encode(), quote(os.fsencode(value)))
        for name, value in values.items()
    )


def init(index: int, command: bytes, log: int, logs: int) -> bytes:
    """Return an init step: the following ones run only when it succeeds."""
    return b"proceed && {\n%s\ninit %d $?\n}\n" % (
        _redirected(command, log, logs),
        index,
    )


def main(
    command: bytes,
    logs: int,
    sidecars: Iterable[tuple[bytes, int]],
    deadline: float | None,
    *,
    mark: bool,
) -> bytes:
    """Return the main command with what runs beside it; its log is the first, `mark` notes when it starts."""
    parts = [b"true > main"] if mark else []
    parts += [
        b'%s &\nsidecars="$sidecars $!"' % _redirected(sidecar, log, logs)
        for sidecar, log in sidecars
    ]
    if deadline is not None:
        parts.append(b"watch %s" % _seconds(deadline))
    parts += [_redirected(command, 0, logs), b"finish $?"]
    return b"proceed && {\n%s\n}\n" % b"\n".join(parts)


def epilogue(restart: bytes, log: str) -> bytes:
    """Return the end: once the job is gone, a controller is started where the launcher is not there to do so."""
    start = b"%s </dev/null >>%s 2>&1 &\n" % (restart, quote(os.fsencode(log)))
    return b'clean\nkill -0 "$launcher" && exit\n' + start


def seconds(value: float) -> str:
    """Write a duration as `sleep` reads it."""
    return _seconds(value).decode()


def command(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> bytes:
    """Return a subshell that becomes a command with exactly this environment, and `PWD`.

    Raises:
        UnsupportedError: a word holds a NUL byte, which no process can be given.
    """
    plain, odd = [], []
    names = set()
    for name, value in env.items():
        key = os.fsencode(name)
        names.add(key)
        if key in _DROPPED:
            continue
        if name.isascii() and name.isidentifier() and key not in _SHELL_OWN:
            plain.append(key + b"=" + quote(os.fsencode(value)))
        else:
            # No shell can export it; it is public for the moment that `env` takes
            odd.append(quote(key + b"=" + os.fsencode(value)))
    lines = [b"enter " + quote(os.fsencode(cwd))]
    if foreign := [name for name in _SUPERVISORS if name not in names]:
        lines.append(b"unset " + b" ".join(foreign))
    if plain:
        lines.append(b"export " + b" ".join(plain))
    words = b" ".join(quote(os.fsencode(word)) for word in argv)
    lines.append(b"exec " + (b" ".join((_ENV, b"--", *odd, words)) if odd else words))
    return b"(\n%s\n)" % b"\n".join(lines)


def quote(word: bytes) -> bytes:
    """Quote one word for a POSIX shell.

    Raises:
        UnsupportedError: it holds a NUL byte.
    """
    if b"\0" in word:
        raise UnsupportedError(
            f"a command or its environment holds a NUL byte: {os.fsdecode(word[:60])!r}"
        )
    return b"'" + word.replace(b"'", b"'\\''") + b"'"


def check_logs(logs: int) -> None:
    """Make sure that so many different logs can be told apart.

    Raises:
        UnsupportedError: they cannot.
    """
    if logs > _LAST_LOG - _FIRST_LOG + 1:
        raise UnsupportedError(
            f"one job cannot have {logs} logs", f"At most {_LAST_LOG - _FIRST_LOG + 1}."
        )


def _redirected(text: bytes, log: int, logs: int) -> bytes:
    closed = b"".join(b" %d>&-" % (_FIRST_LOG + index) for index in range(logs))
    return b"%s </dev/null >&%d 2>&1%s" % (text, _FIRST_LOG + log, closed)


def _seconds(value: float) -> bytes:
    return (b"%.3f" % value).rstrip(b"0").rstrip(b".")
