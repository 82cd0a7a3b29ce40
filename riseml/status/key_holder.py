"""Holders of API keys: the API server knows each by an account in the user's namespace.

Every list of runs needs this, and nothing here imports what reads documents.
"""

_ACCOUNT = "system:serviceaccount:riseml-{user}:riseml-user"


def is_key(submitter: str, user: str) -> bool:
    """Return whether a submitter is the holder of a user's API key."""
    return submitter == _ACCOUNT.format(user=user)


def person(submitter: str, user: str) -> str:
    """Return a submitter for people, empty for the holder of the user's API key."""
    return "" if is_key(submitter, user) else submitter
