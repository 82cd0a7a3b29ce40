"""TLS settings of requests to a cluster."""

import ssl

from riseml.cluster.connection import Connection


def of(connection: Connection) -> ssl.SSLContext:
    """Return the settings of a connection, which always verify the server's certificate."""
    context = ssl.create_default_context(cadata=connection.authority or None)
    # The authorities of clusters omit extensions that RFC 5280 requires.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if connection.certificate:
        context.load_cert_chain(*connection.certificate)
    return context
