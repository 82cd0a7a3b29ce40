"""The folders of a pod."""

from pathlib import Path

import pytest

from riseml.dataclass import replace
from riseml.engines.local.jobs.launcher import ProcessSpec, Step
from riseml.engines.local.jobs.pod import make_folders
from riseml.engines.local.jobs.pod_to_process import PreparedPod
from riseml.engines.local.jobs.workdir import Workdir
from riseml.gpus import Gpu


def _pod(folder: Path) -> PreparedPod:
    directory, kept = folder / "run" / "pod", folder / "output" / "workdir"
    work = directory / "overlay"
    workdir = Workdir(
        str(kept), str(kept), "workdir/", "", 1, work=str(work), lower=("/code",)
    )
    spec = ProcessSpec("key", str(directory), Step(("true",), {}, "/"))
    folders = (directory / "volumes", kept)
    return PreparedPod(spec, directory / "log", {}, folders, workdir=workdir)


def test_an_interrupted_start_is_repeated(tmp_path: Path) -> None:
    """The pod gets an unused work directory, and its working copy stays the first one."""
    pod = _pod(tmp_path)
    make_folders(pod, (Gpu("0", 0), Gpu("1", 1)), 0)
    (tmp_path / "run/pod/overlay/work").mkdir()
    make_folders(pod, (Gpu("0", 0),), 0)
    assert list((tmp_path / "run/pod/overlay").iterdir()) == []
    assert (tmp_path / "run/pod/gpus").read_text() == "0"
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["workdir"]


def test_an_earlier_attempt_is_set_aside(tmp_path: Path) -> None:
    pod = _pod(tmp_path)
    make_folders(pod, (), 0)
    (tmp_path / "output/workdir/model").touch()
    (tmp_path / "run/pod").rename(tmp_path / "run/ended")
    make_folders(pod, (), 1)
    assert (tmp_path / "output/workdir.1/model").exists()
    assert list((tmp_path / "output/workdir").iterdir()) == []


def test_a_shared_file_is_replaced_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A controller that dies while it writes leaves the file as it was."""
    shared = tmp_path / "containers" / "podman.json"
    make_folders(replace(_pod(tmp_path), files=((shared, "first"),)), (), 0)

    def die(_draft: Path, _file: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        make_folders(replace(_pod(tmp_path), files=((shared, "second"),)), (), 0)
    assert shared.read_text() == "first"
