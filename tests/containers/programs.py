"""podman and docker for tests: own settings and storage, and an image made on the spot.

    folder/
      image.tar  storage/  run/  containers.conf  storage.conf

`$RISEML_CONTAINERS_CACHE` names the folder, by default ~/.cache/riseml-containers.
"""

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.containers import image

_DIGEST = hashlib.sha256(Path(image.__file__).read_bytes()).hexdigest()[:12]
IMAGE = f"localhost/riseml-test:{_DIGEST}"
USER_IMAGE = f"localhost/riseml-test-user:{_DIGEST}"
"""The same image with the user 1000."""
_RUNTIME = Path(__file__).with_name("runtime")
_DRIVERS = ("overlay", "vfs")


def podman_settings() -> dict[str, str]:
    """Return the variables with which podman works here; its storage has the image.

    Raises:
        RuntimeError: podman runs no container here.
    """
    errors = ""
    with _locked_folder() as folder:
        for driver in _DRIVERS:
            settings = _settings(folder / driver, driver)
            errors = _prepare("podman", settings, folder)
            if not errors:
                return settings
    raise RuntimeError(errors)


def docker_settings() -> dict[str, str]:
    """Return the variables with which docker works here; its daemon has the image.

    Raises:
        RuntimeError: docker runs no container here.
    """
    with _locked_folder() as folder:
        errors = _prepare("docker", {}, folder)
    if errors:
        raise RuntimeError(errors)
    return {}


def list_left(program: str, settings: Mapping[str, str], label: str) -> list[str]:
    """Return the ids of all containers and networks with a label."""
    ids = []
    for words in (("ps", "--all"), ("network", "ls")):
        done = subprocess.run(
            [program, *words, "--quiet", "--filter", f"label={label}"],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=True,
        )
        ids += done.stdout.split()
    return ids


SETTINGS: Mapping[str, Callable[[], dict[str, str]]] = {
    "podman": podman_settings,
    "docker": docker_settings,
}
"""What prepares each program."""


@contextmanager
def _locked_folder() -> Iterator[Path]:
    """Make the folder if it is missing, and yield it while no other process prepares it."""
    usual = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "riseml-containers")
    folder = Path(os.environ.get("RISEML_CONTAINERS_CACHE") or usual).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _settings(folder: Path, driver: str) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    storage = folder / "storage.conf"
    _write(
        storage,
        f'[storage]\ndriver = "{driver}"\ngraphroot = "{folder}/storage"\n'
        f'runroot = "{folder}/run"\n',
    )
    engine = folder / "containers.conf"
    _write(
        engine,
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        f'runtime = "riseml-test"\ntmp_dir = "{folder}/tmp"\n'
        f'[engine.runtimes]\nriseml-test = ["{_RUNTIME}"]\n'
        f'[network]\nnetwork_config_dir = "{folder}/networks"\n',
    )
    return {
        "CONTAINERS_CONF": str(engine),
        "CONTAINERS_STORAGE_CONF": str(storage),
    }


def _write(file: Path, text: str) -> None:
    """Write a file that other processes read, unless it has this text already."""
    if file.exists() and file.read_text() == text:
        return
    draft = file.with_name(f"{file.name}.draft")
    draft.write_text(text)
    draft.replace(file)


def _prepare(program: str, settings: Mapping[str, str], folder: Path) -> str:
    """Make the image if it is missing, and run it; return the errors, empty if it works."""
    if _call(program, settings, "image", "inspect", USER_IMAGE):
        archive = folder / "image.tar"
        image.write(archive)
        errors = _call(program, settings, "import", str(archive), IMAGE)
        user = ("import", "--change", "USER 1000", str(archive), USER_IMAGE)
        errors = errors or _call(program, settings, *user)
        archive.unlink()
        if errors:
            return errors
    words = ("run", "--rm", "--network", "none", IMAGE, "python3", "-c", "import json")
    return _call(program, settings, *words)


def _call(program: str, settings: Mapping[str, str], *words: str) -> str:
    done = subprocess.run(
        [program, *words],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.stderr.strip() or "it failed" if done.returncode else ""
