"""Experiments of a storm: each appends to a ledger when it begins and when it ends.

The ledger is the truth. It lies outside of the home, each line is one write, and no
experiment writes a line twice in the same attempt.

    <token> <run> <n> <attempt> begin
    <token> <run> <n> <attempt> <exit status>
"""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

_BEGIN = "begin"
# Every fifth experiment fails, and succeeds if there is a second attempt.
_FAILS = 5

HEAD = """\
project: storm
train:
  image: busybox
  resources: {{cpus: 0.01, mem: 16M}}
  parameters: {{n: {{range: {{min: 1, max: {count}, step: 1}}}}}}
"""
"""The beginning of a riseml.yml with `count` experiments, for `str.format`."""

_FILE = (
    HEAD
    + """\
  concurrency: {concurrency}
  retries: {retries}
  run: |
    say() {{ echo "{token} $RISEML_EXPERIMENT ${{RISEML_ATTEMPT:-0}} $1" >> {ledger}; }}
    say begin
    sleep 0.$(( {{{{n}}}} * {pace} % 5 ))
    echo '{{"value": {{{{n}}}}}}' >> "$RESULT_FILE"
    status=0
    [ $(( {{{{n}}}} % {fails} + ${{RISEML_ATTEMPT:-0}} )) -ne 0 ] || status=1
    say "$status"
    exit "$status"
"""
)


@dataclass(frozen=True)
class Family:
    """A set of experiments in a project folder of its own; `token` identifies it."""

    token: str
    count: int
    retries: int = 0
    concurrency: int = 4
    pace: int = 3

    @property
    def follows(self) -> bool:
        """Whether the user follows its output, and does not wait for it."""
        return self.pace % 2 == 0

    def write(self, folder: Path, ledger: Path) -> None:
        """Write its riseml.yml into a new folder."""
        folder.mkdir(parents=True)
        text = _FILE.format(
            token=self.token,
            count=self.count,
            concurrency=self.concurrency,
            retries=self.retries,
            pace=self.pace,
            fails=_FAILS,
            ledger=ledger,
        )
        (folder / "riseml.yml").write_text(text, encoding="utf-8")

    def status(self, n: int, attempt: int) -> int:
        """Return the exit status of one attempt."""
        return 1 if n % _FAILS == 0 and attempt == 0 else 0


@dataclass
class Traces:
    """What one experiment wrote: the attempts that began, and their exit statuses."""

    begun: list[int] = field(default_factory=list)
    ended: dict[int, int] = field(default_factory=dict)


class Ledger:
    """The file that experiments append to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    @property
    def begun(self) -> int:
        """The number of attempts that have begun."""
        return self.path.read_text("ascii").count(f" {_BEGIN}\n")

    def read(self) -> tuple[dict[str, Traces], dict[str, set[int]]]:
        """Return the traces by experiment id, and the runs of each token."""
        traces: dict[str, Traces] = defaultdict(Traces)
        runs: dict[str, set[int]] = defaultdict(set)
        for line in self.path.read_text("ascii").splitlines():
            token, experiment, attempt, event = line.split()
            runs[token].add(int(experiment.partition(".")[0]))
            if event == _BEGIN:
                traces[experiment].begun.append(int(attempt))
            else:
                traces[experiment].ended[int(attempt)] = int(event)
        return traces, runs
