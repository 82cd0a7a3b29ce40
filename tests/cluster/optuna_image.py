"""Image with pip and Optuna in the cluster's registry: `base:1` with the packages of this Python in one more layer.

The nodes reach no package index. So install steps find there that Optuna is installed already.
"""

import gzip
import hashlib
import io
import json
import sysconfig
import tarfile
import urllib.error
import urllib.request
from importlib.metadata import distribution
from typing import Any

from tests.cluster.installed import REGISTRY

IMAGE = f"{REGISTRY}/optuna:2"
_PACKAGES = (
    "alembic", "colorlog", "mako", "markupsafe", "numpy", "optuna", "packaging", "pip", "pyyaml", "sqlalchemy",
    "tqdm", "typing_extensions",
)  # fmt: skip
# Where the Python of `base:1` finds packages.
_FOLDER = "usr/local/lib/python3.11/dist-packages"
_PIP = b'#!/bin/sh\nPIP_BREAK_SYSTEM_PACKAGES=1 exec python3 -m pip "$@"\n'
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def ensure() -> str:
    """Push the image if the registry lacks it; return its name."""
    try:
        _request("GET", "optuna/manifests/2")
    except urllib.error.HTTPError:
        _push()
    return IMAGE


def _push() -> None:
    manifest = json.loads(_request("GET", "base/manifests/1"))
    config = json.loads(_request("GET", f"base/blobs/{manifest['config']['digest']}"))
    layers = []
    for layer in manifest["layers"]:
        layers.append(_upload(_request("GET", f"base/blobs/{layer['digest']}"), _LAYER))
    archive = _archive()
    config["rootfs"]["diff_ids"].append(_digest(archive))
    config.pop("history", None)
    layers.append(_upload(gzip.compress(archive, 1, mtime=0), _LAYER))
    data = json.dumps(config).encode()
    complete = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _upload(data, "application/vnd.docker.container.image.v1+json"),
        "layers": layers,
    }
    _request("PUT", "optuna/manifests/2", json.dumps(complete).encode(), _MANIFEST)


def _archive() -> bytes:
    stream = io.BytesIO()
    root = sysconfig.get_path("purelib")
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for package in _PACKAGES:
            for path in distribution(package).files or ():
                full_path = path.locate()
                if ".." not in str(path) and "__pycache__" not in str(path):
                    archive.add(str(full_path), f"{_FOLDER}/{path}")
        pip = tarfile.TarInfo("usr/local/bin/pip")
        pip.size, pip.mode = len(_PIP), 0o755
        archive.addfile(pip, io.BytesIO(_PIP))
    assert root
    return stream.getvalue()


def _upload(data: bytes, kind: str) -> dict[str, Any]:
    """Push a blob; return its descriptor."""
    digest = _digest(data)
    request = urllib.request.Request(
        f"http://{REGISTRY}/v2/optuna/blobs/uploads/", method="POST", data=b""
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        location = response.headers["Location"]
    if location.startswith("/"):
        location = f"http://{REGISTRY}{location}"
    separator = "&" if "?" in location else "?"
    _send(
        "PUT", f"{location}{separator}digest={digest}", data, "application/octet-stream"
    )
    return {"mediaType": kind, "size": len(data), "digest": digest}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _request(
    method: str, path: str, data: bytes | None = None, kind: str = ""
) -> bytes:
    return _send(method, f"http://{REGISTRY}/v2/{path}", data, kind)


def _send(method: str, url: str, data: bytes | None, kind: str) -> bytes:
    request = urllib.request.Request(url, method=method, data=data)
    request.add_header("Accept", _MANIFEST)
    if kind:
        request.add_header("Content-Type", kind)
    with urllib.request.urlopen(request, timeout=120) as response:
        body: bytes = response.read()
    return body
