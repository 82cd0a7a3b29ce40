"""Job of a pod without its container: its folders, its environment, and its run script."""

import os
import subprocess
from pathlib import Path

from riseml.compiler import pod
from tests.unit.script_shells import SHELLS, start_session


class Job:
    """A job with its folders and environment."""

    def __init__(self, folder: Path) -> None:
        self.code, self.output, self.own = (
            folder / name for name in ("code", "output", "riseml")
        )
        for folder in (self.code, self.output, self.own):
            folder.mkdir()
        self.results = self.output / ".riseml/results.jsonl"
        self.log = self.output / ".riseml/logs/train.0.log"
        self.env = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("RISEML", "PYTHON"))
            },
            "OUTPUT_DIR": str(self.output),
            "RISEML_DIR": str(self.own),
            "RESULT_FILE": str(self.results),
            "RISEML_JOB": "train",
            "RISEML_ATTEMPT": "0",
            "RISEML_CONFIGURATION": "project: mnist\nrun: it's",
        }

    def start(
        self,
        *lines: str,
        shell: str | None = None,
        user: int | None = None,
        script: str | None = None,
    ) -> "subprocess.Popen[str]":
        """Start the lines in a shell; by default as a container does, preferably in bash.

        In a shell, another run script may be given.
        """
        if shell:
            script = script or pod.script()
            arguments = [script, "riseml", pod.functions(), *lines]
            command = [*SHELLS[shell], "-c", *arguments]
        else:
            command = ["sh", "-c", *pod.arguments(lines)]
        return start_session(command, self.env, self.code, user)

    def run(
        self,
        *lines: str,
        shell: str | None = None,
        user: int | None = None,
        script: str | None = None,
    ) -> tuple[int, str]:
        """Run the lines, and return the exit status and the output."""
        with self.start(*lines, shell=shell, user=user, script=script) as process:
            return process.wait(30), process.communicate()[0]


def without_note(output: str) -> str:
    """Remove what a shell without pipefail says about itself."""
    lines = output.splitlines(keepends=True)
    return "".join(line for line in lines if "riseml: sh has no pipefail" not in line)
