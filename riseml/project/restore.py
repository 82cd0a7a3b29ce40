"""Checkout of a revision into a folder."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from riseml import templating
from riseml.errors import HomeError, ProjectError
from riseml.project import AnyPath, progress

# With these, Git reports its progress at once.
_PROGRESS = {"RISEML_VERBOSE": "1", "GIT_PROGRESS_DELAY": "0"}
_FILES = re.compile(r"files: +\d+% \((\d+)/(\d+)\)")


def restore(repository: AnyPath, revision: str, folder: AnyPath, *, link: bool) -> None:
    """Check a revision out; see `riseml.project.checkout`."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "REPOSITORY": os.path.abspath(repository),
        "REVISION": revision,
        "CODE_DIR": os.path.abspath(folder),
    }
    if link:
        environment["RISEML_LINK"] = "1"
    if progress.is_heard():
        environment.update(_PROGRESS)
    script = os.path.join(templating.folder(), "checkout.sh")
    # A run on one machine may be submitted without it, and it takes 5 ms to load.
    import subprocess  # noqa: PLC0415

    with subprocess.Popen(
        ["sh", script],
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        messages = _messages(process.stderr or ())
    if process.returncode:
        raise HomeError(
            f"cannot check out {revision} of {os.fspath(repository)}: {messages.strip()}",
            "Git must be installed, and the folder must be empty and writable.",
        )


def share(repository: AnyPath, revision: str, folder: AnyPath, base: AnyPath) -> bool:
    """Check a revision out with links to files of `base`; return whether it worked.

    Otherwise the folder is as it was.
    """
    # Many checkouts have no base.
    from riseml.project import linked_checkout  # noqa: PLC0415

    target = Path(os.path.abspath(folder))
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        return False
    try:
        linked_checkout.restore(
            Path(os.path.abspath(repository)), revision, target, Path(base)
        )
    except (ProjectError, OSError):
        # The script says what is wrong, unless it can do what links cannot.
        import shutil  # noqa: PLC0415

        for path in target.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        return False
    return True


def _messages(lines: Iterable[str]) -> str:
    """Return what a checkout writes, and report the progress in it."""
    messages = ""
    has_begun = False
    known = 0
    # Git ends its lines about progress with a carriage return, which ends a line here too.
    for line in lines:
        match = _FILES.search(line)
        if match is None:
            messages += line
            continue
        done, total = int(match[1]), int(match[2])
        if not has_begun:
            has_begun = True
            progress.begin("check out", total)
        progress.advance(done - known)
        known = done
    return messages
