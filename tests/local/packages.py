"""Packages for tests of install steps, made without a package index."""

import zipfile
from pathlib import Path

# Installs `src` as a package that stays where it is; it needs no other package.
BACKEND = """
import os, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "mylib-0.1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("mylib.pth", os.path.abspath("src"))
        wheel.writestr("mylib-0.1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: mylib\\nVersion: 0.1\\n")
        wheel.writestr("mylib-0.1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("mylib-0.1.dist-info/RECORD", "")
    return name
"""
EDITABLE = {
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    '[project]\nname = "mylib"\nversion = "0.1"\n',
    "backend.py": BACKEND,
    "src/mylib/__init__.py": "V = 12\n",
    "src/mylib/extra.py": "E = 1\n",
}
"""Files of a project that `pip install -e .` installs."""


def wheel(folder: Path, name: str, version: str, requires: str = "") -> Path:
    """Write a wheel of a module whose `VERSION` is its version."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    dependency = f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        archive.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{dependency}",
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(
            f"{info}/RECORD",
            f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
        )
    return path
