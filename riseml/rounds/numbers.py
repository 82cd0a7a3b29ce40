"""Numbers of rounds, which count on when a search is continued by another Workflow."""


def rounds_before(first: int, batch: int) -> int:
    """Return how many rounds of `batch` trials precede the one that begins with the trial `first`."""
    return -(-(first - 1) // batch)
