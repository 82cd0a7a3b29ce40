"""Admission webhook of a test: it changes or refuses the pods of runs in one namespace.

Clusters have such webhooks: Kueue holds pods with scheduling gates, policy engines refuse
pods, sites add node selectors and volumes. Only the named namespace's pods reach it.
"""

import base64
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from riseml import labels
from riseml.cluster.api import Api, Object

Operation = dict[str, Any]
_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations"
_KINDS = {
    "mutating": "MutatingWebhookConfiguration",
    "validating": "ValidatingWebhookConfiguration",
}
# Nothing listens there.
_NOWHERE = "https://127.0.0.1:9/pods"


@contextmanager
def changing(
    api: Api,
    namespace: str,
    folder: Path,
    operations: Sequence[Operation],
    resource: str = "pods",
) -> Iterator[None]:
    """Apply JSON patch operations to every pod of a run, or to every Workflow."""
    patch = base64.b64encode(json.dumps(list(operations)).encode()).decode()
    answer = {"allowed": True, "patchType": "JSONPatch", "patch": patch}
    with (
        _served(folder, answer) as service,
        _configured(api, namespace, "mutating", service, resource),
    ):
        yield


@contextmanager
def refusing(api: Api, namespace: str, folder: Path, message: str) -> Iterator[None]:
    """Refuse every pod of a run with a message."""
    answer = {"allowed": False, "status": {"message": message, "code": 403}}
    with (
        _served(folder, answer) as service,
        _configured(api, namespace, "validating", service),
    ):
        yield


@contextmanager
def crashing(api: Api, namespace: str, folder: Path) -> Iterator[None]:
    """Let the webhook answer with an error of its own."""
    with (
        _served(folder, {}, 500) as service,
        _configured(api, namespace, "validating", service),
    ):
        yield


@contextmanager
def failing(api: Api, namespace: str) -> Iterator[None]:
    """Let the webhook not answer at all, although pods must pass it."""
    with _configured(api, namespace, "validating", (_NOWHERE, "")):
        yield


@contextmanager
def _configured(
    api: Api,
    namespace: str,
    kind: str,
    service: tuple[str, str],
    resource: str = "pods",
) -> Iterator[None]:
    """Register the webhook at an address, whose certificate is to be trusted."""
    url, certificate = service
    name = f"{resource}.{namespace}.test"
    is_pod = {"matchExpressions": [{"key": labels.WORKFLOW, "operator": "Exists"}]}
    client = {"url": url, **({"caBundle": certificate} if certificate else {})}
    rule = {
        "apiGroups": ["", "argoproj.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": [resource],
    }
    webhook = {
        "name": name,
        "clientConfig": client,
        "rules": [rule],
        "namespaceSelector": {
            "matchLabels": {"kubernetes.io/metadata.name": namespace}
        },
        "objectSelector": is_pod if resource == "pods" else {},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
    }
    body: Object = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": _KINDS[kind],
        "metadata": {"name": name},
        "webhooks": [webhook],
    }
    at = _CONFIGURATIONS.format(kind=kind)
    api.delete(f"{at}/{name}")
    api.ensure(at, body)
    # The API server reads its own configuration a moment later, and does not say when.
    time.sleep(2)
    try:
        yield
    finally:
        api.delete(f"{at}/{name}")


@contextmanager
def _served(
    folder: Path, answer: Operation, status: int = 200
) -> Iterator[tuple[str, str]]:
    """Serve an answer with a status; yield the address and the certificate to trust."""
    key, certificate = folder / "webhook.key", folder / "webhook.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-keyout", key, "-out", certificate, "-days", "1", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer, status))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        trusted = base64.b64encode(certificate.read_bytes()).decode()
        yield f"https://127.0.0.1:{server.server_port}/pods", trusted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(answer: Operation, status: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            review = json.loads(self.rfile.read(length))
            response = {**answer, "uid": review["request"]["uid"]}
            body = json.dumps(
                {**review, "request": None, "response": response}
            ).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    return Handler
