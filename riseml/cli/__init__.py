"""Table of commands, and the steps around each of them.

    riseml ARGUMENTS ──▶ --version, --help, "did you mean": answered here
                     ├─▶ COMMANDS[first word]     ──▶ module of riseml.cli ──▶ exit status
                     └─▶ entry point of this name ──▶ module of a package  ──▶ exit status

Only the module of the requested command is imported. Typer is loaded for the help of
a command and for mistakes (`riseml.cli.command_line`).

A built-in command is a module of this package and a line of COMMANDS. Another
installed package adds a command by an entry point alone:

    [project.entry-points."riseml.commands"]
    hello = "their_package.hello"

Both kinds of modules follow the same contract:

* A module has a function `command`. Its annotated parameters become arguments and
  options of type str, int, bool, Path, Literal, or a list of them, such as
  `Annotated[str, Option("--name", help="...")]` with `riseml.cli.parameters.Option`.
  Typer's own parameters work as well; then Typer is loaded for every line. The first
  line of its docstring is the summary in `riseml --help`. It returns the exit status;
  None means 0.
* A group of commands has a dictionary COMMANDS instead, from the second word to such a
  function (`riseml user create`). The first line of its own docstring is the summary.
* A command prints through `riseml.cli.output` and reports failures by raising a
  `riseml.errors.RiseMLError`, which `main` prints. An entry point cannot replace a
  built-in command.

Entry points are read only for `riseml --help` and for words that COMMANDS lacks, because
reading them takes longer than starting Python.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

import riseml

RUN, WRITE, MANAGE = "Run and follow", "Write and check", "Manage and clean up"


class Command:
    """Entry of the table of commands.

    `module` is the name of a module in riseml.cli, `summary` the first line of its
    docstring, and `group` the heading in `riseml --help`.
    """

    # Not a dataclass or a NamedTuple: their modules would slow `--version` down.
    def __init__(self, module: str, summary: str, group: str) -> None:
        self.module = module
        self.summary = summary
        self.group = group


# A literal table: `riseml --help` must not import every module for one line of it.
_TRAIN = Command(
    "train", "Start an experiment or an experiment set in the background.", RUN
)
COMMANDS: dict[str, Command] = {
    "train": _TRAIN,
    "submit": _TRAIN,
    "status": Command(
        "status", "List runs, or show one run, experiment or job in detail.", RUN
    ),
    "monitor": Command(
        "monitor", "Show what running jobs use: CPU, memory, GPUs, disk, network.", RUN
    ),
    "logs": Command("logs", "Print and follow the logs of jobs.", RUN),
    "wait": Command(
        "wait", "Wait until runs have ended; the exit status is their outcome.", RUN
    ),
    "kill": Command("kill", "Stop runs or experiments.", RUN),
    "release": Command("release", "Release jobs that are held after a failure.", RUN),
    "retry": Command(
        "retry",
        "Repeat experiments that ended without finishing, in their set.",
        RUN,
    ),
    "rerun": Command(
        "rerun", "Run what an earlier run ran once more, as a new run.", RUN
    ),
    "tag": Command(
        "tag",
        "Tag and name runs, or show their tags.",
        RUN,
    ),
    "note": Command(
        "note",
        "Write a note about a run, or show it.",
        RUN,
    ),
    "results": Command(
        "results",
        "Compare parameters and results of experiments.",
        RUN,
    ),
    "diff": Command(
        "diff",
        "Compare the code, configuration and results of two runs.",
        RUN,
    ),
    "report": Command(
        "report",
        "Write an HTML page about runs: results, curves, parameters.",
        RUN,
    ),
    "shell": Command("shell", "Open a shell in a running job.", RUN),
    "exec": Command("exec", "Run a command in a running job.", RUN),
    "port-forward": Command(
        "port_forward", "Reach ports of a running job from this machine.", RUN
    ),
    "why": Command("why", "Explain why a run is waiting or failed.", RUN),
    "tensorboard": Command(
        "tensorboard", "Open the TensorBoard of a run, also after it has ended.", RUN
    ),
    "ls": Command(
        "ls",
        "List what jobs see as /data and /output, and the code of runs.",
        RUN,
    ),
    "cp": Command(
        "cp",
        "Copy files to and from /data and /output, and the code of runs.",
        RUN,
    ),
    "rm": Command("rm", "Delete files that jobs see as /data and /output.", RUN),
    "init": Command("init", "Write a first riseml.yml.", WRITE),
    "build": Command(
        "build", "Run install steps ahead of time, or show what they depend on.", WRITE
    ),
    "check": Command("check", "Report every error in a riseml.yml.", WRITE),
    "schema": Command(
        "schema",
        "Print the JSON Schema of riseml.yml, or of a command's output.",
        WRITE,
    ),
    "compile": Command("compile", "Print the Argo Workflow of a riseml.yml.", WRITE),
    "secret": Command(
        "secret", "Manage secrets that jobs receive as environment variables.", MANAGE
    ),
    "delete": Command(
        "delete", "Delete ended runs with their logs and output.", MANAGE
    ),
    "usage": Command(
        "usage", "Show the GPU hours, CPU hours and disk space of runs.", MANAGE
    ),
    "prune": Command(
        "prune", "Delete runs that ended long ago, and unused builds.", MANAGE
    ),
    "user": Command("user", "Manage the users of a cluster, or log in to one.", MANAGE),
    "config": Command(
        "config",
        "Choose where runs go, and change settings.",
        MANAGE,
    ),
    "system": Command(
        "system", "Install RiseML on a cluster, and inspect or test it.", MANAGE
    ),
    "doctor": Command(
        "doctor", "Check this machine or the cluster for everything runs need.", MANAGE
    ),
    "whoami": Command("whoami", "Print the current user.", MANAGE),
    "completion": Command(
        "completion",
        "Print the shell code that completes commands, options and ids.",
        MANAGE,
    ),
}
# The shell code of `riseml completion` calls this command; it is not for users.
COMPLETE = "__complete"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status; every error ends here."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _open_closed_streams()
    debug = _remove_flag(words, "--debug") or _debug_by_environment()
    if _remove_flag(words, "--no-color"):
        os.environ["NO_COLOR"] = "1"
    if _remove_flag(words, "--plain"):
        os.environ["RISEML_PLAIN"] = "1"
    try:
        status = _dispatch(words)
        # A full disk must fail the command. At Python's exit it would be too late.
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001
        # Ctrl-C and a closed pipe have exit statuses, too.
        from riseml.cli import failure

        return failure.report(error, debug=debug, arguments=words)
    return status


def _dispatch(words: list[str]) -> int:
    first = words[0] if words else "--help"
    if first in {"--version", "-V"}:
        sys.stdout.write(f"RiseML CLI {riseml.__version__}\n")
        return 0
    if first in {"--help", "-h", "help"}:
        return _help(words[1:])
    if first == COMPLETE:
        return int(import_module("riseml.cli.complete").complete(words[1:]))
    return run(first, words[1:])


def _help(words: list[str]) -> int:
    if words and not words[0].startswith("-"):
        return run(words[0], ["--help"])
    from riseml.cli import extensions, overview

    sys.stdout.write(overview.text(COMMANDS, extensions.summaries()))
    return 0


def run(name: str, words: list[str]) -> int:
    """Run the command `name` with its own arguments and return its exit status.

    Raises:
        RiseMLError: no such command exists, or it failed.
    """
    _load_pathlib()
    module = load(name)
    from riseml.cli import command_line

    group = getattr(module, "COMMANDS", None)
    if group is None:
        return command_line.run(name, module.command, words)
    first = words[0] if words else "--help"
    if first in {"--help", "-h"}:
        from riseml.cli import overview

        sys.stdout.write(overview.group(name, module.__doc__ or "", group))
        return 0
    if first not in group:
        from riseml.cli import failure

        raise failure.unknown_subcommand(name, first, group)
    return command_line.run(f"{name} {first}", group[first], words[1:])


def _load_pathlib() -> None:
    """Load pathlib without `urllib.parse`, of which it needs one function for `Path.as_uri`.

    That saves 2 of the 40 ms of `riseml status`.
    """
    name = "urllib.parse"
    if name in sys.modules or "pathlib" in sys.modules:
        return
    stand_in = ModuleType(name)
    stand_in.quote_from_bytes = _quote_from_bytes  # type: ignore[attr-defined]
    sys.modules[name] = stand_in
    try:
        import_module("pathlib")
    finally:
        del sys.modules[name]


def _quote_from_bytes(path: bytes) -> str:
    from urllib.parse import quote_from_bytes

    return quote_from_bytes(path)


def load(name: str) -> ModuleType:
    """Return the module of a command, built in or of another package.

    Raises:
        RiseMLError: no such command exists, or another package's is broken.
    """
    if name in COMMANDS:
        return import_module(f"riseml.cli.{COMMANDS[name].module}")
    from riseml.cli import extensions, failure

    # An option cannot name an entry point.
    if name.startswith("-"):
        raise failure.unknown_option(name)
    if not extensions.exists(name):
        raise failure.unknown_command(name, (*COMMANDS, *extensions.names()))
    return extensions.load(name)


def _debug_by_environment() -> bool:
    return os.environ.get("RISEML_DEBUG", "") not in {"", "0"}


def _open_closed_streams() -> None:
    """Give closed streams (`riseml status >&-`) somewhere to write to."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # It stays open until the process ends.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def _remove_flag(words: list[str], flag: str) -> bool:
    """Remove a global flag and return whether it was given.

    It may stand anywhere before `--`.
    """
    options = words[: words.index("--")] if "--" in words else words
    if flag not in options:
        return False
    words.remove(flag)
    return True
