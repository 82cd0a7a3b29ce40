"""Registry of images for tests, on a free port of this machine: Debian's package docker-registry."""

import json
import os
import socket
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAM = "docker-registry"
_START_SECONDS = 30.0


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Yield the address of a registry whose files are in a folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "registry.json"
    # YAML reads JSON.
    config.write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "error"},
                "storage": {"filesystem": {"rootdirectory": str(folder / "files")}},
                "http": {"addr": f"127.0.0.1:{port}"},
            }
        )
    )
    with subprocess.Popen([PROGRAM, "serve", str(config)]) as process:
        try:
            _await(port)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def push(settings: Mapping[str, str], image: str, target: str) -> None:
    """Push a copy of an image to a registry that speaks HTTP; podman's storage loses it.

    The copy differs in a label, so its content is nowhere else in the storage.
    """
    label = f"copy={uuid.uuid4().hex}"
    dockerfile = f"FROM {image}\n"
    _podman(settings, "build", "--label", label, "--tag", target, "-", stdin=dockerfile)
    _podman(settings, "push", "--tls-verify=false", "--quiet", target)
    forget(settings, target)


def forget(settings: Mapping[str, str], image: str) -> None:
    """Remove an image from podman's storage."""
    _podman(settings, "image", "rm", "--force", image)


def _podman(settings: Mapping[str, str], *words: str, stdin: str = "") -> None:
    subprocess.run(
        ["podman", *words],
        env={**os.environ, **settings},
        check=True,
        input=stdin,
        capture_output=True,
        text=True,
    )


def _await(port: int) -> None:
    limit = time.monotonic() + _START_SECONDS
    while True:
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/").close()
            return
        assert time.monotonic() < limit, "the registry does not answer"
        time.sleep(0.05)
