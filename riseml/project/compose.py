r"""From what a walk found to a commit: trees, and in the message what a tree cannot hold.

    tree …                          RiseML snapshot
    author RiseML … 0 +0000
                                    umask 0022                      gives most modes; the others follow
                                    move riseml~5c9f… src/.GIT      a name that Git refuses
                                    dir 0755 logs/empty             a folder without files
                                    mode 0600 secrets\0040old.txt   files, then folders, the deepest first

`templates/checkout.sh` undoes it; a path has its odd bytes as `printf %b` reads them. Nothing else goes into the
commit, so the same files always give the same revision. The branch is a chain of commits with two parents, the one
before and the snapshot, that keeps every revision from being collected and says when and for what it was taken.
"""

import stat
from collections import Counter
from collections.abc import Iterator

from riseml.project import names
from riseml.project.objects import Objects
from riseml.project.walk import MODE, Folder, Tree

_AUTHOR = "RiseML <riseml@localhost>"
_PLAIN = bytes(
    b
    for b in range(256)
    if chr(b).isascii() and (chr(b).isalnum() or chr(b) in "_-./+,@%=:~")
)
_USUAL_MASKS = (0o022, 0o002, 0o027, 0o007, 0o077)


def write_trees(tree: Tree, objects: Objects) -> None:
    """Store the trees of all folders; one that holds nothing gets none."""
    for folder in reversed(tree.folders):
        kept = folder.before[3]
        same = folder.is_same and all(
            child.tree == child.before[3] for child in folder.folders.values()
        )
        folder.tree = kept if same and kept else _write_tree(folder, objects)


def _write_tree(folder: Folder, objects: Objects) -> bytes:
    entries = [
        (_stored(name, key[MODE]), _git_mode(key[MODE]), blob)
        for name, (key, blob) in folder.files.items()
    ]
    entries += [
        (_stored(name, stat.S_IFDIR) + b"/", b"40000", child.tree)
        for name, child in folder.folders.items()
        if child.tree
    ]
    entries.sort()
    content = b"".join(
        [
            b"%b %b\0%b" % (mode, name.removesuffix(b"/"), child)
            for name, mode, child in entries
        ]
    )
    return objects.add(b"tree", content) if entries or not folder.path else b""


def _stored(name: bytes, mode: int) -> bytes:
    return names.stored(name, mode) if name[:4] in names.SUSPECT else name


def _git_mode(mode: int) -> bytes:
    if stat.S_ISLNK(mode):
        return b"120000"
    return b"100755" if mode & stat.S_IXUSR else b"100644"


def commit(tree: Tree, objects: Objects) -> str:
    """Store the commit of what was found; return its id, the revision."""
    text = "RiseML snapshot\n\n" + "".join(f"{line}\n" for line in _lines(tree))
    return objects.add(
        b"commit", commit_data(tree.folders[0].tree.hex(), (), 0, text)
    ).hex()


def chain(
    tree: Tree, objects: Objects, *, tip: str, revision: str, message: str, now: int
) -> str:
    """Store the branch's next commit; return its id."""
    parents = (tip, revision) if tip else (revision,)
    text = message.replace("\0", " ").encode("utf-8", "replace").decode()
    return objects.add(
        b"commit", commit_data(tree.folders[0].tree.hex(), parents, now, f"{text}\n")
    ).hex()


def commit_data(tree: str, parents: tuple[str, ...], time: int, message: str) -> bytes:
    """Return the content of a commit."""
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines += [f"{role} {_AUTHOR} {time} +0000" for role in ("author", "committer")]
    return "\n".join([*lines, "", message]).encode()


def _lines(tree: Tree) -> Iterator[str]:
    counts = Counter(
        [key[MODE] for folder in tree.folders for key, _ in folder.files.values()]
    )
    counts.update(stat.S_IFDIR | folder.mode for folder in tree.folders[1:])
    mask = _mask(counts)
    odd = {mode for mode in counts if not _is_usual(mode, mask)}
    yield f"umask {mask:04o}"
    for folder in tree.folders:
        yield from _moves(folder)
    empty = (
        folder for folder in tree.folders[1:] if not folder.tree and not folder.folders
    )
    yield from (
        f"dir {folder.mode:04o} {_escaped(folder.path[:-1])}" for folder in empty
    )
    if odd:
        yield from (
            f"mode {mode:04o} {_escaped(path)}" for mode, path in _odd_files(tree, odd)
        )
        folders = (
            folder
            for folder in reversed(tree.folders[1:])
            if stat.S_IFDIR | folder.mode in odd
        )
        yield from (
            f"mode {folder.mode:04o} {_escaped(folder.path[:-1])}" for folder in folders
        )


def _moves(folder: Folder) -> Iterator[str]:
    found = [
        (name, folder.files[name][0][MODE])
        for name in folder.files
        if name[:4] in names.SUSPECT
    ]
    found += [
        (name, stat.S_IFDIR)
        for name, child in folder.folders.items()
        if name[:4] in names.SUSPECT and child.tree
    ]
    for name, mode in sorted(found):
        if (stored := names.stored(name, mode)) != name:
            yield f"move {stored.decode()} {_escaped(folder.path + name)}"


def _odd_files(tree: Tree, odd: set[int]) -> list[tuple[int, bytes]]:
    """Return permissions and paths of the files whose mode is among the odd ones, equal permissions together."""
    found = (
        (key[MODE], f.path + name)
        for f in tree.folders
        for name, (key, _) in f.files.items()
        if key[MODE] in odd
    )
    return sorted((stat.S_IMODE(mode), path) for mode, path in found)


def _mask(counts: Counter[int]) -> int:
    """Return the umask that gives the most entries their mode."""
    found = (
        ~mode & (0o777 if mode & stat.S_IXUSR else 0o666)
        for mode in counts
        if not stat.S_ISLNK(mode)
    )
    masks = dict.fromkeys(
        (*_USUAL_MASKS, *sorted(mask for mask in found if not mask & stat.S_IRWXU))
    )
    return max(
        masks,
        key=lambda mask: sum(
            count for mode, count in counts.items() if _is_usual(mode, mask)
        ),
    )


def _is_usual(mode: int, mask: int) -> bool:
    """Return whether a checkout under `mask` gives an entry its mode."""
    made = 0o777 if mode & stat.S_IXUSR or stat.S_ISDIR(mode) else 0o666
    return stat.S_ISLNK(mode) or stat.S_IMODE(mode) == made & ~mask


def _escaped(path: bytes) -> str:
    if not path.translate(None, _PLAIN):
        return path.decode()
    return "".join(chr(byte) if byte in _PLAIN else f"\\0{byte:03o}" for byte in path)
