"""What time it is; tests set it."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present in UTC."""
    return datetime.now(UTC)
