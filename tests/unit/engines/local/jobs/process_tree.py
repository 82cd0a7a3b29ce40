"""Tree of /proc for tests: processes with exact values."""

import os
from collections.abc import Mapping
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


class ProcessTree:
    """A folder like /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        (root / "uptime").write_text("1 1")

    def add(
        self,
        pid: int,
        parent: int,
        *,
        key: str | None = None,
        rss: int = 0,
        own_cpu: float = 0.0,
        child_cpu: float = 0.0,
        pss: int | None = None,
        io: tuple[int, int] | None = None,
    ) -> None:
        """Add a process, or replace it; `rss` is rounded to pages."""
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        fields = ["0"] * 50
        fields[0], fields[1] = "S", str(parent)
        fields[11], fields[13] = str(int(own_cpu * TICKS)), str(int(child_cpu * TICKS))
        fields[19], fields[21] = str(1000 + pid), str(rss // PAGE)
        (folder / "stat").write_text(f"{pid} (a (b) c) {' '.join(fields)}\n")
        variables = {"HOME": "/", **({} if key is None else {"RISEML_JOB_KEY": key})}
        self.set_environment(pid, variables)
        if pss is not None:
            text = f"0-1 ---p [rollup]\nRss: 1 kB\nPss: {pss // 1024} kB\n"
            (folder / "smaps_rollup").write_text(text)
        if io is not None:
            lines = f"rchar: 9\nread_bytes: {io[0]}\nwrite_bytes: {io[1]}\n"
            (folder / "io").write_text(lines)

    def set_environment(self, pid: int, variables: Mapping[str, str]) -> None:
        text = "".join(f"{name}={value}\0" for name, value in variables.items())
        (self.root / str(pid) / "environ").write_text(text)

    def remove(self, pid: int) -> None:
        folder = self.root / str(pid)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
