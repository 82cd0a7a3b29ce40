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
    if not with_pipe:
        return
    # A plan is kept only if this module was not needed: it asks this machine.
    from riseml.config import pipefail  # noqa: PLC0415

    if pipefail.is_available():
        return
    for line in with_pipe:
        doc.warn(
            line,
            "the shell of this machine has no pipefail: of a pipeline, only the last "
            "program can fail the job",
            "Install bash, or redirect the output to a file instead.",
        )
