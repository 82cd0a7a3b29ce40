"""Failure of a command in a pod, without what runs commands: that takes 15 ms to load."""

from riseml.errors import RiseMLError


class CommandError(RiseMLError):
    """Failure of a command in a pod: its exit status, and its standard error."""

    def __init__(self, status: int, output: str, advice: str = "") -> None:
        last_line = output.strip().rpartition("\n")[2]
        message = last_line or f"a command in the cluster ended with {status}"
        super().__init__(message, advice)
        self.status, self.output = status, output
