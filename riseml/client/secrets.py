"""Methods of `riseml.Client` about secrets."""

from riseml.engines import Engine
from riseml.errors import InvalidInputError
from riseml.excerpts import excerpt


def set_secret(engine: Engine, name: str, value: str) -> None:
    """Store the value of a secret; see `Client.set_secret`."""
    # A job gets the secret as an environment variable.
    if not name.isidentifier() or not name.isascii():
        raise InvalidInputError(
            f"'{excerpt(name)}' cannot be a variable",
            "Use letters, digits and _, no digit first.",
        )
    if not value:
        raise InvalidInputError(
            f"the value of {name} is empty",
            f"`riseml secret delete {name}` deletes it.",
        )
    # Quick commands load this module, too.
    from riseml.config.sizes import MOST_BYTES

    # The value itself must not appear in a message, so it is checked here.
    if "\0" in value:
        raise InvalidInputError(
            f"the value of {name} contains a NUL byte, which no variable can",
            "Encode it, for example in Base64.",
        )
    size = len(f"{name}={value}".encode("utf-8", "surrogateescape"))
    if size > MOST_BYTES:
        raise InvalidInputError(
            f"the value of {name} is too long: {size:,} bytes with its name, but a process"
            f" can be given at most {MOST_BYTES:,} in a variable",
            "Split it, or keep it in a file of the data folder.",
        )
    engine.set_secret(name, value)
