"""People of an organization, whom the cluster of KUBECONFIG knows by certificates, or by OpenID Connect.

Such a person has no API key. The key of the cluster's authority must lie beside its certificate, as on a cluster of
one's own; the control plane of `control_plane.py` has an issuer of tokens.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from kubernetes import config

from riseml.cluster.connection import Connection, from_kubeconfig
from tests.cluster.residents import unavailable

_PLUG_IN = """
import json, pathlib, sys
folder = pathlib.Path({folder!r})
with (folder / "calls").open("a") as calls:
    calls.write("called\\n")
print(json.dumps({{
    "apiVersion": "client.authentication.k8s.io/v1",
    "kind": "ExecCredential",
    "status": {{
        "clientCertificateData": (folder / "person.crt").read_text(),
        "clientKeyData": (folder / "person.key").read_text(),
    }},
}}))
"""


@dataclass(frozen=True)
class Person:
    """Name by which the API server knows a person, and the files of the certificate."""

    name: str
    folder: Path

    @property
    def certificate(self) -> tuple[str, str]:
        return str(self.folder / "person.crt"), str(self.folder / "person.key")

    def connection(self, namespace: str) -> Connection:
        """Return the person's connection to the cluster of KUBECONFIG."""
        administrator = from_kubeconfig()
        return Connection(
            administrator.server,
            administrator.authority,
            certificate=self.certificate,
            namespace=namespace,
            user=namespace.removeprefix("riseml-"),
        )

    def kubeconfig(self, namespace: str = "") -> Path:
        """Return a kubeconfig whose exec plug-in gives the certificate."""
        script = _PLUG_IN.format(folder=str(self.folder))
        return _kubeconfig(self.folder, script, namespace)

    def calls(self) -> int:
        """Return how often the exec plug-in has run."""
        file = self.folder / "calls"
        return len(file.read_text().splitlines()) if file.exists() else 0


def person(folder: Path, name: str, *groups: str) -> Person:
    """Return a person with a certificate for one hour, in these groups."""
    authority = _authority()
    folder.mkdir(parents=True, exist_ok=True)
    subject = "".join(f"/O={group}" for group in groups) + f"/CN={name}"
    key, request = str(folder / "person.key"), str(folder / "person.csr")
    _openssl(
        *("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request),
        *("-subj", subject),
    )
    extensions = folder / "person.ext"
    extensions.write_text("extendedKeyUsage=clientAuth\n")
    _openssl(
        *("x509", "-req", "-in", request, "-out", str(folder / "person.crt")),
        *("-CA", str(authority), "-CAkey", str(authority.with_suffix(".key"))),
        *("-set_serial", "0x" + folder.name.encode().hex()[-30:] + "01"),
        *("-days", "1", "-extfile", str(extensions)),
    )
    return Person(name, folder)


_TOKEN_PLUG_IN = """
import json, pathlib, sys
sys.path.insert(0, {root!r})
from tests.cluster.issuer import Issuer
issuer = Issuer(pathlib.Path({issuer!r}), {url!r})
with pathlib.Path({calls!r}).open("a") as calls:
    calls.write("called\\n")
token = issuer.token(seconds={seconds!r}, email={email!r}, groups={groups!r})
print(json.dumps({{
    "apiVersion": "client.authentication.k8s.io/v1",
    "kind": "ExecCredential",
    "status": {{"token": token}},
}}))
"""


def member(
    folder: Path, email: str, *groups: str, namespace: str, seconds: float = 300
) -> Path:
    """Return the kubeconfig of a person who logs in by OpenID Connect; each token holds for `seconds`."""
    home = Path(config.KUBE_CONFIG_DEFAULT_LOCATION).parent
    if not (home / "issuer.url").exists():
        unavailable("the cluster has no issuer of OpenID Connect on this machine")
    folder.mkdir(parents=True, exist_ok=True)
    script = _TOKEN_PLUG_IN.format(
        root=str(Path(__file__).parents[2]),
        issuer=str(home),
        url=(home / "issuer.url").read_text(),
        calls=str(folder / "calls"),
        email=email,
        groups=list(groups),
        seconds=seconds,
    )
    return _kubeconfig(folder, script, namespace)


def _authority() -> Path:
    """Return the certificate of the cluster's authority, with its key beside it."""
    for file in config.KUBE_CONFIG_DEFAULT_LOCATION.split(":"):
        content = yaml.safe_load(Path(file).read_text())
        for entry in content["clusters"]:
            authority = Path(entry["cluster"].get("certificate-authority", ""))
            if authority.with_suffix(".key").exists():
                return authority
    return unavailable("the key of the cluster's authority is not on this machine")


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def _kubeconfig(folder: Path, plug_in: str, namespace: str) -> Path:
    """Write a kubeconfig for the cluster of KUBECONFIG, whose exec plug-in is a Python script."""
    script = folder / "plug_in.py"
    script.write_text(plug_in)
    login = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(script)],
        "interactiveMode": "Never",
    }
    context = {"cluster": "lab", "user": "me", "namespace": namespace or "default"}
    administrator = from_kubeconfig()
    authority = folder / "authority.crt"
    authority.write_text(administrator.authority)
    cluster = {
        "server": administrator.server,
        "certificate-authority": str(authority),
    }
    file = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": context}],
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "me", "user": {"exec": login}}],
    }
    file.write_text(json.dumps(content))
    return file
