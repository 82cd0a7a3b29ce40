"""Blocks of a page that are a riseml.yml, or a part of one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from riseml import config, planner
from riseml.errors import RiseMLError
from tests.documentation import pages
from tests.documentation.pages import Code

_TABLE = "lr,hidden\n0.1,16\n"


def all_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each riseml.yml on a page.

    A block with a key `project` or `train` is one. What it leaves out is added.
    """
    for code in pages.codes(text):
        if not isinstance(code, Code) or code.language != "yaml":
            continue
        block = "\n".join(code.lines) + "\n"
        if block.startswith(("project:", "train:")) or "\ntrain:" in block:
            yield code.line, block


def error_of(block: str, folder: Path) -> str:
    """Return what `riseml check` says against a riseml.yml, empty if nothing.

    A part of one is completed by what it does not show: project, image, run, resources.
    """
    try:
        planner.plan(config.load_text(_completed(block), folder=str(folder)).config)
    except RiseMLError as error:
        return str(error)
    return ""


def write_tables(block: str, folder: Path) -> None:
    """Write a table for each one that a riseml.yml names."""
    train: Any = yaml.safe_load(block).get("train") or {}
    parameters = train.get("parameters") or {}
    if isinstance(parameters, dict) and isinstance(parameters.get("file"), str):
        (folder / parameters["file"]).write_text(_TABLE, "utf-8")


def _completed(block: str) -> str:
    content = yaml.safe_load(block)
    if "project" in content and "run" in (content.get("train") or {}):
        return block
    train = content.setdefault("train", {})
    content.setdefault("project", "example")
    train.setdefault("run", "python train.py")
    train.setdefault("image", "python:3.12")
    return yaml.safe_dump(content, sort_keys=False)
