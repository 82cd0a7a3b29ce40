"""When a token ends, as it says of itself; only the API server can tell whether it is valid.

Tokens of service accounts and of OpenID Connect are JSON Web Tokens: three parts of base64url,
the second one with the time `exp`. Other tokens say nothing.
"""

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime

_PARTS = 3


def expiry(token: str) -> datetime | None:
    """Return when a token ends, None if it does not say."""
    parts = token.split(".")
    if len(parts) != _PARTS:
        return None
    payload = parts[1]
    padding = "=" * (-len(payload) % 4)
    with suppress(ValueError, TypeError, AttributeError, OverflowError, OSError):
        claims = json.loads(base64.urlsafe_b64decode(payload + padding))
        seconds = claims.get("exp")
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return None


def expired(token: str, now: datetime) -> str:
    """Return that and when a token has ended, empty if it has not or does not say."""
    end = expiry(token)
    if end is None or end > now:
        return ""
    return f"its token expired at {end:%Y-%m-%d %H:%M} UTC"
