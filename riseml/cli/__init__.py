"""The command line: a table of commands, and what happens around each of them.

    riseml ARGUMENTS ──▶ --version, --help, "did you mean": answered here
                     └─▶ COMMANDS[first word] ──▶ riseml.cli.<module>.command ──▶ exit status

Only the module of the command asked for is imported, and Typer with it; so `--version` and `--help` cost nothing.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import riseml

START, WRITE, KEEP = "Run and follow", "Write and check", "Tidy and look around"

# What the user types: (module in riseml.cli, its first docstring line, group in the help).
COMMANDS: dict[str, tuple[str, str, str]] = {
    "train": (
        "train",
        "Start an experiment, or a set of them, in the background.",
        START,
    ),
    "submit": (
        "train",
        "Start an experiment, or a set of them, in the background.",
        START,
    ),
    "status": (
        "status",
        "Show what runs, or one experiment, set or job in detail.",
        START,
    ),
    "logs": ("logs", "Show what jobs have written, and follow them.", START),
    "wait": (
        "wait",
        "Wait until experiments have ended; the exit status says how.",
        START,
    ),
    "kill": ("kill", "Stop experiments or whole sets.", START),
    "results": (
        "results",
        "Compare the experiments of a set: parameters and reported results.",
        START,
    ),
    "why": ("why", "Say why an experiment waits or has failed, and what helps.", START),
    "tensorboard": (
        "tensorboard",
        "Open the TensorBoard of a run, also after its end.",
        START,
    ),
    "ls": ("ls", "List files that jobs see as /data and /output.", START),
    "cp": ("cp", "Copy files to and from what jobs see as /data and /output.", START),
    "rm": ("rm", "Delete files that jobs see as /data and /output.", START),
    "init": ("init", "Write a riseml.yml to begin with.", WRITE),
    "build": (
        "build",
        "Have the install steps done before they are needed, or say what they depend on.",
        WRITE,
    ),
    "check": ("check", "Find every fault in a riseml.yml.", WRITE),
    "schema": ("schema", "Print the JSON Schema of riseml.yml, for editors.", WRITE),
    "compile": (
        "compile",
        "Print the Argo Workflow that a riseml.yml stands for.",
        WRITE,
    ),
    "secret": (
        "secret",
        "Keep values that jobs get as environment variables and nobody else sees.",
        KEEP,
    ),
    "delete": (
        "delete",
        "Forget ended experiments: their record, logs and output.",
        KEEP,
    ),
    "prune": ("prune", "Delete what ended long ago.", KEEP),
    "user": ("user", "Manage the users of a cluster, or log in to one.", KEEP),
    "config": ("config", "Choose where runs go: this machine or a cluster.", KEEP),
    "system": (
        "system",
        "Install RiseML on a cluster, and look whether all is well there.",
        KEEP,
    ),
    "doctor": (
        "doctor",
        "Look whether all that runs need is there, and say what to do where it is not.",
        KEEP,
    ),
    "whoami": ("whoami", "Print who you are.", KEEP),
    "completion": (
        "completion",
        "Print the shell code that completes commands, options and ids.",
        KEEP,
    ),
}
# What the shell code of `riseml completion` calls
COMPLETE = "__complete"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status; the only place where errors end."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _open_streams()
    debug = _take(words, "--debug") or os.environ.get("RISEML_DEBUG", "") not in {
        "",
        "0",
    }
    if _take(words, "--no-color"):
        os.environ["NO_COLOR"] = "1"
    try:
        status = _dispatch(words)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001
        # Every end is told in one place
        from riseml.cli import failure

        return failure.tell(error, debug=debug)
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
    if first not in COMMANDS:
        from riseml.cli import failure

        raise failure.unknown_command(first, COMMANDS)
    return run(first, words[1:])


def _help(words: list[str]) -> int:
    if words and words[0] in COMMANDS:
        return run(words[0], ["--help"])
    from riseml.cli import overview

    sys.stdout.write(overview.text(COMMANDS))
    return 0


def run(name: str, words: list[str]) -> int:
    """Run the command `name` of the table with its own arguments.

    A module with COMMANDS is a group: its first argument chooses a function, `riseml user create`.
    """
    from riseml.cli import app

    module = import_module(f"riseml.cli.{COMMANDS[name][0]}")
    group = getattr(module, "COMMANDS", None)
    if group is None:
        return app.run(name, module.command, words)
    first = words[0] if words else "--help"
    if first in {"--help", "-h"}:
        from riseml.cli import overview

        sys.stdout.write(overview.group(name, module.__doc__ or "", group))
        return 0
    if first not in group:
        from riseml.cli import failure

        raise failure.unknown_subcommand(name, first, group)
    return app.run(f"{name} {first}", group[first], words[1:])


def _open_streams() -> None:
    """Give closed streams (`riseml status >&-`) somewhere to write to."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # As long as the process
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def _take(words: list[str], flag: str) -> bool:
    """Remove a global flag, which may stand anywhere before `--`; return whether it was there."""
    options = words[: words.index("--")] if "--" in words else words
    if flag not in options:
        return False
    words.remove(flag)
    return True
