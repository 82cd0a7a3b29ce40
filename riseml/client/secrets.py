"""Methods of `riseml.Client` about secrets."""

from riseml.engines import Engine
from riseml.errors import InvalidInputError


def set_secret(engine: Engine, name: str, value: str) -> None:
    """Store the value of a secret; see `Client.set_secret`."""
    # A job gets the secret as an environment variable.
    if not name.isidentifier() or not name.isascii():
        raise InvalidInputError(
            f"'{name}' cannot be a variable",
            "Use letters, digits and _, no digit first.",
        )
    if not value:
        raise InvalidInputError(
            f"the value of {name} is empty",
            f"`riseml secret delete {name}` deletes it.",
        )
    engine.set_secret(name, value)
