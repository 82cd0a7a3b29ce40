"""Issuer of OpenID Connect on this machine: identity tokens for an API server, and the login of an Argo Server.

Everybody who asks for a login is the person whom the issuer was told, without any password.
"""

import base64
import json
import secrets
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT = "riseml"
"""The id of the only client, to whom all tokens are issued."""

_CONFIGURATION = "/.well-known/openid-configuration"
_KEY_ID = "1"


class Issuer:
    """Key of an issuer in a folder; `url` is its address."""

    def __init__(self, folder: Path, url: str) -> None:
        self.key, self.url = folder / "issuer.key", url
        self.person: Mapping[str, Any] = {}
        if not self.key.exists():
            _openssl("genrsa", "-traditional", "-out", str(self.key), "2048")

    def token(self, seconds: float = 300, **claims: Any) -> str:
        """Return an identity token with claims such as `email` and `groups`."""
        now = int(time.time())
        issued = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": now,
            "exp": int(now + seconds),
            "sub": str(claims.get("email", "")),
            "email_verified": True,
            **claims,
        }
        header = {"alg": "RS256", "typ": "JWT", "kid": _KEY_ID}
        text = f"{_encoded(header)}.{_encoded(issued)}"
        signature = _openssl("dgst", "-sha256", "-sign", str(self.key), stdin=text)
        return f"{text}.{_base64(signature)}"

    def configuration(self) -> dict[str, Any]:
        """Return what the issuer publishes about itself."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def keys(self) -> dict[str, Any]:
        """Return the public key."""
        modulus = _openssl("rsa", "-in", str(self.key), "-noout", "-modulus")
        number = bytes.fromhex(modulus.decode().strip().partition("=")[2])
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "use": "sig",
                    "alg": "RS256",
                    "kid": _KEY_ID,
                    "n": _base64(number),
                    "e": "AQAB",
                }
            ]
        }


@contextmanager
def serve(
    folder: Path, port: int = 0, certificate: tuple[Path, Path] | None = None
) -> Iterator[Issuer]:
    """Serve an issuer on a port of this machine, with TLS if there is a certificate."""
    server = _Server(("127.0.0.1", port), _Handler)
    scheme = "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    server.issuer = Issuer(folder, f"{scheme}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.issuer
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    issuer: Issuer


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        issuer = cast(_Server, self.server).issuer
        parts = urlsplit(self.path)
        if parts.path == _CONFIGURATION:
            self._answer(issuer.configuration())
        elif parts.path == "/keys":
            self._answer(issuer.keys())
        elif parts.path == "/authorize":
            query = {name: texts[0] for name, texts in parse_qs(parts.query).items()}
            answer = urlencode({"code": secrets.token_hex(4), "state": query["state"]})
            self.send_response(302)
            self.send_header("Location", f"{query['redirect_uri']}?{answer}")
            self.end_headers()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        issuer = cast(_Server, self.server).issuer
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token = issuer.token(**issuer.person)
        self._answer({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def _answer(self, content: Mapping[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


def _encoded(content: Mapping[str, Any]) -> str:
    return _base64(json.dumps(content, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _openssl(*arguments: str, stdin: str = "") -> bytes:
    done = subprocess.run(
        ["openssl", *arguments], check=True, capture_output=True, input=stdin.encode()
    )
    return done.stdout
