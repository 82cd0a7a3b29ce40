"""Script that checks out a revision, in a pod or on a laptop."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from riseml import templating
from riseml.errors import HomeError
from riseml.project import checkout, snapshot
from tests.folders import git, listing, write

SHELLS = [
    shell
    for shell in ("sh", "dash", "bash --posix", "busybox sh")
    if shutil.which(shell.split()[0])
]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store.git"


def run(
    store: Path,
    revision: str,
    code: Path,
    *,
    shell: str = "sh",
    after: str = "",
    **told: str,
) -> str:
    """Run the script as a pod's init container does; return its output and that of the next command."""
    environment = {
        "PATH": os.environ["PATH"],
        "REPOSITORY": str(store),
        "REVISION": revision,
        "CODE_DIR": str(code),
    }
    command = [
        *shell.split(),
        "-c",
        templating.read("checkout.sh") + after,
        "checkout",
        "first argument",
    ]
    done = subprocess.run(
        command,
        env={**environment, **told},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gives_the_same_checkout(
    tmp_path: Path, store: Path, shell: str
) -> None:
    folder = write(
        tmp_path / "project",
        {"a": "1", "lib/run.sh": "x", "lib/ odd\n-name\\ ": "y", "lib/.GIT/.Git": "z"},
    )
    (folder / "lib/\n").mkdir()
    (folder / "lib/run.sh").chmod(0o711)
    (folder / "lib/ odd\n-name\\ ").chmod(0o600)
    for number in range(450):
        write(folder, {f"lib/many/{number}": ""}).joinpath(f"lib/many/{number}").chmod(
            0o640
        )
        (folder / f"lib/empty/{number}").mkdir(parents=True)
    (folder / "lib").chmod(0o500)
    (folder / "-link").symlink_to("\\n")
    run(store, snapshot(folder, store).revision, tmp_path / "code", shell=shell)
    assert listing(tmp_path / "code") == listing(folder)


@pytest.mark.parametrize("shell", SHELLS)
def test_anyone_may_change_what_is_checked_out_for_a_pod(
    tmp_path: Path, store: Path, shell: str
) -> None:
    folder = write(tmp_path / "project", {"a": "1", "lib/run.sh": "x", "key": "y"})
    (folder / "lib/run.sh").chmod(0o755)
    (folder / "key").chmod(0o600)
    code = tmp_path / "code"
    revision = snapshot(folder, store).revision
    run(store, revision, code, shell=shell, RISEML_OPEN="1")
    modes = {}
    for path in ("a", "lib", "lib/run.sh", "key"):
        modes[path] = stat.S_IMODE((code / path).stat().st_mode)
    # A mode that the project's own umask does not explain stays.
    assert modes == {"a": 0o666, "lib": 0o777, "lib/run.sh": 0o777, "key": 0o600}


def test_the_script_does_not_affect_the_command_after_it(
    tmp_path: Path, store: Path
) -> None:
    folder = write(tmp_path / "project", {"a": "", "b/": ""})
    (folder / "a").chmod(0o600)
    revision = snapshot(folder, store).revision
    follows = '\necho "$#: $1, $(umask), $PWD"'
    wanted = subprocess.run(
        ["sh", "-c", follows, "checkout", "first argument"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run(store, revision, tmp_path / "code", after=follows) == wanted.stdout


def test_a_store_of_another_user_with_unusual_settings(
    tmp_path: Path, store: Path
) -> None:
    folder = write(
        tmp_path / "project",
        {"a": "x\n", "b/.gitattributes": "* text eol=crlf\n", "b/c": "y\n"},
    )
    revision = snapshot(folder, store).revision
    with (store / "config").open("a") as file:
        file.write(
            "[core]\n\tautocrlf = true\n\thooksPath = /tmp\n\tsparseCheckout = true\n\tworktree = /nowhere\n[broken\n"
        )
    (store / "info/attributes").unlink()
    if not os.geteuid():
        for path in (store, *store.rglob("*")):
            os.chown(path, 65534, 65534)
    for path in (store, *store.rglob("*")):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o555)
    try:
        told = {
            "HOME": str(tmp_path),
            "GIT_DIR": "/nowhere",
            "GIT_INDEX_FILE": "/nowhere",
            "GIT_CONFIG_PARAMETERS": "x",
        }
        run(store, revision, tmp_path / "code", **told)
    finally:
        for path in (store, *store.rglob("*")):
            path.chmod(0o755)
    assert listing(tmp_path / "code") == listing(folder)


def test_a_revision_pushed_to_another_store(tmp_path: Path, store: Path) -> None:
    folder = write(tmp_path / "project", {"a": "x", "b/": ""})
    revisions = [
        snapshot(folder, store).revision,
        snapshot(write(folder, {"a": "y"}), store).revision,
    ]
    git("init", "-q", "--bare", "far.git", at=tmp_path)
    for revision in revisions:
        git(
            "push",
            "-q",
            tmp_path / "far.git",
            f"{revision}:refs/riseml/{revision}",
            at=store,
        )
    run(tmp_path / "far.git", revisions[1], tmp_path / "code")
    assert listing(tmp_path / "code") == listing(folder)


def test_an_interrupted_checkout_is_repeated(tmp_path: Path, store: Path) -> None:
    folder = write(tmp_path / "project", {"a": "whole", "b/c": "d"})
    revision = snapshot(folder, store).revision
    code = write(
        tmp_path / "code",
        {
            "a": "wh",
            "b/c": "",
            ".git/riseml/": "",
            ".git/index.lock": "",
            ".git/HEAD": "",
        },
    )
    (code / "b").chmod(0o500)
    run(store, revision, tmp_path / "code")
    assert listing(tmp_path / "code") == listing(folder)


FAULTS = {
    "revision": ("does not contain " + "0" * 40, {"revision": "0" * 40}),
    "option": ("does not contain --batch", {"revision": "--batch"}),
    "store": ("there is no repository", {"repository": "nowhere"}),
    "working copy": ("is a Git working tree", {"folder": "project"}),
    "folder": ("cannot check out", {"folder": "file/code"}),
}


@pytest.mark.parametrize(("message", "changes"), FAULTS.values(), ids=FAULTS)
def test_errors_are_reported_and_change_nothing(
    tmp_path: Path, store: Path, message: str, changes: dict[str, str]
) -> None:
    project = write(tmp_path / "project", {"a": ""})
    git("init", "-q", at=project)
    before = listing(write(tmp_path, {"file": ""}) / "project")
    told = {
        "repository": "store.git",
        "revision": snapshot(project, store).revision,
        "folder": "code",
        **changes,
    }
    with pytest.raises(HomeError, match=message):
        checkout(
            tmp_path / told["repository"], told["revision"], tmp_path / told["folder"]
        )
    assert listing(project) == before


def test_without_git_the_advice_is_to_install_it(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = snapshot(write(tmp_path / "project", {"a": ""}), store).revision
    tools = write(tmp_path / "bin", {})
    tools.mkdir()
    for name in ("sh", "mkdir", "rm"):
        (tools / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(HomeError, match="git") as caught:
        checkout(store, revision, tmp_path / "code")
    assert "Git must be installed" in caught.value.advice
