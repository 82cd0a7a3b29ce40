"""Shells of users in jobs: their words, and what their own files cannot change."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from riseml.engines.local.shell_words import interactive, user_shell

JOB = {
    "PATH": "/job/bin:/it's/bin:/usr/bin:/bin",
    "PYTHONPATH": "/riseml/lib",
    "CUDA_VISIBLE_DEVICES": "GPU-1",
}
_QUESTION = 'echo "<$PATH> <$PYTHONPATH> <$CUDA_VISIBLE_DEVICES>"'


def ask(words: tuple[str, ...], home: Path, additions: dict[str, str]) -> list[str]:
    """Return the lines of an interactive shell that reads commands from a pipe."""
    done = subprocess.run(
        words,
        env={**JOB, "HOME": str(home), "TERM": "dumb", **additions},
        input=f"{_QUESTION}\necho last\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_files_of_bash_do_not_change_the_jobs_variables(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if not bash:
        pytest.skip("bash is not installed")
    (tmp_path / ".bashrc").write_text(
        "export PATH=/users/bin:$PATH PYTHONPATH=/users CUDA_VISIBLE_DEVICES=0\n"
        "alias question='echo from an alias'\n"
    )
    words, additions = interactive(bash, JOB, tmp_path, "(14.train) ")
    assert words == (bash, "--rcfile", str(tmp_path / "bashrc"), "-i")
    lines = ask(words, tmp_path, dict(additions))
    own = JOB["PATH"]
    assert f"<{own}:/users/bin:{own}> </riseml/lib> <GPU-1>" in lines
    assert "PS1='(14.train) '${PS1-}" in (tmp_path / "bashrc").read_text()


def test_a_path_that_nothing_has_changed_stays(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if not bash:
        pytest.skip("bash is not installed")
    words, additions = interactive(bash, JOB, tmp_path, "")
    lines = ask(words, tmp_path, dict(additions))
    assert f"<{JOB['PATH']}> </riseml/lib> <GPU-1>" in lines


def test_zsh_reads_the_users_files_first(tmp_path: Path) -> None:
    job = {**JOB, "HOME": "/home/paul", "ZDOTDIR": "/home/paul/zsh files"}
    words, additions = interactive("/bin/zsh", job, tmp_path, "(14.train) ")
    assert (words, additions) == (("/bin/zsh", "-i"), {"ZDOTDIR": str(tmp_path)})
    environment = (tmp_path / ".zshenv").read_text().splitlines()
    assert environment == [
        "ZDOTDIR='/home/paul/zsh files'",
        '[[ ! -f $ZDOTDIR/.zshenv ]] || . "$ZDOTDIR/.zshenv"',
        f"ZDOTDIR={tmp_path}",
    ]
    lines = (tmp_path / ".zshrc").read_text().splitlines()
    assert lines[0] == "ZDOTDIR='/home/paul/zsh files'"
    assert lines[1] == '[[ ! -f $ZDOTDIR/.zshrc ]] || . "$ZDOTDIR/.zshrc"'
    assert "export CUDA_VISIBLE_DEVICES=GPU-1" in lines
    assert lines[-1] == "PROMPT='(14.train) '${PROMPT-}"


def test_fish_gets_the_jobs_variables_by_commands(tmp_path: Path) -> None:
    words, additions = interactive("/usr/bin/fish", JOB, tmp_path, "")
    assert additions == {}
    assert words[:3] == ("/usr/bin/fish", "-i", "-C")
    assert words[3].split("; ") == [
        "set -gx PATH /job/bin '/it'\"'\"'s/bin' /usr/bin /bin $PATH",
        "set -gx PYTHONPATH /riseml/lib",
        "set -gx CUDA_VISIBLE_DEVICES GPU-1",
    ]


def test_other_shells_get_a_prompt(tmp_path: Path) -> None:
    assert interactive("/bin/dash", JOB, tmp_path, "(14) ") == (
        ("/bin/dash", "-i"),
        {"PS1": "(14) $ "},
    )


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/zsh"])
def test_a_full_disk_leaves_the_shell_its_own_files(shell: str) -> None:
    words = interactive(shell, JOB, Path("/nowhere"), "")
    assert words == ((shell, "-i"), {})


def test_the_shell_is_that_of_the_environment_or_the_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert user_shell({"SHELL": "/bin/sh"}) == "/bin/sh"
    account = pwd.getpwuid(os.getuid())
    monkeypatch.setattr(pwd, "getpwuid", lambda _: account)
    expected = account.pw_shell if os.access(account.pw_shell, os.X_OK) else "/bin/sh"
    assert user_shell({"SHELL": "/no/such/shell"}) == expected

    def fail(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", fail)
    assert user_shell({}) == "/bin/sh"
