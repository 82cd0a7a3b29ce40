"""Text for the shell that supervises one job: supervise.sh, then the job's steps.

Every word of a step is quoted. The launcher passes the text in an unnamed file.
Therefore any bytes are safe in it; environments may contain secrets, which arguments of
a process would make public and a named file would leave on disk; and the text does not
depend on files that the job's mounts may hide.
"""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

from riseml import templating
from riseml.errors import UnsupportedError

_ENV = b"/usr/bin/env"
_FIRST_LOG = 3
# Dash accepts descriptors of one digit only.
_LAST_LOG = 9
# Some shell reserves these variables, so `env` sets them, right before the command.
_RESERVED_BY_SHELLS = frozenset(
    b"BASHOPTS BASHPID BASH_VERSINFO EUID FUNCNAME GROUPS HISTCMD IFS LINENO OPTARG"
    b" OPTIND PPID RANDOM SECONDS SHELLOPTS UID".split()
)
# `enter` sets the first two for the step's directory, and a shell sets the last one.
_DROPPED = frozenset((b"PWD", b"OLDPWD", b"_"))
_DROP, _EXPORT, _ENV_ONLY = "drop", "export", "env"
# The supervising shell has these variables in its own environment.
_SUPERVISOR_VARIABLES = (b"PATH", b"LD_LIBRARY_PATH", b"SHLVL")


def prologue(**values: str) -> bytes:
    """Return the assignments that supervise.sh needs, and its text without comments."""
    script = Path(__file__).with_name("supervise.sh").read_bytes()
    lines = [assign(**values)]
    for line in script.splitlines(keepends=True):
        if not line.startswith(b"#"):
            lines.append(line)
    return b"".join(lines)


def assign(**values: str) -> bytes:
    """Return assignments of shell variables."""
    lines = []
    for name, value in values.items():
        lines.append(b"%s=%s\n" % (name.encode(), quote(os.fsencode(value))))
    return b"".join(lines)


def init(index: int, command: bytes, log: int, logs: int) -> bytes:
    """Return an init step; the following steps run only if it succeeds.

    `log` is the number of its log among the job's `logs`.
    """
    redirected = _redirected(command, log, logs)
    return b"proceed && {\n%s\ninit %d $?\n}\n" % (redirected, index)


def main(
    command: bytes,
    logs: int,
    sidecars: Iterable[tuple[bytes, int]],
    deadline: float | None,
    *,
    mark: bool,
) -> bytes:
    """Return the main command and its sidecars, pairs of a command and a log number.

    The main command writes to the first log. `mark` records when it starts.
    """
    lines = []
    if mark:
        lines.append(b"true > main")
    for sidecar, log in sidecars:
        redirected = _redirected(sidecar, log, logs)
        lines.append(b'%s &\nsidecars="$sidecars $!"' % redirected)
    if deadline is not None:
        lines.append(b"watch %s" % seconds(deadline).encode())
    lines.append(_redirected(command, 0, logs))
    lines.append(b"finish $?")
    return b"proceed && {\n%s\n}\n" % b"\n".join(lines)


def epilogue(restart: bytes, log: str) -> bytes:
    """Return the end: without the launcher, the shell starts a controller itself."""
    # The shell runs no command whose output it cannot open.
    choice = b'log=%s\n[ -w "$log" ] || log=/dev/null\n' % quote(os.fsencode(log))
    start = b'%s </dev/null >>"$log" 2>&1 &\n' % restart
    return b'clean\nkill -0 "$launcher" && exit\n' + choice + start


def seconds(value: float) -> str:
    """Return a duration as `sleep` reads it."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def command(
    argv: Sequence[str], env: Mapping[str, str], cwd: str, *, before: bytes = b""
) -> bytes:
    """Return a subshell that becomes a command with exactly this environment, and PWD.

    `before` is a function of the supervisor to which the command's name is given first.

    Raises:
        UnsupportedError: a word contains a NUL byte, which no process can be given.
    """
    exported, for_env = _assignments(env)
    lines = [b"enter " + quote(os.fsencode(cwd))]
    names = set(map(os.fsencode, env))
    inherited = [name for name in _SUPERVISOR_VARIABLES if name not in names]
    if inherited:
        lines.append(b"unset " + b" ".join(inherited))
    if exported:
        lines.append(b"export " + b" ".join(exported))
    words = [quote(os.fsencode(word)) for word in argv]
    is_for_bash = tuple(argv[:3]) == ("sh", "-c", templating.read(templating.BASH))
    if is_for_bash and not for_env:
        # The subshell is a shell as well, so it runs this text instead of starting
        # another one for it: that takes 1.2 ms of CPU time less for each job.
        script, *arguments = words[3:]
        lines.append(b" ".join((b"set --", script, b"riseml", *arguments)))
        bash = _bash(env.get("PATH", ""))
        if bash:
            path = quote(os.fsencode(bash))
            lines.append(b'[ ! -x %s ] || exec %s -c "$@"' % (path, path))
        if before:
            lines.append(before + b" sh")
        lines.append(b'command -v bash > /dev/null && exec bash -c "$@"')
        words = [b"sh", b"-c", b'"$@"']
    elif before:
        lines.append(b"%s %s" % (before, words[0]))
    if for_env:
        words = [_ENV, b"--", *for_env, *words]
    lines.append(b"exec " + b" ".join(words))
    return b"(\n%s\n)" % b"\n".join(lines)


@cache
def _bash(path: str) -> str | None:
    """Return the bash that a job with this PATH finds, if that does not depend on its directory.

    The shell would try `execve` in each folder, and each call copies the run script: on a
    PATH with ten folders before that of bash, this saves 0.3 ms of CPU time for each job.
    """
    if not all(map(os.path.isabs, path.split(os.pathsep))):
        return None
    return shutil.which("bash", path=path)


def _assignments(env: Mapping[str, str]) -> tuple[list[bytes], list[bytes]]:
    """Return assignments for the shell's `export`, and the others for `env`."""
    exported: list[bytes] = []
    for_env: list[bytes] = []
    for name, value in env.items():
        kind = _kind(name)
        if kind == _DROP:
            continue
        key, data = os.fsencode(name), os.fsencode(value)
        if kind == _EXPORT:
            exported.append(key + b"=" + quote(data))
        else:
            # It is public as an argument, but only while `env` runs.
            for_env.append(quote(key + b"=" + data))
    return exported, for_env


# A job has about 70 variables, and most jobs have the same.
@lru_cache(maxsize=512)
def _kind(name: str) -> str:
    """Return how a variable is set: by the shell, by `env`, or not at all."""
    key = os.fsencode(name)
    if key in _DROPPED:
        return _DROP
    is_identifier = name.isascii() and name.isidentifier()
    return _EXPORT if is_identifier and key not in _RESERVED_BY_SHELLS else _ENV_ONLY


def quote(word: bytes) -> bytes:
    """Quote one word for a POSIX shell.

    Raises:
        UnsupportedError: the word contains a NUL byte.
    """
    if b"\0" in word:
        raise UnsupportedError(
            "a command or its environment contains a NUL byte: "
            f"{os.fsdecode(word[:60])!r}"
        )
    return b"'" + word.replace(b"'", b"'\\''") + b"'"


def check_logs(logs: int) -> None:
    """Check that a job does not have too many different logs.

    Raises:
        UnsupportedError: there are more logs than descriptors for them.
    """
    limit = _LAST_LOG - _FIRST_LOG + 1
    if logs > limit:
        raise UnsupportedError(
            f"one job cannot have {logs} logs", f"Use at most {limit}."
        )


def _redirected(text: bytes, log: int, logs: int) -> bytes:
    """Return a command that writes to its log and has no descriptor of the others."""
    closed = b"".join(b" %d>&-" % (_FIRST_LOG + index) for index in range(logs))
    return b"%s </dev/null >&%d 2>&1%s" % (text, _FIRST_LOG + log, closed)
