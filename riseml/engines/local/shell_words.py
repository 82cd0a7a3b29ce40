"""Command lines of the user's shell in a job, whose variables survive the shell's own files.

Files such as ~/.bashrc put directories before the job's in PATH. So a file of RiseML
reads them first, and then puts the job's back.
"""

import os
import pwd
import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_KEPT = ("PYTHONPATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "VIRTUAL_ENV")
_OWN_SHELL = "/bin/sh"


def user_shell(environment: Mapping[str, str]) -> str:
    """Return the path of the user's shell: SHELL, else that of the account, else /bin/sh."""
    account = ""
    with suppress(KeyError):
        account = pwd.getpwuid(os.getuid()).pw_shell
    for shell in (environment.get("SHELL", ""), account):
        if os.access(shell, os.X_OK):
            return shell
    return _OWN_SHELL


def interactive(
    shell: str, environment: Mapping[str, str], folder: Path, prompt: str
) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Return the words of an interactive shell, and what it adds to its environment.

    `environment` is that of the job, `prompt` stands before the user's own, and `folder`
    receives the file that the shell reads.
    """
    name = Path(shell).name
    text = _assignments(environment)
    try:
        if name == "bash":
            file = folder / "bashrc"
            file.write_text(_BASH.format(text=text, prompt=shlex.quote(prompt)))
            return (shell, "--rcfile", str(file), "-i"), {}
        if name == "zsh":
            return (shell, "-i"), _zsh(environment, folder, text, prompt)
    except OSError:
        # The disk is full: the shell reads its own files alone.
        return (shell, "-i"), {}
    if name == "fish":
        return (shell, "-i", "-C", _fish(environment)), {}
    return (shell, "-i"), {"PS1": f"{prompt}$ "}


# A file of all users is read before by bash itself.
_BASH = """\
[ ! -f ~/.bashrc ] || . ~/.bashrc
{text}PS1={prompt}${{PS1-}}
"""
_ZSH = """\
ZDOTDIR={folder}
[[ ! -f $ZDOTDIR/{name} ]] || . "$ZDOTDIR/{name}"
"""


def _zsh(
    environment: Mapping[str, str], folder: Path, text: str, prompt: str
) -> dict[str, str]:
    """Write the files of zsh, which all lie in one folder; return the variable that names it."""
    home = environment.get("HOME") or str(Path.home())
    users = environment.get("ZDOTDIR") or home
    quoted_folder = shlex.quote(str(folder))
    for name in (".zshenv", ".zshrc"):
        lines = _ZSH.format(folder=shlex.quote(users), name=name)
        if name == ".zshrc":
            lines += f"{text}PROMPT={shlex.quote(prompt)}${{PROMPT-}}\n"
        else:
            lines += f"ZDOTDIR={quoted_folder}\n"
        (folder / name).write_text(lines)
    return {"ZDOTDIR": str(folder)}


def _assignments(environment: Mapping[str, str]) -> str:
    """Return lines of a POSIX shell that restore the job's variables."""
    path = shlex.quote(environment.get("PATH", ""))
    lines = [f'[ "$PATH" = {path} ] || export PATH={path}:$PATH\n']
    for name in _KEPT:
        if name in environment:
            lines.append(f"export {name}={shlex.quote(environment[name])}\n")
    return "".join(lines)


def _fish(environment: Mapping[str, str]) -> str:
    words = " ".join(map(shlex.quote, environment.get("PATH", "").split(":")))
    # fish removes no duplicates from a list, but they do no harm.
    commands = [f"set -gx PATH {words} $PATH"]
    for name in _KEPT:
        if name in environment:
            commands.append(f"set -gx {name} {shlex.quote(environment[name])}")
    return "; ".join(commands)
