"""Virtual environments with real frameworks for tests, made once and then reused.

    python tests/frameworks/environments.py [tensorflow jax torch mpi mpich programs r horovod]

makes the named environments and prints their folders. Without names it makes all of
them except horovod, which takes minutes to compile. They are in
$RISEML_FRAMEWORKS_CACHE, by default in ~/.cache/riseml-frameworks. The name of a folder
depends on what it is made of, so a change in requirements/ makes a new one. If an
environment cannot be made, an error says why, and its folder is removed.
"""

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"
# Each must run in its environment before a test uses it.
TRIALS = {
    "tensorflow": "import tensorflow, tensorboard; tensorflow.distribute.ParameterServerStrategy",
    "jax": "import jax; jax.numpy.ones(2).sum()",
    "torch": "import torch.distributed as dist; assert dist.is_gloo_available()",
    "mpi": "from mpi4py import MPI; assert MPI.COMM_WORLD.size == 1",
    "programs": "import gymnasium, hydra, ipykernel, lightgbm, nbconvert, tensorboardX, torch",
    "r": "import subprocess; subprocess.check_call(['Rscript', '-e', 'stats::rnorm(1)'])",
    "mpich": "from mpi4py import MPI; assert MPI.COMM_WORLD.size == 1",
    "horovod": "import horovod.tensorflow as hvd; hvd.init(); assert hvd.mpi_built()",
}
USUAL = tuple(name for name in TRIALS if name != "horovod")
# Debian 12's PyTorch, and the last TensorFlow before Keras 3, need this version.
REQUIRED_PYTHON = {
    "programs": "3.11",
    "torch": "3.11",
    "horovod": "3.11",
}
# This environment has the packages of the other one as well.
EXTENDED = {"programs": "torch"}
# Lines of pip and apt-get.
DOWNLOAD = re.compile(
    r"(?:Downloading|Using cached) (\S+ \(.+\))|Need to get (.+) of archives"
)
# Horovod's setup.py reads them.
HOROVOD = {
    "HOROVOD_WITH_TENSORFLOW": "1",
    "HOROVOD_WITHOUT_PYTORCH": "1",
    "HOROVOD_WITHOUT_MXNET": "1",
    "HOROVOD_WITH_MPI": "1",
    "HOROVOD_WITHOUT_GLOO": "1",
    "MAKEFLAGS": f"-j{os.cpu_count()}",
}


class CannotMakeError(Exception):
    """Something that an environment needs is not available; the text says what."""


def prepare(name: str) -> Path:
    """Return the folder of an environment, and make it first if necessary.

    Other processes that need the same one wait.

    Raises:
        CannotMakeError: it could not be made, and its folder is removed.
    """
    python = _python(name)
    folder = _cache() / f"{name}-{_key(name, python)}"
    extended = prepare(EXTENDED[name]) if name in EXTENDED else None
    ready = folder / ".ready"
    if not ready.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # If this process is killed, the commands that it has started keep the lock.
            os.set_inheritable(lock.fileno(), True)
            if not ready.exists():
                _make_or_remove(name, python, folder, extended)
                ready.touch()
    return folder


def _make_or_remove(
    name: str, python: str, folder: Path, extended: Path | None
) -> None:
    # A process that was killed may have left it.
    if folder.exists():
        shutil.rmtree(folder)
    started = time.monotonic()
    _say(f"{name}: making {folder}")
    try:
        _make(name, python, folder, extended)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _say(f"{name}: made in {time.monotonic() - started:.0f} seconds")


def _make(name: str, python: str, folder: Path, extended: Path | None) -> None:
    _run(
        [python, "-m", "venv", str(folder)],
        "a virtual environment is needed (Debian: apt-get install python3-venv)",
    )
    if extended is not None:
        _extend(folder, extended)
    _install(
        folder, ["--only-binary", ":all:", "-r", str(REQUIREMENTS / f"{name}.txt")]
    )
    if packages := _listed(f"{name}.deb.txt"):
        root = _add_debian(folder, packages)
        if (root / "usr/lib/R").exists():
            _add_rscript(folder, root)
    for package in _listed(f"{name}.build.txt"):
        _need("g++", "make")
        _say(f"  compiling {package}")
        _install(
            folder,
            ["--no-cache-dir", "--no-build-isolation", "--no-binary", ":all:", package],
            **HOROVOD,
        )
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    _run(
        [str(folder / "bin" / "python"), "-c", TRIALS[name]],
        f"{name} has been installed, but does not work",
        PATH=path,
    )


def _extend(folder: Path, extended: Path) -> None:
    (modules,) = extended.glob("lib/python*/site-packages")
    lines = [str(modules)]
    for file in modules.glob("*.pth"):
        lines += file.read_text().splitlines()
    for site in folder.glob("lib/python*/site-packages"):
        (site / "extended.pth").write_text("\n".join(lines) + "\n")


def _add_rscript(folder: Path, root: Path) -> None:
    """Make an Rscript that finds its files in the unpacked packages instead of in /usr and /etc."""
    home = root / "usr/lib/R"
    for file in (home / "etc").iterdir():
        if file.is_symlink():
            file.unlink()
            file.symlink_to(root / "etc/R" / file.name)
    # Installing the package would copy it.
    shutil.copy(home / "etc/Renviron.ucf", root / "etc/R/Renviron")
    libraries = root / "usr/lib" / str(sysconfig.get_config_var("MULTIARCH"))
    paths = (home / "lib", libraries, libraries / "blas", libraries / "lapack")
    script = f"""#!/bin/sh
export R_HOME={shlex.quote(str(home))}
export LD_LIBRARY_PATH={shlex.quote(":".join(map(str, paths)))}
case $1 in
  -e) set -- -e "$2" ;;
  *) file=$1; shift; set -- --file="$file" --args "$@" ;;
esac
exec "$R_HOME/bin/exec/R" --no-echo --no-restore "$@"
"""
    program = folder / "bin" / "Rscript"
    program.write_text(script)
    program.chmod(0o755)


def _install(folder: Path, arguments: Sequence[str], **environment: str) -> None:
    pip = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--progress-bar",
        "off",
    ]
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    _run(
        [*pip, *arguments], "pip could not install everything", PATH=path, **environment
    )


def _add_debian(folder: Path, packages: Sequence[str]) -> Path:
    """Unpack packages, and missing dependencies, into the environment; return their folder.

    The system does not change.
    """
    _need("apt-get", "dpkg-deb")
    root = folder / "debian"
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        for subfolder in ("lists/partial", "cache/archives/partial"):
            Path(temporary, subfolder).mkdir(parents=True)
        apt = ["apt-get", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root"]
        apt += [
            "-o",
            f"Dir::State::lists={temporary}/lists",
            "-o",
            f"Dir::Cache={temporary}/cache",
        ]
        _say(f"  {' '.join(packages)} of Debian")
        _run([*apt, "update"], "apt-get could not read its lists")
        install = [
            "install",
            "--yes",
            "--no-install-recommends",
            "--download-only",
            *packages,
        ]
        _run([*apt, *install], f"only Debian 12 has {' '.join(packages)}")
        if not any(Path(temporary).glob("cache/archives/*.deb")):
            raise CannotMakeError(
                f"{' '.join(packages)} is already installed: remove it with apt-get, since the tests unpack their own"
            )
        for archive in sorted(Path(temporary).glob("cache/archives/*.deb")):
            _run(
                ["dpkg-deb", "--extract", str(archive), str(root)],
                f"{archive.name} cannot be unpacked",
            )
    shutil.rmtree(root / "usr" / "share", ignore_errors=True)
    libraries = root / "usr" / "lib" / str(sysconfig.get_config_var("MULTIARCH"))
    paths = ":".join(
        str(path)
        for path in (
            libraries.parent,
            libraries,
            libraries / "blas",
            libraries / "lapack",
        )
    )
    modules = root / "usr" / "lib" / "python3" / "dist-packages"
    for module in modules.glob("torch/*.so"):
        patch = [
            str(folder / "bin" / "patchelf"),
            "--force-rpath",
            "--set-rpath",
            paths,
            str(module),
        ]
        _run(patch, f"the path of its libraries cannot be set in {module}")
    for site in folder.glob("lib/python*/site-packages"):
        (site / "debian.pth").write_text(f"{modules}\n")
    return root


def _need(*tools: str) -> None:
    """Ensure that tools exist, and install the Debian packages of the same name as root."""
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        _run(["apt-get", "update"], "apt-get could not read its lists")
        _run(
            ["apt-get", "install", "--yes", "--no-install-recommends", *missing],
            "apt-get could not install it",
        )
        missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        raise CannotMakeError(
            f"{' and '.join(missing)} needed (Debian: apt-get install {' '.join(missing)})"
        )


def _run(command: Sequence[str], trouble: str, **environment: str) -> None:
    """Run a command and print what it downloads; an error contains the end of its output."""
    added = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", **environment}
    last: deque[str] = deque(maxlen=30)
    with subprocess.Popen(
        command,
        env={**os.environ, **added},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        close_fds=False,
    ) as process:
        for line in process.stdout or ():
            last.append(line)
            if match := DOWNLOAD.search(line):
                _say(f"  {match[1] or match[2]}")
    if process.returncode:
        raise CannotMakeError(f"{trouble}\n$ {shlex.join(command)}\n{''.join(last)}")


def _python(name: str) -> str:
    """Return the Python for an environment: this one, unless it needs another version."""
    version = REQUIRED_PYTHON.get(name)
    if version in {None, f"{sys.version_info[0]}.{sys.version_info[1]}"}:
        return sys.executable
    for path in (shutil.which(f"python{version}"), f"/usr/bin/python{version}"):
        if (
            path
            and subprocess.run(
                [path, "-c", ""], capture_output=True, check=False
            ).returncode
            == 0
        ):
            return path
    raise CannotMakeError(
        f"{name} needs Python {version} (Debian 12: apt-get install python{version}-venv)"
    )


def _key(name: str, python: str) -> str:
    identity = subprocess.run(
        [
            python,
            "-c",
            "import sys, sysconfig; print(sys.version, sysconfig.get_platform(), sys.base_prefix)",
        ],
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    parts = [
        identity,
        *(path.read_bytes() for path in sorted(REQUIREMENTS.glob(f"{name}.*txt"))),
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def _listed(name: str) -> list[str]:
    path = REQUIREMENTS / name
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if line and not line.startswith("#")]


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _cache() -> Path:
    usual = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "riseml-frameworks")
    return (
        Path(os.environ.get("RISEML_FRAMEWORKS_CACHE") or usual).expanduser().absolute()
    )


def main() -> int:
    names = sys.argv[1:] or USUAL
    if unknown := set(names) - set(TRIALS):
        _say(
            f"error: there is no environment '{unknown.pop()}'; there are {', '.join(TRIALS)}"
        )
        return 2
    for name in names:
        try:
            sys.stdout.write(f"{prepare(name)}\n")
        except CannotMakeError as error:
            _say(f"error: {name}: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
