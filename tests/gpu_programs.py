"""Program nvidia-smi for tests: it shows the use that files name.

<folder>/card        percent of time, and of memory traffic, of the card: `67 12`
<folder>/processes   lines `<pid> <percent of SM time> <percent of memory traffic>`
"""

from pathlib import Path

CARD = "GPU-00000000-0000-0000-0000-000000000000"
_PROGRAM = """\
#!/bin/sh
cd '{folder}'
case $1 in
  pmon)
    echo '# gpu         pid   type     sm    mem    enc    dec    command'
    while read -r pid sm mem; do echo "    0 $pid     C $sm $mem - - python"; done < processes
    ;;
  --query-gpu=*)
    read -r gpu mem < card
    echo "0, {card}, $gpu, $mem, {mig}"
    ;;
esac
"""


class FakeCard:
    """A card of NVIDIA's; `path` is the PATH with its program before other ones."""

    def __init__(self, folder: Path, path: str, mig: str = "[N/A]") -> None:
        self._folder = folder / "card"
        self._folder.mkdir()
        programs = folder / "programs"
        programs.mkdir()
        self.path = f"{programs}:{path}"
        text = _PROGRAM.format(folder=self._folder, card=CARD, mig=mig)
        (programs / "nvidia-smi").write_text(text)
        (programs / "nvidia-smi").chmod(0o755)
        self.set(0, 0)

    @property
    def processes(self) -> Path:
        """The file with the use of processes, to which programs append theirs."""
        return self._folder / "processes"

    def set(self, card: float, memory: float, **processes: str) -> None:
        """Set the use of the card, and of processes by `pid_<number>`."""
        (self._folder / "card").write_text(f"{card} {memory}\n")
        lines = [
            f"{name.removeprefix('pid_')} {use}\n" for name, use in processes.items()
        ]
        self.processes.write_text("".join(lines))
