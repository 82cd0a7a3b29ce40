"""How a command that failed says so: one line, what to do, and the exit status."""

import os
import sys
from collections.abc import Iterable

from riseml.errors import ConfigError, InvalidInputError, RiseMLError

INTERRUPTED = 130
BROKEN_PIPE = 141


def tell(error: BaseException, *, debug: bool) -> int:
    """Write an error to stderr and return its exit status; one that nobody expected is named as a bug."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    status = _tell(error, debug=debug)
    _settle()
    return status


def _tell(error: BaseException, *, debug: bool) -> int:
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    if isinstance(error, KeyboardInterrupt):
        _write("\nAborted.")
        return INTERRUPTED
    if debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, RiseMLError):
        _write(_describe(error))
        return error.exit_status
    _write(_surprise(error))
    return 1


def unknown_command(word: str, commands: Iterable[str]) -> RiseMLError:
    """Return the error for a first word that is no command, with the nearest one."""
    if word.startswith("-"):
        return InvalidInputError(
            f"no option {word}", "`riseml --help` lists commands and options."
        )
    return InvalidInputError(
        f"no command '{word}'",
        did_you_mean(word, commands) + "`riseml --help` lists all commands.",
    )


def unknown_subcommand(group: str, word: str, known: Iterable[str]) -> RiseMLError:
    """Return the error for a word that a group of commands does not know, with the nearest one."""
    advice = f"{did_you_mean(word, known)}`riseml {group} --help` lists all commands."
    return InvalidInputError(f"no command '{group} {word}'", advice)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the question for the nearest known word, with a blank after it, or an empty text."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{near[0]}'? " if near else ""


def _describe(error: RiseMLError) -> str:
    text = str(error) if isinstance(error, ConfigError) else f"riseml: error: {error}"
    return f"{text}\n{error.advice}" if error.advice else text


def _surprise(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"riseml: error: {place}{error.strerror}"
    kind = type(error).__name__
    text = " ".join(str(error).split())
    return (
        f"riseml: error: unexpected {kind}{': ' if text else ''}{text}\n"
        "This is a bug in RiseML; run it again with --debug to see where."
    )


def _write(text: str) -> None:
    encoding = sys.stderr.encoding or "utf-8"
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _settle()
    try:
        sys.stderr.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        # Nobody listens; the exit status says it.
        return


def _settle() -> None:
    """Let nothing more be said where nobody reads (`riseml status | head`), as any filter would."""
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except (OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)
