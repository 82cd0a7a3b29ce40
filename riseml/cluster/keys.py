"""API keys: one string that says where a cluster answers, how to know it, and who asks.

    riseml1.<base64url of zlib of JSON: server, ca, token, namespace, user>

`ca` is the PEM text of the certificates that the server's may be signed by, empty where every system knows it.
"""

import base64
import binascii
import json
import zlib

from riseml.cluster.connection import Connection
from riseml.errors import InvalidInputError

_MARK = "riseml1."
# Bytes of JSON: a key is some thousand
_LARGEST = 1 << 20


def encode(connection: Connection) -> str:
    """Return the API key of a user's connection."""
    told = {
        "server": connection.server,
        "ca": connection.authority,
        "token": connection.token,
        "namespace": connection.namespace,
        "user": connection.user,
    }
    packed = zlib.compress(json.dumps(told, separators=(",", ":")).encode(), 9)
    return _MARK + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(key: str) -> Connection:
    """Return the connection that an API key stands for.

    Raises:
        InvalidInputError: it is no key, or not a whole one.
    """
    # Terminals and mails break long lines
    text = "".join(key.split())
    if not text.startswith(_MARK):
        advice = f"A key begins with {_MARK}; the administrator's `riseml user display NAME` shows it."
        raise InvalidInputError("that is no API key of RiseML 2", advice)
    try:
        text = text.removeprefix(_MARK)
        packed = base64.b64decode(
            text + "=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
        reader = zlib.decompressobj()
        told = json.loads(reader.decompress(packed, _LARGEST))
        return Connection(
            server=str(told["server"]),
            authority=str(told["ca"]),
            token=str(told["token"]),
            namespace=str(told["namespace"]),
            user=str(told["user"]),
        )
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError):
        raise InvalidInputError(
            "the API key is not whole", "Copy all of it, from `riseml1.` to its end."
        ) from None
