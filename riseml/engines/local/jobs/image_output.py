"""What podman and docker write about pulls and builds, as the log of a build shows it.

Copying blob 5ef36ae1 [==>---] 12MiB / 48MiB      12 MB of 50 MB, 1 of 5 layers
STEP 3/5: RUN ["sh", …, "pip install torch"]      ==> pip install torch
#8 3.171 Collecting torch                         Collecting torch
"""

import re

PULLING = "==> pulling"
"""The line about a pull begins like that, followed by the name of the image."""

_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "ki": 1024, "mi": 1024**2, "gi": 1024**3}
_AMOUNT = r"([\d.]+) ?([kKMG]?i?)[bB]"
_LAYER = re.compile(
    r"Copying blob (?:sha256:)?([0-9a-f]{10})|([0-9a-f]{10})[0-9a-f]{2}: "
)
_BYTES = re.compile(rf"{_AMOUNT} ?/ ?{_AMOUNT}")
_COMPLETE = re.compile(r"\b(done|Pull complete|Already exists|skipped)\b")
_TERMINAL_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_BYTES_PER_MB = 1e6

_RUN = re.compile(r"(?:#\d+ \[(?:\S+ )?\d+/\d+\]|(?i:step) \d+/\d+ ?:) RUN (?P<run>.*)")
_REUSED = re.compile(r" *-+> Using cache|#\d+ CACHED$")
_TIMED = re.compile(r"#\d+ \d+\.\d+ (?P<line>.*)")
_WRITING = re.compile(r"COMMIT |#\d+ exporting layers$")
_FRAME = re.compile(
    r"#\d+ |(?i:step) \d+/\d+ ?:| *-+> |COMMIT |Success|Removing |Sending build context"
    r"|[0-9a-f]{64}$|sha256:[0-9a-f]{64}$|DEPRECATED|\s*Install the buildx"
)
# What is said about a failed step in other words.
_FAILED = re.compile(
    r"(?i:error: building at step)|ERROR: failed to (?:solve|build)|The command '"
)
_STATUSES = (
    re.compile(r"exit status (\d+)"),
    re.compile(r"exit code: (\d+)"),
    re.compile(r"non-zero code: (\d+)"),
)


class PullOutput:
    """Lines of a pull, as far as it is; `feed` takes what the program writes.

    `complaint` is its last line, which says why a pull has failed.
    """

    def __init__(self) -> None:
        self.complaint = ""
        self._layers: dict[str, tuple[float, float]] = {}
        self._complete: set[str] = set()

    def feed(self, line: str) -> None:
        """Read a line."""
        text = _TERMINAL_CODE.sub("", line).strip()
        if not text:
            return
        self.complaint = text
        layer = _LAYER.match(text)
        if layer is None:
            return
        name = layer[1] or layer[2]
        amount = _BYTES.search(text)
        if amount:
            current = _bytes(amount[1], amount[2])
            self._layers[name] = (current, _bytes(amount[3], amount[4]))
        elif _COMPLETE.search(text):
            self._complete.add(name)
        self._layers.setdefault(name, (0.0, 0.0))

    def describe(self) -> str:
        """Return how far the pull is, empty before its first layer."""
        if not self._layers:
            return ""
        current = total = 0.0
        for name, (done, size) in self._layers.items():
            current += size if name in self._complete else done
            total += size
        layers = f"{len(self._complete)} of {len(self._layers)} layers"
        if not total:
            return layers
        amount = f"{current / _BYTES_PER_MB:.0f} MB of {total / _BYTES_PER_MB:.0f} MB"
        return f"{amount}, {layers}"


class BuildOutput:
    """Lines of a build, given the install steps in their order."""

    def __init__(self, steps: list[str]) -> None:
        self.complaint = ""
        self.status = 1
        self._steps = steps
        self._instructions: list[str] = []

    @property
    def step(self) -> str:
        """The step that runs, empty before the first."""
        number = min(len(self._instructions), len(self._steps))
        return self._steps[number - 1] if number else ""

    def rewrite(self, line: str) -> str | None:
        """Return what the log shows of a line, None if that is nothing."""
        text = _TERMINAL_CODE.sub("", line).rstrip()
        run = _RUN.match(text)
        if run:
            return self._begin(run["run"])
        if _REUSED.match(text):
            return "    (done before; its result is reused)" if self.step else None
        timed = _TIMED.match(text)
        if timed:
            return timed["line"]
        if _WRITING.match(text):
            return "the image is being written"
        if not text or _FRAME.match(text):
            return None
        self._remember(text)
        return None if _FAILED.match(text) else text

    def _begin(self, instruction: str) -> str | None:
        # BuildKit repeats an instruction when several run at once.
        if instruction in self._instructions[-1:]:
            return None
        self._instructions.append(instruction)
        is_step = len(self._instructions) <= len(self._steps)
        return f"==> {self.step}" if is_step else None

    def _remember(self, text: str) -> None:
        self.complaint = text
        for pattern in _STATUSES:
            match = pattern.search(text)
            if match:
                self.status = int(match[1])


def _bytes(number: str, unit: str) -> float:
    return float(number) * _UNITS[unit.lower()]
