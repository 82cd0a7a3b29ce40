"""Files and programs of this machine in which its drivers describe the GPUs."""

import os
import shutil
import subprocess
from pathlib import Path

from riseml.dataclass import dataclass

# WSL2 keeps the programs of Windows' driver there, and ROCm its own in /opt.
_PROGRAM_FOLDERS = ("usr/bin", "usr/lib/wsl/lib", "opt/rocm/bin")
# A card that hangs lets these programs hang, too.
_LIMIT_SECONDS = 20.0


class DriverError(Exception):
    """A driver or one of its programs does not answer as it should."""


@dataclass(frozen=True)
class System:
    """The folder that is the root of the files, and the PATH that finds programs."""

    root: Path = Path("/")
    path: str = ""

    def exists(self, *names: str) -> bool:
        """Return whether one of these files or folders exists."""
        return any((self.root / name).exists() for name in names)

    def read(self, name: str | Path) -> str:
        """Return the text of a file without blanks around it; "" if it cannot be read."""
        try:
            return (self.root / name).read_text("utf-8", "replace").strip()
        except OSError:
            return ""

    def entries(self, name: str | Path) -> list[Path]:
        """Return what is in a folder, in order; nothing if it cannot be read."""
        try:
            return sorted((self.root / name).iterdir())
        except OSError:
            return []

    def program(self, name: str) -> str | None:
        """Return the path of a driver's program."""
        folders = [str(self.root / folder) for folder in _PROGRAM_FOLDERS]
        return shutil.which(name, path=os.pathsep.join([self.path, *folders]))

    def output(self, name: str, *arguments: str) -> str:
        """Return what a driver's program prints.

        Raises:
            DriverError: it is not there, fails, or does not end.
        """
        program = self.program(name)
        if program is None:
            raise DriverError(f"{name} is not installed")
        try:
            result = subprocess.run(
                [program, *arguments],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=_LIMIT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DriverError(
                f"{name} did not end within {_LIMIT_SECONDS:g} seconds"
            ) from None
        except OSError as error:
            raise DriverError(f"{name}: {error.strerror}") from None
        text = result.stdout.decode(errors="replace")
        if result.returncode != 0:
            reason = (text + result.stderr.decode(errors="replace")).strip()
            first_line = reason.partition("\n")[0]
            raise DriverError(f"{name}: {first_line or 'it failed'}")
        return text


def pci_address(text: str) -> str:
    """Return a PCI address such as `0000:65:00.0`; NVIDIA writes longer domains."""
    domain, colon, rest = text.strip().lower().partition(":")
    if not colon:
        return ""
    return f"{domain[-4:]:0>4}:{rest}"
