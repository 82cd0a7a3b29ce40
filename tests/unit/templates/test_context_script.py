"""context.sh gives each install step a folder with its files; forget.sh removes the project's files from an image."""

import shutil
import subprocess
from pathlib import Path

import pytest

from riseml import templating
from tests.unit.script_shells import SHELLS, shells


def run(shell: str, script: str, folder: Path, *arguments: str, **env: str) -> None:
    subprocess.run(
        [*SHELLS[shell], "-ec", script, "context", *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **env},
        check=True,
    )


def files(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    )


@shells
def test_each_step_has_its_files_and_images_forget_them(
    shell: str, tmp_path: Path
) -> None:
    code, riseml, image = (tmp_path / name for name in ("code", "riseml", "image"))
    for name in ("a b.txt", "deps/base.txt", "src/mylib/x.py", "train.py"):
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text(name)
    (code / "link").symlink_to("train.py")
    arguments = ("1/a b.txt", "1/deps/base.txt", "3/.", "-3/deps/base.txt", "list")
    run(
        shell,
        templating.read("context.sh"),
        tmp_path,
        *arguments,
        CODE_DIR=str(code),
        RISEML_DIR=str(riseml),
    )
    context = riseml / "context"
    assert files(context / "1") == ["a b.txt", "deps/base.txt"]
    assert files(context / "3") == ["a b.txt", "link", "src/mylib/x.py", "train.py"]
    assert not code.exists()

    for step in ("1", "3"):
        shutil.copytree(context / step, image, symlinks=True, dirs_exist_ok=True)
    shutil.copy(context / "copied", image / ".riseml-copied")
    (image / "src/mylib.egg-info").mkdir()
    (image / "src/mylib.egg-info/PKG-INFO").write_text("made by a step")
    run(shell, templating.read("forget.sh"), image)
    assert files(image) == ["src/mylib.egg-info/PKG-INFO"]
    assert not (image / "src/mylib").exists()
