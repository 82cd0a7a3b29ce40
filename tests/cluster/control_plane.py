"""Control plane of Kubernetes: API server, etcd and controllers as plain processes, while one command runs.

    python tests/cluster/control_plane.py COMMAND...      sets KUBECONFIG for it and returns its exit status

Objects, rights, tokens, admission and quotas are real, but no pod runs. People can log in by OpenID Connect: beside the
kubeconfig, `issuer.key` signs their tokens, and `issuer.url` has the address of the issuer. It needs Go and, if etcd
or openssl are missing, Debian and root. The first build takes about 7 minutes; its results stay in CACHE.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

# The file also runs as a program, by its path.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.cluster import issuer

MODULE = Path(__file__).parent / "go"
CACHE = Path("~/.cache/riseml-control-plane").expanduser()
TOOLS = ("kube-apiserver", "kube-controller-manager")
_PACKAGES = {"etcd": "etcd-server", "openssl": "openssl"}
_READY_SECONDS = 120.0
OIDC_PREFIX = "oidc:"
"""Prefix of the names of people and groups who log in by OpenID Connect."""


def build() -> Path:
    """Return the folder with TOOLS, and build those that are missing."""
    missing = [package for tool, package in _PACKAGES.items() if not shutil.which(tool)]
    if missing:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", *missing], check=True, env=environment
        )
    version = sha256((MODULE / "go.mod").read_bytes()).hexdigest()[:12]
    folder = CACHE / version
    folder.mkdir(parents=True, exist_ok=True)
    for tool in TOOLS:
        if not (folder / tool).exists():
            unfinished = folder / f"{tool}.part"
            command = [
                "go",
                "build",
                "-buildvcs=false",
                "-o",
                str(unfinished),
                f"k8s.io/kubernetes/cmd/{tool}",
            ]
            subprocess.run(command, check=True, cwd=MODULE)
            unfinished.replace(folder / tool)
    return folder


@contextmanager
def control_plane(tools: Path, home: Path) -> Iterator[Path]:
    """Start everything in a folder and yield the kubeconfig of an administrator."""
    store, peer, server, manager, login = _ports(5)
    etcd_url, server_url = f"http://127.0.0.1:{store}", f"https://127.0.0.1:{server}"
    _certificates(home)
    for name in ("admin", "manager"):
        _kubeconfig(home, name, server_url)
    with ExitStack() as running:
        start = _Starter(home, running)
        certificate = (home / "server.crt", home / "server.key")
        people = running.enter_context(issuer.serve(home, login, certificate))
        (home / "issuer.url").write_text(people.url)
        start(
            "etcd",
            "etcd",
            f"--data-dir={home}/etcd",
            f"--listen-client-urls={etcd_url}",
            f"--advertise-client-urls={etcd_url}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        start(
            "kube-apiserver",
            str(tools / "kube-apiserver"),
            f"--etcd-servers={etcd_url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={server}",
            f"--client-ca-file={home}/ca.crt",
            f"--tls-cert-file={home}/server.crt",
            f"--tls-private-key-file={home}/server.key",
            f"--service-account-key-file={home}/ca.key",
            f"--service-account-signing-key-file={home}/ca.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--endpoint-reconciler-type=none",
            "--authorization-mode=Node,RBAC",
            f"--oidc-issuer-url={people.url}",
            f"--oidc-ca-file={home}/ca.crt",
            f"--oidc-client-id={issuer.CLIENT}",
            "--oidc-username-claim=email",
            f"--oidc-username-prefix={OIDC_PREFIX}",
            "--oidc-groups-claim=groups",
            f"--oidc-groups-prefix={OIDC_PREFIX}",
            "--allow-privileged=true",
            f"--cert-dir={home}",
        )
        start.wait("the API server", lambda: _answers(home, f"{server_url}/readyz"))
        start(
            "kube-controller-manager",
            str(tools / "kube-controller-manager"),
            f"--kubeconfig={home}/manager.kubeconfig",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={manager}",
            f"--service-account-private-key-file={home}/ca.key",
            f"--root-ca-file={home}/ca.crt",
            "--use-service-account-credentials",
            f"--cert-dir={home}",
        )
        account = f"{server_url}/api/v1/namespaces/default/serviceaccounts/default"
        start.wait("the controllers", lambda: _answers(home, account))
        yield home / "admin.kubeconfig"


class _Starter:
    """Starts processes that end with `running`, in reverse order."""

    def __init__(self, home: Path, running: ExitStack) -> None:
        self._home, self._running = home, running
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __call__(self, name: str, *command: str) -> None:
        log = self._running.enter_context((self._home / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        self._processes[name] = process
        self._running.callback(_end, process)

    def wait(self, name: str, is_ready: Callable[[], bool]) -> None:
        end = time.monotonic() + _READY_SECONDS
        while not is_ready():
            gone = next(
                (
                    name
                    for name, process in self._processes.items()
                    if process.poll() is not None
                ),
                None,
            )
            if gone or time.monotonic() > end:
                for log in self._home.glob("*.log"):
                    sys.stderr.write(
                        f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}\n"
                    )
                sys.exit(
                    f"{name} did not come up"
                    + (f": {gone} has ended" if gone else f" in {_READY_SECONDS:.0f} s")
                )
            time.sleep(0.3)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ports(count: int) -> list[int]:
    """Return ports that are currently free."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for socket_ in sockets:
            socket_.bind(("127.0.0.1", 0))
        return [socket_.getsockname()[1] for socket_ in sockets]


def _certificates(home: Path) -> None:
    """Create an authority and certificates of the server, an administrator and the controllers."""
    _openssl(
        home,
        "req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ca.key -out ca.crt -subj /CN=riseml-control-plane",
    )
    for name, subject in (
        ("server", "/CN=kube-apiserver"),
        ("admin", "/O=system:masters/CN=admin"),
        ("manager", "/CN=system:kube-controller-manager"),
    ):
        (home / f"{name}.ext").write_text(
            "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n"
        )
        _openssl(
            home,
            f"req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj {subject}",
        )
        signed = (
            f"-CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile {name}.ext"
        )
        _openssl(home, f"x509 -req -in {name}.csr -out {name}.crt {signed}")


def _openssl(home: Path, arguments: str) -> None:
    subprocess.run(
        ["openssl", *arguments.split()], check=True, cwd=home, capture_output=True
    )


def _kubeconfig(home: Path, name: str, server: str) -> None:
    cluster = f'{{server: "{server}", certificate-authority: {home}/ca.crt}}'
    (home / f"{name}.kubeconfig").write_text(
        "apiVersion: v1\nkind: Config\n"
        f"clusters: [{{name: test, cluster: {cluster}}}]\n"
        f"users: [{{name: test, user: {{client-certificate: {home}/{name}.crt, client-key: {home}/{name}.key}}}}]\n"
        "contexts: [{name: test, context: {cluster: test, user: test}}]\n"
        "current-context: test\n",
    )


def _answers(home: Path, url: str) -> bool:
    import ssl  # noqa: PLC0415
    from urllib.request import urlopen  # noqa: PLC0415

    context = ssl.create_default_context(cafile=str(home / "ca.crt"))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_cert_chain(home / "admin.crt", home / "admin.key")
    try:
        with urlopen(url, context=context, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def main(command: Sequence[str]) -> int:
    """Run a command beside a control plane."""
    tools = build()
    with (
        tempfile.TemporaryDirectory(prefix="riseml-control-plane-") as home,
        control_plane(tools, Path(home)) as kubeconfig,
    ):
        environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "RISEML_TEST_CONTROL_PLANE": "yes",
        }
        return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
