"""What stays out of a snapshot because an ignore file says so.

    .risemlignore   of the project's folder only; decides before any .gitignore, so `!name` keeps what one leaves out
    .gitignore      of the folder and below; of the folders above, and .git/info/exclude, where the folder is part of a
                    Git working tree that does not itself ignore it

Both are read as Git reads a .gitignore: the last line that matches decides, a deeper file before a higher one, and what
lies in a folder that is left out stays out with it. Neither what Git tracks nor the user's own Git settings count: the
same files give the same snapshot everywhere. A .risemlignore with `- pattern` or `+ pattern` lines is rsync's, as in
2018: there the first line that matches decides, and `a/b` is looked for at every depth.
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator

from riseml.errors import ProjectError
from riseml.project import globs

_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}


class Rules:
    """The lines of one ignore file; most are plain names or endings, found without trying every line."""

    def __init__(self, lines: Iterable[bytes], *, is_git: bool = True) -> None:
        self.is_git = is_git
        self.lines = [line for line in map(_Line, lines) if line.pattern]
        self._names: dict[bytes, list[int]] = {}
        self._endings: dict[bytes, list[int]] = {}
        self._groups: dict[bool, list[_Group]] = {}
        for number, line in enumerate(self.lines):
            if line.is_name and globs.is_plain(line.pattern):
                self._names.setdefault(line.pattern, []).append(number)
            elif line.is_ending:
                self._endings.setdefault(line.pattern[1:], []).append(number)

    def verdict(self, path: bytes, name: bytes, is_folder: bool) -> bool | None:
        """Return whether a path, relative to the file's folder, stays out or (False) is kept; None: no line says."""
        best = -1
        for numbers in (
            self._names.get(name),
            self._endings.get(name[name.rfind(b".") :]),
        ):
            for number in numbers or ():
                if number > best and (is_folder or not self.lines[number].is_folder):
                    best = number
        for group in (
            self._groups[is_folder]
            if is_folder in self._groups
            else self._compiled(is_folder)
        ):
            best = max(best, group.last(name if group.is_name else path))
        return None if best < 0 else not self.lines[best].is_kept

    def _compiled(self, is_folder: bool) -> "list[_Group]":
        found = {
            number
            for numbers in (*self._names.values(), *self._endings.values())
            for number in numbers
        }
        rest = [
            (number, line)
            for number, line in enumerate(self.lines)
            if number not in found
        ]
        told = [
            (number, line) for number, line in rest if is_folder or not line.is_folder
        ]
        groups = [_Group(told, is_name=is_name) for is_name in (False, True)]
        self._groups[is_folder] = [group for group in groups if group.numbers]
        return self._groups[is_folder]


class _Line:
    """One line: its pattern without the marks around it, empty where it says nothing."""

    def __init__(self, line: bytes) -> None:
        text = (
            b""
            if line.startswith(b"#")
            else _trimmed(line.partition(b"\0")[0].removesuffix(b"\r"))
        )
        self.is_kept = text.startswith(b"!")
        text = text[self.is_kept :]
        self.is_folder = text.endswith(b"/")
        text = text[: len(text) - self.is_folder]
        self.is_name = b"/" not in text
        self.pattern = text.removeprefix(b"/")
        self.is_ending = (
            text.startswith(b"*.")
            and text.count(b".") == 1
            and self.is_name
            and globs.is_plain(text[1:])
        )


class _Group:
    """Patterns as one expression, the latest line first; those without a slash are about names, others about paths."""

    def __init__(self, lines: list[tuple[int, _Line]], *, is_name: bool) -> None:
        told = [
            (number, globs.translate(line.pattern))
            for number, line in lines
            if line.is_name == is_name
        ]
        alternatives = [
            (number, pattern)
            for number, pattern in reversed(told)
            if pattern is not None
        ]
        self.is_name = is_name
        self.numbers = [number for number, _ in alternatives]
        self._match = re.compile(
            b"|".join(b"(%b)" % pattern for _, pattern in alternatives), re.DOTALL
        ).fullmatch

    def last(self, text: bytes) -> int:
        """Return the number of the last line that matches, or -1."""
        match = self._match(text)
        return self.numbers[match.lastindex - 1] if match and match.lastindex else -1


Chain = tuple[tuple[Rules, int, bytes], ...]
"""Rules, the last ones going first, each with what makes a path relative to its folder: what to cut, and a prefix."""


def excluded_by(
    chain: Chain, path: bytes, name: bytes, is_folder: bool
) -> Rules | None:
    """Return the ignore file that leaves a path of the project out, or None."""
    for rules, cut, prefix in reversed(chain):
        verdict = rules.verdict(prefix + path[cut:], name, is_folder)
        if verdict is not None:
            return rules if verdict else None
    return None


def own(folder: bytes) -> Chain:
    """Return the rules of the project's .risemlignore."""
    lines = _lines(os.path.join(folder, b".risemlignore"))
    if any(line.startswith((b"+ ", b"- ")) for line in lines):
        lines = list(_from_rsync(lines))[::-1]
    return ((Rules(lines, is_git=False), 0, b""),) if lines else ()


def below(folder: bytes, place: bytes) -> Chain:
    """Return the rules of the .gitignore in the folder `place` of the project."""
    lines = _lines(os.path.join(folder, place, b".gitignore"), os.O_NOFOLLOW)
    return ((Rules(lines), len(place), b""),) if lines else ()


def enclosing(folder: bytes) -> Chain:
    """Return the rules that the working tree around a folder brings, none where it ignores the folder itself."""
    folder = os.path.realpath(folder)
    top = _top(folder)
    if top is None:
        return ()
    steps = os.path.relpath(folder, top).split(b"/") if folder != top else []
    found = [(0, Rules(_lines(os.path.join(_private(top), b"info", b"exclude"))))]
    for depth, step in enumerate(steps):
        found.append(
            (
                depth,
                Rules(
                    _lines(
                        os.path.join(top, *steps[:depth], b".gitignore"), os.O_NOFOLLOW
                    )
                ),
            )
        )
        verdicts = (
            rules.verdict(b"/".join(steps[start : depth + 1]), step, True)
            for start, rules in reversed(found)
        )
        if next((verdict for verdict in verdicts if verdict is not None), False):
            return ()
    return tuple(
        (rules, 0, b"".join(step + b"/" for step in steps[start:]))
        for start, rules in found
        if rules.lines
    )


def _top(folder: bytes) -> bytes | None:
    """Return the working tree that holds a folder: the nearest one upwards with a `.git`."""
    while not os.path.exists(os.path.join(folder, b".git")):
        if folder == os.path.dirname(folder):
            return None
        folder = os.path.dirname(folder)
    return folder


def _private(top: bytes) -> bytes:
    """Return the folder where Git keeps what all working trees of a repository share."""
    place = os.path.join(top, b".git")
    if os.path.isdir(place):
        return place
    place = os.path.join(top, b"".join(_lines(place)[:1]).removeprefix(b"gitdir: "))
    shared = b"".join(_lines(os.path.join(place, b"commondir"))[:1])
    return os.path.join(place, shared)


def _lines(path: bytes, flags: int = 0) -> list[bytes]:
    """Return the lines of a file, none where there is no such file."""
    try:
        descriptor = os.open(path, _READING | flags)
        with open(descriptor, "rb") as file:
            text = file.read()
    except OSError as error:
        if error.errno in _ABSENT:
            return []
        raise ProjectError(
            f"cannot read {os.fsdecode(path)}: {error.strerror}",
            "Make it readable: it says what stays out.",
        ) from error
    return text.removeprefix(b"\xef\xbb\xbf").split(b"\n") if text else []


def _trimmed(line: bytes) -> bytes:
    """Return a line without the blanks at its end, but for one behind a backslash."""
    bare = line.rstrip(b" ")
    backslashes = len(bare) - len(bare.rstrip(b"\\"))
    return line[: len(bare) + backslashes % 2]


def _from_rsync(lines: list[bytes]) -> Iterator[bytes]:
    """Yield rsync's rules as lines of a .gitignore, in rsync's order."""
    if b"!" in lines:
        lines = lines[
            len(lines) - lines[::-1].index(b"!") :
        ]  # a lone `!` forgets the rules before it
    for line in lines:
        rule = line.removesuffix(b"\r")
        if not rule.strip() or rule.startswith((b"#", b";")):
            continue
        sign = b"!" if rule.startswith(b"+ ") else b""
        pattern = rule[2:] if rule.startswith((b"+ ", b"- ")) else rule
        if b"/" in pattern[:-1] and not pattern.startswith(b"/"):
            pattern = b"**/" + pattern
        yield sign + (b"\\" + pattern if pattern.startswith((b"!", b"#")) else pattern)
