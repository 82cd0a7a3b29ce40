"""Repositories of a store: how Git works on file servers whose files belong to somebody else.

On an NFS export that maps root to nobody, or in a file share that has one owner, files
belong to another user than the one who has written them, and neither owner nor mode can
be changed.
"""

# Git refuses repositories of another owner. Only pods of the namespace can write to the store.
ANY_OWNER = (
    "export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'\n"
)
"""Beginning of a script that runs Git."""

# `git init` changes modes of files. `objects` comes last: a repository without it is made again.
INITIALIZE = r"""
if ! test -d "$1/objects"; then
  mkdir -p "$1/refs"
  printf '[core]\n\trepositoryformatversion = 0\n\tfilemode = false\n\tbare = true\n' > "$1/config"
  echo 'ref: refs/heads/master' > "$1/HEAD"
  mkdir -p "$1/objects"
fi
"""
"""Part of a script that makes the bare repository `$1`, unless it exists."""
