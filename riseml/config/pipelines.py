"""Warning about pipelines that hide a failure, where this machine's shell cannot prevent it."""

import re
from collections.abc import Iterable

from yaml.nodes import ScalarNode

from riseml.schema.yaml_document import Document

_PIPE = re.compile(r"(?<!\|)\|(?!\|)")


def warn(lines: Iterable[ScalarNode], doc: Document) -> None:
    """Warn about run lines with a pipe if a failure before the pipe would not count.

    An image may have another shell than this machine. The run script checks that again.
    """
    with_pipe = [line for line in lines if _PIPE.search(line.value)]
    if not with_pipe or _has_pipefail():
        return
    for line in with_pipe:
        doc.warn(
            line,
            "the shell of this machine has no pipefail: of a pipeline, only the last "
            "program can fail the job",
            "Install bash, or redirect the output to a file instead.",
        )


def _has_pipefail() -> bool:
    """Return whether the shell that runs the lines here can fail for any program."""
    # Few commands need them, and they take long to load.
    import shutil  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    if shutil.which("bash"):
        return True

    command = ["sh", "-c", "command set -o pipefail"]
    done = subprocess.run(command, check=False, capture_output=True)
    return done.returncode == 0
