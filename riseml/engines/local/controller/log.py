"""Log of the controller: one line per event in <home>/controller.log, rotated.

    2026-11-27 22:40:12,345 INFO run 14: submitted as mnist-14, experiments: 8
    2026-11-27 22:40:12,391 INFO run 14: pod mnist-14-2912 started, pid 4711

Messages about a run begin with its id. The output of the controller's child processes
goes to the same file, without time and level.
"""

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from riseml import home_folder
from riseml.engines.local.protocol import log_file

logger = logging.getLogger("riseml.controller")

_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_BYTES_PER_FILE = 1_000_000
# The current file and two older ones: controller.log.1 and controller.log.2.
_OLDER_FILES = 2


class _OutputLog(RotatingFileHandler):
    """Rotated log file that is also the standard output and error of this process."""

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_APPEND
        descriptor = home_folder.open_file(self.baseFilename, flags)
        stream = os.fdopen(descriptor, "a", encoding=self.encoding)
        # Otherwise children would go on writing to the file that was just renamed.
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        return stream


def start_log(home: Path) -> None:
    """Write all further messages to the home's log; only the holder of its lock may.

    A full disk drops messages and never stops the controller.
    """
    # Logging reports its own failures to standard error, which is the same full disk.
    logging.raiseExceptions = False
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        handler = _OutputLog(
            log_file(home),
            maxBytes=_BYTES_PER_FILE,
            backupCount=_OLDER_FILES,
            encoding="utf-8",
        )
    except OSError:
        # The command that started this controller has opened the file as its output.
        logger.addHandler(logging.NullHandler())
        return
    handler.setFormatter(logging.Formatter(_FORMAT))
    logger.addHandler(handler)
