"""Reports of failed commands: one line, advice, and the exit status."""

import os
import re
import sys
from collections.abc import Iterable, Sequence

from riseml.cli import output
from riseml.errors import ConfigError, InvalidInputError, RiseMLError
from riseml.excerpts import readable, with_excerpts

INTERRUPTED = 130
BROKEN_PIPE = 141

# difflib's ratio; words below it have common letters by chance.
_SIMILAR = 0.75
# `-o json`, `-lo json`, `-ojson`, `--output json` or `--output=json`; a zero byte
# separates words.
_JSON_OPTION = re.compile(r"(?:^|\0)(?:-[A-Za-z]*o\0?|--output[=\0])json(?:$|\0)")
# Fewer letters begin too many words to be an abbreviation.
_SHORTEST_ABBREVIATION = 3


def report(error: BaseException, *, debug: bool, arguments: Sequence[str] = ()) -> int:
    """Write an error to stderr and return its exit status.

    An error of an unexpected type is reported as a bug. The message shows excerpts of
    long arguments.
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    status = _print(error, arguments, debug=debug)
    _discard_unread_output()
    return status


def _print(error: BaseException, arguments: Sequence[str], *, debug: bool) -> int:
    # The reader has left on purpose (`riseml status | head`).
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    if isinstance(error, KeyboardInterrupt):
        _write("\nAborted.")
        return INTERRUPTED
    if debug:
        import traceback

        traceback.print_exception(error)
    if not isinstance(error, RiseMLError):
        error = _unexpected(error)
    values = [argument.partition("=")[2] for argument in arguments]
    quoted = (*arguments, *filter(None, values))
    if _wants_json(arguments):
        from riseml.cli import error_records

        _write(error_records.to_line(error, quoted))
    else:
        _write(readable(with_excerpts(_describe(error), quoted)))
    return error.exit_status


def _wants_json(arguments: Sequence[str]) -> bool:
    """Return whether a command line asks for JSON; it may have any other mistake."""
    words = list(arguments)
    if "--" in words:
        del words[words.index("--") :]
    return bool(_JSON_OPTION.search("\0".join(words)))


def unknown_option(option: str) -> RiseMLError:
    """Return the error for an option before any command."""
    from riseml.cli import synonyms

    advice = synonyms.advice(option) or "`riseml --help` lists commands and options."
    return InvalidInputError(f"no option {option}", advice)


def unknown_command(word: str, commands: Iterable[str]) -> RiseMLError:
    """Return the error for a first word that is not a command."""
    from riseml.cli import synonyms

    advice = synonyms.advice(word)
    if not advice:
        advice = (
            f"{_similar_command(word, commands)}`riseml --help` lists all commands."
        )
    return InvalidInputError(f"no command '{word}'", advice)


def unknown_subcommand(group: str, word: str, commands: Iterable[str]) -> RiseMLError:
    """Return the error for a second word that is not a command of the group."""
    similar = _similar_command(word, commands)
    advice = f"{similar}`riseml {group} --help` lists all commands."
    return InvalidInputError(f"no command '{group} {word}'", advice)


def _similar_command(word: str, commands: Iterable[str]) -> str:
    """Return `Did you mean 'X'? ` unless the closest command deletes something."""
    from riseml.cli import synonyms

    similar = _closest(word, commands)
    return "" if synonyms.deletes(similar) else _question(similar)


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return `Did you mean 'X'? ` for the closest candidate, "" if none is close."""
    return _question(_closest(word, candidates))


def _question(candidate: str) -> str:
    return f"Did you mean '{candidate}'? " if candidate else ""


def _closest(word: str, candidates: Iterable[str]) -> str:
    closest, highest = "", 0.0
    for candidate in candidates:
        similarity = _similarity(word, candidate)
        if similarity > highest:
            closest, highest = candidate, similarity
    return closest


def _similarity(typed: str, candidate: str) -> float:
    """Return how close two words are, 0 if one is not a likely slip for the other."""
    from difflib import SequenceMatcher

    # Common dashes would make any two options alike.
    first, second = typed.lstrip("-"), candidate.lstrip("-")
    ratio = SequenceMatcher(None, first, second).ratio()
    short, long = sorted((first, second), key=len)
    is_abbreviation = len(short) >= _SHORTEST_ABBREVIATION and long.startswith(short)
    # `--file` for `--config-file`
    has_same_words = bool(short) and set(short.split("-")) <= set(long.split("-"))
    # A slip of the finger adds or drops few letters: 'run' is not 'prune'.
    is_slip = ratio >= _SIMILAR and len(long) - len(short) <= len(long) // 3
    return ratio if is_abbreviation or has_same_words or is_slip else 0.0


def _describe(error: RiseMLError) -> str:
    # The message as it is, so that arguments can be recognized in it.
    text = str(error.args[0])
    if not isinstance(error, ConfigError):
        text = f"riseml: error: {text}"
    return f"{text}\n{error.advice}" if error.advice else text


def _unexpected(error: BaseException) -> RiseMLError:
    """Return the report of an error that no command raises on purpose."""
    if isinstance(error, OSError) and error.strerror:
        file = f"{error.filename}: " if error.filename else ""
        return RiseMLError(f"{file}{error.strerror}")
    summary = type(error).__name__
    text = " ".join(str(error).split())
    if text:
        summary += f": {text}"
    return RiseMLError(
        f"unexpected {summary}",
        "This is a bug in RiseML. Run the command again with --debug to see where.",
    )


def _write(text: str) -> None:
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _discard_unread_output()
    try:
        sys.stderr.write(output.shown(text, sys.stderr) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        # Nothing reads stderr. The exit status still reports the failure.
        return


def _discard_unread_output() -> None:
    """Send what nothing reads (`riseml status | head`) to the null device.

    Otherwise Python reports a second error when it flushes the streams at its exit.
    """
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except (OSError, ValueError):
            null_device = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null_device, number)
            os.close(null_device)
