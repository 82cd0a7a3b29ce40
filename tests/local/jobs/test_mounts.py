"""Private mounts of jobs, with and without root's rights."""

import errno
import marshal
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from riseml.engines.local.jobs import mount_calls, mounts

NOBODY = 65534
# The system's own tool shows whether the machine allows mounts.
UNSHARE = ["unshare", "--user", "--mount"]
# As root, another user tests mounts in a user namespace as well.
USERS = [None, NOBODY] if os.geteuid() == 0 else [None]


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user may read, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="riseml-mounts "))
    folder.chmod(0o777)
    for name in ("code", "data", "output", "job"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    (folder / "code" / "train.py").write_text("print()")
    (folder / "data" / "file").write_text("kept")
    (folder / "data" / "file").chmod(0o666)
    yield folder
    shutil.rmtree(folder)


def inside(act: Callable[[], Any], user: int | None, directory: Path) -> Any:
    """Return what `act` returns in a child, with this user and directory.

    If it raises an OSError, return its number and text.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.chdir(directory)
            if user is not None:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
                # PR_SET_DUMPABLE: a change of user has cleared this flag.
                mount_calls.libc().prctl(4, 1, 0, 0, 0)
                mounts._probed.clear()
            try:
                result = act()
            except OSError as error:
                result = (error.errno, str(error))
            os.write(writer, marshal.dumps(result))
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        data = file.read()
    os.waitpid(pid, 0)
    return marshal.loads(data)


def names(folder: Path | str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def usual(place: Path) -> list[mounts.Mount]:
    return [
        (os.fsencode(place / "code"), b"/code", False),
        (os.fsencode(place / "data"), b"/data", True),
        (os.fsencode(place / "output"), b"/output", False),
    ]


def template(job_mounts: list[mounts.Mount], place: Path) -> tuple[int, ...]:
    return mounts.Templates().get(job_mounts, os.fsencode(place / "job"))


def refused(place: Path, user: int | None) -> bool:
    """Return whether this machine refuses mounts to this user; check `enter` then."""
    answer = inside(mounts.supported, user, place)
    if shutil.which("unshare"):
        tool = inside(
            lambda: (
                subprocess.run([*UNSHARE, "true"], stderr=-3, check=False).returncode
                == 0
            ),
            user,
            place,
        )
        assert answer == tool
    if not answer:
        code, text = inside(lambda: mounts.enter(usual(place)), user, place / "job")
        assert code in (
            errno.EPERM,
            errno.EACCES,
            errno.ENOSPC,
            errno.EINVAL,
            errno.ENOSYS,
        )
        assert text
    return not answer


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("ready", [False, True], ids=["built", "from a template"])
def test_a_job_sees_its_mounts_and_the_hosts_other_files(
    place: Path, user: int | None, ready: bool
) -> None:
    if refused(place, user):
        return

    def act() -> dict[str, Any]:
        hosts = {
            name: (os.lstat(f"/{name}").st_dev, os.lstat(f"/{name}").st_ino)
            for name in ("tmp", "home", "dev")
        }
        links = {
            str(path): str(path.readlink())
            for path in Path("/").iterdir()
            if path.is_symlink()
        }
        before = set(names("/"))
        mounts.enter(usual(place), template(usual(place), place) if ready else ())
        Path("/output/model").write_text("weights")
        Path("here").write_text("in the working directory")
        Path(place, "elsewhere").write_text("by its path")
        return {
            "user": (os.getuid(), os.geteuid(), os.getgid()),
            "code": names("/code"),
            "data": Path("/data/file").read_text(),
            "cwd": str(Path.cwd()),
            "new": sorted(set(names("/")) - before),
            "missing": sorted(before - set(names("/"))),
            "hosts": hosts
            == {
                name: (os.lstat(f"/{name}").st_dev, os.lstat(f"/{name}").st_ino)
                for name in hosts
            },
            "links": links == {path: str(Path(path).readlink()) for path in links},
            "proc": Path("/proc/self").readlink() == Path(str(os.getpid())),
            "dev": Path("/dev/null").read_bytes() == b"",
        }

    seen = inside(act, user, place / "job")
    uid, gid = (os.getuid(), os.getgid()) if user is None else (user, user)
    assert seen["user"] == (uid, uid, gid)
    assert seen["code"] == ["train.py"]
    assert seen["data"] == "kept"
    assert seen["cwd"] == str(place / "job")
    assert set(seen["new"]) <= {"code", "data", "output"}
    assert seen["missing"] == []
    assert seen["hosts"]
    assert seen["links"]
    assert seen["proc"]
    assert seen["dev"]
    assert (place / "output" / "model").read_text() == "weights"
    assert (place / "job" / "here").exists()
    assert (place / "elsewhere").exists()


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("ready", [False, True], ids=["built", "from a template"])
def test_data_and_mounts_below_it_are_read_only(
    place: Path, user: int | None, ready: bool
) -> None:
    if refused(place, user):
        return

    def act() -> list[int | None]:
        mounts.enter(usual(place), template(usual(place), place) if ready else ())
        codes: list[int | None] = []
        for path in ("/data/new", "/data/file"):
            try:
                Path(path).write_text("changed")
                codes.append(None)
            except OSError as error:
                codes.append(error.errno)
        return codes

    assert inside(act, user, place / "job") == [errno.EROFS, errno.EROFS]
    assert (place / "data" / "file").read_text() == "kept"


@pytest.mark.parametrize("user", USERS)
def test_mounts_below_a_source_appear_and_are_read_only(
    place: Path, user: int | None
) -> None:
    if refused(place, user):
        return

    def act() -> Any:
        below: list[mounts.Mount] = [
            (b"/dev", b"/data", True)
        ]  # has submounts nearly everywhere
        submounts = [place for place in mounts._below(b"/dev") if place != b"/dev"]
        mounts.enter(below)
        seen = mounts._below(b"/data")
        return [
            len(submounts) + 1 == len(seen),
            all(os.statvfs(place).f_flag & os.ST_RDONLY for place in seen),
        ]

    assert inside(act, user, place / "job") == [True, True]


@pytest.mark.parametrize("user", USERS)
def test_a_kernel_without_mount_setattr_protects_mounts_one_by_one(
    place: Path, user: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if refused(place, user):
        return
    monkeypatch.setattr(mounts, "_SYS_MOUNT_SETATTR", 100_000)

    def act() -> Any:
        mounts.enter([(b"/dev", b"/data", True), *usual(place)[2:]])
        return all(
            os.statvfs(place).f_flag & os.ST_RDONLY for place in mounts._below(b"/data")
        )

    assert inside(act, user, place / "job")


def test_nothing_leaks_to_the_host(place: Path) -> None:
    before = [Path(target).exists() for target in ("/code", "/data", "/output")]
    if refused(place, None):
        return
    inside(lambda: mounts.enter(usual(place)), None, place / "job")
    namespaces = template(usual(place), place)
    inside(lambda: mounts.enter(usual(place), namespaces), None, place / "job")
    for namespace in namespaces:
        os.close(namespace)
    table = Path("/proc/self/mountinfo").read_text()
    assert "riseml-mounts" not in table
    assert "riseml-old-root" not in table
    assert [Path(target).exists() for target in ("/code", "/data", "/output")] == before
    assert not Path(os.fsdecode(mounts._OLD_ROOT)).exists()


def test_a_working_directory_hidden_by_a_mount_stays_writable(
    place: Path,
) -> None:
    if refused(place, None):
        return
    top = Path("/", *place.parts[1:2])  # /tmp: where the job's own directory lies

    def act() -> Any:
        job_mounts: list[mounts.Mount] = [
            (os.fsencode(place / "data"), os.fsencode(top), True)
        ]
        mounts.enter(job_mounts, template(job_mounts, place))
        Path("status").write_text("0")
        return names(top)

    assert inside(act, None, place / "job") == ["file"]
    assert (place / "job" / "status").read_text() == "0"


def test_a_source_behind_links_that_targets_hide_is_mounted(
    place: Path,
) -> None:
    if refused(place, None):
        return
    top = Path("/", *place.parts[1:2])
    (place / "link").symlink_to(place / "data")

    def act() -> Any:
        job_mounts: list[mounts.Mount] = [
            (os.fsencode(place / "link"), os.fsencode(top), False)
        ]
        mounts.enter(job_mounts, template(job_mounts, place))
        return names(top)

    assert inside(act, None, place / "job") == ["file"]


def test_a_target_may_be_below_another_folder(place: Path) -> None:
    if refused(place, None):
        return
    (place / "data" / "cache").mkdir()
    (place / "here").mkdir()

    def act() -> Any:
        mounts.enter(
            [
                (os.fsencode(place / "output"), b"/data/cache", False),
                (os.fsencode(place / "data"), b"/data", True),
                (os.fsencode(place / "code"), b"/scratch/of/mine", False),
                (os.fsencode(place / "code"), os.fsencode(place / "here"), False),
                (os.fsencode(place / "code" / "train.py"), b"/single", False),
            ]
        )
        Path("/data/cache/written").write_text("")
        entries = names(place / "here")
        return [
            names("/scratch/of/mine"),
            entries,
            Path("/single").read_text(),
            names("/data"),
        ]

    assert inside(act, None, place / "job") == [
        ["train.py"],
        ["train.py"],
        "print()",
        ["cache", "file"],
    ]
    assert (place / "output" / "written").exists()
    assert not Path("/scratch").exists()


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        (b"/no/such/source", b"/code", errno.ENOENT),
        (b"/tmp", b"/usr/no/such/place", errno.ENOENT),
        (b"/tmp", b"/", errno.EINVAL),
        (b"/tmp", b"code", errno.EINVAL),
    ],
)
@pytest.mark.parametrize("ready", [False, True], ids=["built", "from a template"])
def test_a_mount_that_fails_raises_an_error_with_the_path(
    place: Path, source: bytes, target: bytes, code: int, ready: bool
) -> None:
    if refused(place, None):
        return
    job_mounts: list[mounts.Mount] = [(source, target, False)]

    def act() -> Any:
        return mounts.enter(job_mounts, template(job_mounts, place) if ready else ())

    answer = inside(act, None, place / "job")
    assert answer[0] == code
    assert (
        os.fsdecode(source if code == errno.ENOENT and target == b"/code" else target)
        in answer[1]
    )
    assert not Path("/usr/no").exists()


def test_a_template_is_made_again_when_the_root_changes(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if refused(place, None):
        return
    made = []

    def template(targets: frozenset[bytes], scratch: bytes) -> tuple[int, ...]:
        made.append(targets)
        return ()

    monkeypatch.setattr(mounts, "_template", template)
    templates = mounts.Templates()
    for _ in range(3):
        templates.get(usual(place), b"/")
    assert len(made) == 1
    templates._root_time -= 1
    templates.get(usual(place), b"/")
    assert len(made) == 2


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_have_no_mounts(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "_probed", [])
    monkeypatch.setattr("sys.platform", system)
    assert mounts.supported() is False


def test_a_refused_probe_means_no_mounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "_probed", [])
    # No kind of namespace has this number.
    monkeypatch.setattr(mounts, "CLONE_NEWNS", -1)
    assert mounts.supported() is False
    assert subprocess.run(["true"], check=True).returncode == 0
