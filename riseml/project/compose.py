r"""Trees and commit of a walk; the commit's message records what a Git tree cannot hold.

    tree …                          RiseML snapshot
    author RiseML … 0 +0000
                                    umask 0022                      gives most modes; the others follow
                                    move riseml~5c9f… src/.GIT      a name that Git refuses
                                    dir 0755 logs/empty             a folder without files
                                    file 8a1f…-0644 weights.bin     a large file, kept beside Git
                                    mode 0600 secrets\0040old.txt   files, then folders, the deepest first

`templates/checkout.sh` applies these lines. A path has its unusual bytes as `printf %b` reads
them. The commit contains nothing else, so the same files always have the same revision. The
branch is a chain of commits with two parents, the previous commit and the snapshot. It keeps
every revision from being collected, and records when and for what each was taken.
"""

import stat
from collections import Counter
from collections.abc import Iterable, Iterator

from riseml.project import names
from riseml.project.folders import LARGE_BYTES, MODE, Folder
from riseml.project.large_files import name_of
from riseml.project.objects import Objects
from riseml.project.walk import Tree

SUBJECT = "RiseML snapshot"
"""First line of the message of every revision."""

# The revision, and the next commit of the branch.
_COMMITS = 2
_AUTHOR = "RiseML <riseml@localhost>"
_UNESCAPED = (
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+,@%=:~"
)
_ESCAPES = {byte: f"\\0{byte:03o}" for byte in range(256) if byte not in _UNESCAPED}
# Git knows five modes. It distinguishes files only by the owner's right to execute them.
_GIT_MODES = {
    stat.S_IFDIR: b"40000",
    stat.S_IFLNK: b"120000",
    stat.S_IFLNK | stat.S_IXUSR: b"120000",
    stat.S_IFREG: b"100644",
    stat.S_IFREG | stat.S_IXUSR: b"100755",
}
_USUAL_MASKS = (0o022, 0o002, 0o027, 0o007, 0o077)


def expected_objects(tree: Tree) -> int:
    """Return how many objects the new files of a walk make, if all of them are different."""
    files = 0
    changed = {b""}
    for folder, _, key in tree.pending:
        if not tree.is_beside_git(key):
            files += 1
            changed.add(folder.path)
    for folder in reversed(tree.folders):
        paths = [child.path for child in folder.folders.values()]
        if not changed.isdisjoint(paths):
            changed.add(folder.path)
    return files + len(changed) + _COMMITS


def write_trees(tree: Tree, objects: Objects) -> None:
    """Store the trees of all folders; a folder that holds nothing has none."""
    # A tree contains the ids of the trees below it, so the deepest come first.
    for folder in reversed(tree.folders):
        previous_tree = folder.previous.tree
        if previous_tree and folder.is_same and _has_same_trees(folder):
            folder.tree = previous_tree
        else:
            folder.tree = _write_tree(tree, folder, objects)


def _has_same_trees(folder: Folder) -> bool:
    return all(child.tree == child.previous.tree for child in folder.folders.values())


def _write_tree(tree: Tree, folder: Folder, objects: Objects) -> bytes:
    lines = []
    for name, mode, id_ in _entries(tree, folder):
        stored_name = _stored_name(name, mode)
        line = b"%b %b\0%b" % (_git_mode(mode), stored_name, id_)
        # Git sorts folders as if their names ended with a slash.
        slash = b"/" if mode == stat.S_IFDIR else b""
        lines.append((stored_name + slash, line))
    if folder.path and not lines:
        return b""
    lines.sort()
    return objects.add(b"tree", b"".join([line for _, line in lines]))


def _entries(tree: Tree, folder: Folder) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield name, mode and id of what a folder's tree holds."""
    for name, (key, blob) in folder.files.items():
        if tree.is_beside_git(key):
            continue
        yield name, key[MODE], blob
    for name, child in folder.folders.items():
        if child.tree:
            yield name, stat.S_IFDIR, child.tree


def _stored_name(name: bytes, mode: int) -> bytes:
    return names.stored(name, mode) if name[:4] in names.SUSPECT else name


def _git_mode(mode: int) -> bytes:
    return _GIT_MODES[stat.S_IFMT(mode) | mode & stat.S_IXUSR]


def commit(tree: Tree, objects: Objects) -> str:
    """Store the commit of a walk; return its id, which is the revision."""
    lines = "".join(map("{}\n".format, _lines(tree)))
    root = tree.folders[0].tree.hex()
    data = commit_data(root, (), 0, f"{SUBJECT}\n\n{lines}")
    return objects.add(b"commit", data).hex()


def chain(
    tree: Tree, objects: Objects, *, tip: str, revision: str, message: str, now: int
) -> str:
    """Store the next commit of the branch; return its id."""
    parents = (tip, revision) if tip else (revision,)
    text = message.replace("\0", " ").encode("utf-8", "replace").decode()
    root = tree.folders[0].tree.hex()
    return objects.add(b"commit", commit_data(root, parents, now, f"{text}\n")).hex()


def commit_data(tree: str, parents: tuple[str, ...], time: int, message: str) -> bytes:
    """Return the content of a commit."""
    lines = [
        f"tree {tree}",
        *map("parent {}".format, parents),
        f"author {_AUTHOR} {time} +0000",
        f"committer {_AUTHOR} {time} +0000",
        "",
        message,
    ]
    return "\n".join(lines).encode()


def _lines(tree: Tree) -> Iterator[str]:
    """Yield the lines for `templates/checkout.sh`."""
    counts = _count_modes(tree)
    mask = _mask(counts)
    yield f"umask {mask:04o}"
    for folder in tree.folders:
        if folder.totals.has_suspects:
            yield from _moves(tree, folder)
    yield from _empty_folders(tree)
    yield from _large_files(tree)
    unusual = frozenset(mode for mode in counts if not _is_usual(mode, mask))
    # Most projects end here, without another pass over their files.
    if unusual:
        yield from _modes(tree, unusual)


def _empty_folders(tree: Tree) -> Iterator[str]:
    for folder in tree.folders[1:]:
        if not folder.tree and not folder.folders:
            yield f"dir {folder.mode:04o} {_escaped(folder.path[:-1])}"


def _modes(tree: Tree, unusual: frozenset[int]) -> Iterator[str]:
    """Yield the lines for files and folders whose mode the mask does not give them."""
    for mode, path in _files_with_modes(tree, unusual):
        yield f"mode {mode:04o} {_escaped(path)}"
    # A folder that nobody may write comes after all that lies in it.
    for folder in reversed(tree.folders[1:]):
        if stat.S_IFDIR | folder.mode in unusual:
            yield f"mode {folder.mode:04o} {_escaped(folder.path[:-1])}"


def _large_files(tree: Tree) -> Iterator[str]:
    """Yield a line for each file that is kept beside Git; its name has its mode."""
    for folder in tree.folders:
        if not tree.splits or folder.totals.largest < LARGE_BYTES:
            continue
        for name, (key, blob) in sorted(folder.files.items()):
            if tree.is_beside_git(key):
                path = _escaped(folder.path + name)
                yield f"file {name_of(blob, key[MODE])} {path}"


def _count_modes(tree: Tree) -> Counter[int]:
    """Return the number of files and folders with each mode."""
    counts: Counter[int] = Counter()
    for folder in tree.folders:
        for mode, count in folder.totals.modes.items():
            counts[mode] += count
    for folder in tree.folders[1:]:
        counts[stat.S_IFDIR | folder.mode] += 1
    # The permissions of a link mean nothing, and a checkout cannot set them.
    for mode in list(filter(stat.S_ISLNK, counts)):
        del counts[mode]
    return counts


def _moves(tree: Tree, folder: Folder) -> Iterator[str]:
    """Yield a line for each name that Git refuses and that is stored under another one."""
    suspects = [
        entry for entry in _entries(tree, folder) if entry[0][:4] in names.SUSPECT
    ]
    for name, mode, _ in sorted(suspects):
        stored_name = names.stored(name, mode)
        if stored_name != name:
            yield f"move {stored_name.decode()} {_escaped(folder.path + name)}"


def _files_with_modes(tree: Tree, modes: frozenset[int]) -> list[tuple[int, bytes]]:
    """Return permissions and paths of the files with one of these modes, sorted."""
    files = []
    for folder in tree.folders:
        if modes.isdisjoint(folder.totals.modes):
            continue
        for name, (key, _) in folder.files.items():
            if key[MODE] in modes:
                files.append((stat.S_IMODE(key[MODE]), folder.path + name))
    return sorted(files)


def _mask(counts: Counter[int]) -> int:
    """Return the umask that gives the most entries their mode."""
    masks = dict.fromkeys((*_USUAL_MASKS, *_masks_of(counts)))
    return max(masks, key=lambda mask: _count_usual(counts, mask))


def _masks_of(modes: Iterable[int]) -> list[int]:
    """Return the umasks under which files of these modes were made, sorted."""
    masks = []
    for mode in modes:
        mask = ~mode & _created_mode(mode)
        # Under a umask that forbids the owner anything, a checkout could not work.
        if not mask & stat.S_IRWXU:
            masks.append(mask)
    return sorted(masks)


def _count_usual(counts: Counter[int], mask: int) -> int:
    return sum(count for mode, count in counts.items() if _is_usual(mode, mask))


def _is_usual(mode: int, mask: int) -> bool:
    """Return whether a checkout under `mask` gives an entry its mode."""
    return stat.S_IMODE(mode) == _created_mode(mode) & ~mask


def _created_mode(mode: int) -> int:
    """Return the permissions that a program asks for when it creates such an entry."""
    is_executable = mode & stat.S_IXUSR or stat.S_ISDIR(mode)
    return 0o777 if is_executable else 0o666


def _escaped(path: bytes) -> str:
    # Latin-1 decodes each byte to the character of the same number.
    return path.decode("latin-1").translate(_ESCAPES)
