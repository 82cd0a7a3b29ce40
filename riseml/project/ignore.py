"""Rules that exclude files from a snapshot.

    .risemlignore   of the project's folder only. It decides before any .gitignore, so `!name`
                    keeps a file that a .gitignore excludes.
    .gitignore      of the folder and below. If the folder belongs to a Git working tree that
                    does not ignore it, those of the folders above and .git/info/exclude too.

Both are read as Git reads a .gitignore: the last line that matches decides, a deeper file
decides before a higher one, and everything in an excluded folder is excluded. Neither the
files that Git tracks nor the user's Git settings count, so the same files give the same
snapshot everywhere. A .risemlignore with lines `- pattern` or `+ pattern` has rsync's rules,
as in 2018: the first line that matches decides, and `a/b` matches at every depth.
"""

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Protocol

from riseml.errors import ProjectError
from riseml.project import globs

_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
_RSYNC = (b"+ ", b"- ")


class Excluder(Protocol):
    """Something that excludes paths of a project; `name` is what a user knows it by.

    Excluders with the same `content` have the same verdict about the same file.
    """

    name: bytes
    is_git: bool
    content: bytes

    def verdict(self, path: bytes, name: bytes, is_folder: bool) -> bool | None:
        """Return whether a path is excluded, None if nothing is known about it."""


class Rules:
    """The lines of one ignore file, whose `name` is its path relative to the project.

    Most lines are plain names or endings. A dictionary finds these without trying every
    line; the others are compiled into regular expressions when they are first needed.
    """

    def __init__(
        self, lines: Iterable[bytes], name: bytes, *, is_git: bool = True
    ) -> None:
        self.name = name
        self.is_git = is_git
        lines = list(lines)
        self.content = b"\n".join(lines)
        self.lines = list(filter(attrgetter("pattern"), map(_Line, lines)))
        self._names: dict[bytes, list[int]] = {}
        self._endings: dict[bytes, list[int]] = {}
        self._others: list[tuple[int, _Line]] = []
        self._groups: dict[bool, list[_Group]] = {}
        for number, line in enumerate(self.lines):
            if line.is_name and globs.is_plain(line.pattern):
                self._names.setdefault(line.pattern, []).append(number)
            elif line.is_ending:
                self._endings.setdefault(line.pattern[1:], []).append(number)
            else:
                self._others.append((number, line))

    def verdict(self, path: bytes, name: bytes, is_folder: bool) -> bool | None:
        """Return whether a path, relative to the file's folder, is excluded.

        It is None if no line matches.
        """
        best = -1
        ending = name[name.rfind(b".") :]
        for numbers in (self._names.get(name), self._endings.get(ending)):
            # Most names are in neither dictionary.
            if numbers is not None:
                best = max(best, self._last(numbers, is_folder=is_folder))
        groups = self._groups.get(is_folder)
        if groups is None:
            groups = self._compile(is_folder=is_folder)
        for group in groups:
            best = max(best, group.last(name if group.is_name else path))
        return None if best < 0 else not self.lines[best].is_kept

    def _last(self, numbers: list[int], *, is_folder: bool) -> int:
        """Return the last of these lines that may decide about a folder or file, or -1."""
        for number in reversed(numbers):
            if is_folder or not self.lines[number].is_folder:
                return number
        return -1

    def _compile(self, *, is_folder: bool) -> "list[_Group]":
        lines = self._others
        if not is_folder:
            lines = [(number, line) for number, line in lines if not line.is_folder]
        groups = (_Group(lines, is_name=False), _Group(lines, is_name=True))
        self._groups[is_folder] = list(filter(attrgetter("numbers"), groups))
        return self._groups[is_folder]


class _Line:
    """One line: its pattern without the marks around it, empty for a comment or blank line."""

    def __init__(self, line: bytes) -> None:
        text = b""
        if not line.startswith(b"#"):
            text = _trimmed(line.partition(b"\0")[0].removesuffix(b"\r"))
        self.is_kept = text.startswith(b"!")
        text = text[self.is_kept :]
        self.is_folder = text.endswith(b"/")
        text = text[: len(text) - self.is_folder]
        self.is_name = b"/" not in text
        self.pattern = text.removeprefix(b"/")
        has_one_dot = text.startswith(b"*.") and text.count(b".") == 1
        self.is_ending = has_one_dot and self.is_name and globs.is_plain(text[1:])


class _Group:
    """Patterns as one regular expression, the last line first.

    They are either patterns without a slash, which match names, or patterns that match paths.
    """

    def __init__(self, lines: list[tuple[int, _Line]], *, is_name: bool) -> None:
        self.is_name = is_name
        self.numbers: list[int] = []
        patterns = []
        for number, line in reversed(lines):
            if line.is_name != is_name:
                continue
            pattern = globs.translate(line.pattern)
            # A broken pattern matches nothing.
            if pattern is not None:
                self.numbers.append(number)
                patterns.append(b"(%b)" % pattern)
        self._match = re.compile(b"|".join(patterns), re.DOTALL).fullmatch

    def last(self, text: bytes) -> int:
        """Return the number of the last line that matches, or -1."""
        match = self._match(text)
        if match is None or match.lastindex is None:
            return -1
        return self.numbers[match.lastindex - 1]


Chain = tuple[tuple[Excluder, int, bytes], ...]
"""Rules, of which the last ones decide first.

A number and a prefix make a path of the project relative to the folder of each: the number of
bytes to cut at its beginning, and what to put in their place.
"""


def excluded_by(
    chain: Chain, path: bytes, name: bytes, is_folder: bool
) -> Excluder | None:
    """Return the ignore file that excludes a path of the project, or None."""
    for rules, cut, prefix in reversed(chain):
        verdict = rules.verdict(prefix + path[cut:], name, is_folder)
        if verdict is not None:
            return rules if verdict else None
    return None


def digest(chain: Chain) -> bytes:
    """Return bytes that differ between chains whose verdicts may differ."""
    # It loads OpenSSL, and projects without ignore files need none.
    from hashlib import sha1  # noqa: PLC0415

    parts = [(rules.content, cut, prefix) for rules, cut, prefix in chain]
    return sha1(repr(parts).encode(), usedforsecurity=False).digest()


def of_project(folder: bytes) -> Chain:
    """Return the rules of the project's .risemlignore."""
    name = b".risemlignore"
    lines = _lines(os.path.join(folder, name))
    if any(line.startswith(_RSYNC) for line in lines):
        # Rsync's first match decides, and here the last one.
        lines = list(_from_rsync(lines))[::-1]
    return _chain(Rules(lines, name, is_git=False))


def below(folder: bytes, path: bytes, name: bytes = b"") -> Chain:
    """Return the rules of the .gitignore in the folder `path` of the project.

    `name` is the file's path for users, if it is another one.
    """
    file = os.path.join(path, b".gitignore")
    lines = _lines(os.path.join(folder, file), os.O_NOFOLLOW)
    return _chain(Rules(lines, name or file), len(path))


def _chain(rules: Rules, cut: int = 0) -> Chain:
    """Return rules as a chain, which is empty if they have no lines."""
    return ((rules, cut, b""),) if rules.lines else ()


def enclosing(folder: bytes) -> Chain:
    """Return the rules of the working tree around a folder, none if it ignores the folder."""
    folder = os.path.realpath(folder)
    top = _working_tree(folder)
    if top is None:
        return ()
    exclude = os.path.join(_git_folder(top), b"info", b"exclude")
    # Up to the return, paths are relative to the working tree and not to the project.
    chain = _chain(Rules(_lines(exclude), b".git/info/exclude"))
    path = b""
    names = [*filter(None, folder.removeprefix(top).split(b"/"))]
    for depth, name in enumerate(names):
        shown = b"../" * (len(names) - depth) + b".gitignore"
        chain += below(top, path, shown)
        path += name
        if excluded_by(chain, path, name, True):
            return ()
        path += b"/"
    return tuple((rules, 0, path[cut:]) for rules, cut, _ in chain)


def _working_tree(folder: bytes) -> bytes | None:
    """Return the working tree that holds a folder: the nearest ancestor with a `.git`."""
    while not os.path.exists(os.path.join(folder, b".git")):
        parent = os.path.dirname(folder)
        if folder == parent:
            return None
        folder = parent
    return folder


def _git_folder(top: bytes) -> bytes:
    """Return the folder in which Git keeps what all working trees of a repository share."""
    path = os.path.join(top, b".git")
    if os.path.isdir(path):
        return path
    # A further working tree has a file `.git` that names its own folder in the repository.
    first_line = b"".join(_lines(path)[:1])
    path = os.path.join(top, first_line.removeprefix(b"gitdir: "))
    shared = b"".join(_lines(os.path.join(path, b"commondir"))[:1])
    return os.path.join(path, shared)


def _lines(path: bytes, flags: int = 0) -> list[bytes]:
    """Return the lines of a file, none if there is no such file."""
    try:
        descriptor = os.open(path, _READING | flags)
        with open(descriptor, "rb") as file:
            # A device may never end.
            is_regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            text = file.read() if is_regular else b""
    except OSError as error:
        if error.errno in _ABSENT:
            return []
        raise ProjectError(
            f"cannot read {os.fsdecode(path)}: {error.strerror}",
            "Make it readable: it says which files a snapshot excludes.",
        ) from error
    return text.removeprefix(b"\xef\xbb\xbf").split(b"\n")


def _trimmed(line: bytes) -> bytes:
    """Return a line without the blanks at its end, except one after a backslash."""
    stripped = line.rstrip(b" ")
    backslashes = len(stripped) - len(stripped.rstrip(b"\\"))
    return line[: len(stripped) + backslashes % 2]


def _from_rsync(lines: list[bytes]) -> Iterator[bytes]:
    """Yield rsync's rules as lines of a .gitignore, in rsync's order."""
    if b"!" in lines:
        # A lone `!` clears the rules before it.
        last = len(lines) - lines[::-1].index(b"!")
        lines = lines[last:]
    for line in lines:
        rule = line.removesuffix(b"\r")
        is_comment = rule.startswith((b"#", b";"))
        if rule.strip() and not is_comment:
            yield _gitignore_line(rule)


def _gitignore_line(rule: bytes) -> bytes:
    """Return one rule of rsync as a line of a .gitignore."""
    sign = b"!" if rule.startswith(b"+ ") else b""
    pattern = rule[2:] if rule.startswith(_RSYNC) else rule
    if b"/" in pattern[:-1] and not pattern.startswith(b"/"):
        # Git anchors a pattern with a slash, rsync does not.
        pattern = b"**/" + pattern
    if pattern.startswith((b"!", b"#")):
        pattern = b"\\" + pattern
    return sign + pattern
