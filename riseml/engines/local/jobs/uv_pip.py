"""`pip install` in install steps, done by uv: `python -I -S bare.py uv_pip UV PROGRAM [ARGUMENT...]`.

    pip install X ──▶ uv pip install X ──failed──▶ python -m pip install X

uv sees only packages of the environment itself, so it would install a second torch. While
it runs, the environment has records of the user's packages, as if they were installed in
it. uv replaces a record when a step needs another version, as pip does.

pip itself does what uv does differently: other options and commands, and everything if
pip is configured, because uv would not read that.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain

_INSTALLER = "riseml"
_UV_OPTIONS = ("--compile-bytecode", "--index-strategy", "unsafe-best-match")
# Options that mean the same to both programs. `-U` does not: uv also upgrades dependencies.
_COMMON_OPTION = re.compile(
    r"-q+|-[rcefi].*|--(?:requirement|constraint|editable|index-url|extra-index-url|find-links)(?:=.*)?"
    r"|--(?:quiet|no-deps|no-build-isolation|no-cache-dir|no-index|pre)"
)
# Variables that change what pip prints, but not what it installs. That of files is read here.
_HARMLESS_VARIABLES = re.compile(
    r"PIP_(?:DISABLE_PIP_VERSION_CHECK|ROOT_USER_ACTION|NO_INPUT|PROGRESS_BAR|NO_COLOR|DEFAULT_TIMEOUT|TIMEOUT|CERT|CONFIG_FILE)"
)
# The same in files, where both programs can read the system's certificates.
_HARMLESS_LINE = re.compile(
    r"\s*(?:[#;].*|\[\w+\]|(?:cert|disable-pip-version-check|root-user-action|no-input|progress-bar)\s*=.*)?\s*"
)
_LIST = """
import importlib.metadata, json, os, re, sysconfig
own = {os.path.realpath(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
records = {}
for package in importlib.metadata.distributions():
    name = re.sub("[-_.]+", "_", package.metadata["Name"] or "").lower()
    files = {
        "METADATA": package.read_text("METADATA") or package.read_text("PKG-INFO"),
        "entry_points.txt": package.read_text("entry_points.txt"),
    }
    is_own = os.path.realpath(str(package.locate_file(""))) in own
    records.setdefault(name, "" if is_own else [package.version, files])
print(json.dumps([sysconfig.get_path("purelib"), records]))
"""


def main() -> None:
    """Run a program of an install step, `pip` or `uv`, with the arguments that follow its name."""
    uv, program, *arguments = sys.argv[1:]
    folder = os.environ["VIRTUAL_ENV"]
    python = os.path.join(folder, "bin", "python")
    if program == "uv":
        if arguments[:2] != ["pip", "install"]:
            os.execv(uv, [uv, *arguments])  # noqa: S606
        with visible_packages(python):
            sys.exit(subprocess.call([uv, *arguments]))
    if is_same_to_uv(arguments) and not is_configured(os.environ, folder):
        command = [uv, "pip", "install", "--no-config", "--python", python]
        with visible_packages(python):
            status = subprocess.call([*command, *_UV_OPTIONS, *arguments[1:]])
        if status == 0:
            return
        sys.stderr.write("riseml: uv cannot do this, so pip does it\n")
    os.execv(python, [python, "-m", "pip", *arguments])  # noqa: S606


def is_same_to_uv(arguments: Sequence[str]) -> bool:
    """Return whether arguments of pip mean the same to uv."""
    if arguments[:1] != ["install"]:
        return False
    options = [word for word in arguments if word.startswith("-")]
    return all(map(_COMMON_OPTION.fullmatch, options))


def is_configured(environ: Mapping[str, str], environment: str) -> bool:
    """Return whether the user has configured pip."""
    names = {name for name in environ if name.startswith("PIP_")}
    harmless = set(filter(_HARMLESS_VARIABLES.fullmatch, names))
    if names - harmless:
        return True
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        # pip then reads no file at all.
        return False
    home = os.path.expanduser("~")
    files = (
        named,
        os.path.join(
            environ.get("XDG_CONFIG_HOME", f"{home}/.config"), "pip", "pip.conf"
        ),
        os.path.join(home, ".pip", "pip.conf"),
        "/etc/pip.conf",
        "/etc/xdg/pip/pip.conf",
        os.path.join(environment, "pip.conf"),
    )
    lines = chain.from_iterable(map(_lines, files))
    return not all(map(_HARMLESS_LINE.fullmatch, lines))


def _lines(path: str) -> list[str]:
    """Return the lines of a file, none if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


@contextmanager
def visible_packages(python: str) -> Iterator[None]:
    """Record the packages that an environment includes from elsewhere as its own, for the time of the block."""
    listed = subprocess.run(
        [python, "-c", _LIST], stdout=subprocess.PIPE, text=True, check=True
    )
    purelib, records = json.loads(listed.stdout)
    folders = []
    for name, record in records.items():
        if name and record:
            version, files = record
            folder = os.path.join(purelib, f"{name}-{version}.dist-info")
            _write_record(folder, files)
            folders.append(folder)
    try:
        yield
    finally:
        for folder in folders:
            _remove_record(folder)


def _write_record(folder: str, files: Mapping[str, str | None]) -> None:
    name = os.path.basename(folder)
    os.mkdir(folder)
    texts = {file: text for file, text in files.items() if text}
    texts["INSTALLER"] = _INSTALLER
    texts["RECORD"] = "".join(f"{name}/{file},,\n" for file in (*texts, "RECORD"))
    for file, content in texts.items():
        with open(os.path.join(folder, file), "w", encoding="utf-8") as writer:
            writer.write(content)


def _remove_record(folder: str) -> None:
    """Remove a record unless uv has replaced it."""
    try:
        with open(os.path.join(folder, "INSTALLER"), encoding="utf-8") as reader:
            installer = reader.read()
    except OSError:
        return
    if installer == _INSTALLER:
        shutil.rmtree(folder)
