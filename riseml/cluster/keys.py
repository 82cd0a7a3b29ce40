"""API keys: one string with a cluster's address, its certificates and a user's token.

    riseml1.<base64url of zlib of JSON: server, ca, token, namespace, user>

`ca` is the PEM text of the authorities that may sign the server's certificate, empty if
every system trusts them.
"""

import base64
import binascii
import json
import zlib

from riseml.cluster.connection import Connection
from riseml.errors import InvalidInputError

_PREFIX = "riseml1."
# A key has a few thousand bytes of JSON. The limit stops a small key from unpacking to
# an enormous text.
_MOST_BYTES = 1 << 20


def encode(connection: Connection) -> str:
    """Return the API key for a user's connection."""
    fields = {
        "server": connection.server,
        "ca": connection.authority,
        "token": connection.token,
        "namespace": connection.namespace,
        "user": connection.user,
    }
    packed = zlib.compress(json.dumps(fields, separators=(",", ":")).encode(), 9)
    return _PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(key: str) -> Connection:
    """Return the connection for an API key.

    Raises:
        InvalidInputError: the text is not an API key, or an incomplete one.
    """
    # Terminals and mail programs break long lines.
    text = "".join(key.split())
    if not text.startswith(_PREFIX):
        raise InvalidInputError(
            "this is not an API key of RiseML 2",
            f"A key begins with {_PREFIX}; your administrator sees it with `riseml user display NAME`.",
        )
    text = text.removeprefix(_PREFIX)
    # `encode` omits the padding.
    padding = "=" * (-len(text) % 4)
    try:
        packed = base64.b64decode(text + padding, altchars=b"-_", validate=True)
        fields = json.loads(zlib.decompressobj().decompress(packed, _MOST_BYTES))
        return Connection(
            server=str(fields["server"]),
            authority=str(fields["ca"]),
            token=str(fields["token"]),
            namespace=str(fields["namespace"]),
            user=str(fields["user"]),
        )
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError):
        raise InvalidInputError(
            "the API key is incomplete",
            "Copy all of it, from `riseml1.` to its end.",
        ) from None
