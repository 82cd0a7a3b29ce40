"""Exec plug-ins of kubeconfigs: programs that log a user in and print credentials.

    users: [{name: ana, user: {exec: {command: kubelogin, args: [get-token]}}}]

The program prints an ExecCredential of the API group client.authentication.k8s.io. It
may talk to the user through the terminal, and keeps what it was given by itself.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from riseml.cluster.kubeconfig import Context, Section, unusable
from riseml.errors import InvalidInputError, UnreachableError
from riseml.status import document as doc

_EXTENSION = "client.authentication.k8s.io/exec"
_ADVICE = "Log in to the cluster again, as you do for kubectl."
# A cluster as plug-ins get it has the names of a kubeconfig.
_CLUSTER_KEYS = (
    "server",
    "tls-server-name",
    "certificate-authority-data",
    "proxy-url",
)


def run(context: Context) -> Mapping[str, str]:
    """Run the exec plug-in of a context's user, and return the status of its answer.

    Its texts are `token`, or `clientCertificateData` and `clientKeyData` as PEM.

    Raises:
        InvalidInputError: the program does not exist, or does not answer as specified.
        UnreachableError: it failed.
    """
    plugin = context.user.section("exec")
    version = plugin.text("apiVersion")
    request = _request(plugin, context.cluster)
    answer = _parsed(plugin, _output(plugin, request))
    if answer.get("apiVersion") != version:
        raise unusable(
            f"the login command {plugin.text('command')} printed no ExecCredential {version}"
        )
    status = doc.mapping(answer.get("status"))
    return {name: str(value) for name, value in status.items() if value}


def _request(plugin: Section, cluster: Section) -> dict[str, Any]:
    """Return what the program learns about its call, in KUBERNETES_EXEC_INFO."""
    spec: dict[str, Any] = {"interactive": _is_interactive(plugin)}
    if plugin.content.get("provideClusterInfo") is True:
        spec["cluster"] = _cluster(cluster)
    version = plugin.text("apiVersion")
    return {"apiVersion": version, "kind": "ExecCredential", "spec": spec}


def _cluster(cluster: Section) -> dict[str, Any]:
    described = {key: cluster.text(key) for key in _CLUSTER_KEYS if cluster.text(key)}
    for extension in cluster.mappings("extensions"):
        if extension.get("name") == _EXTENSION:
            return {**described, "config": extension.get("extension")}
    return described


def _is_interactive(plugin: Section) -> bool:
    return plugin.text("interactiveMode") != "Never" and sys.stdin.isatty()


def _output(plugin: Section, request: Mapping[str, Any]) -> str:
    command = _command(plugin)
    # On a terminal, the program says there what the user has to do.
    stderr = None if sys.stderr.isatty() else subprocess.PIPE
    stdin = None if _is_interactive(plugin) else subprocess.DEVNULL
    try:
        process = subprocess.run(
            command,
            check=False,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=_environment(plugin, request),
            encoding="utf-8",
            errors="replace",
        )
    except (OSError, ValueError) as error:
        hint = plugin.text("installHint").strip()
        raise InvalidInputError(
            f"the kubeconfig's login command {command[0]} cannot run: {error}",
            hint or "Install it, or make the kubeconfig name another one.",
        ) from None
    if process.returncode:
        on_terminal = "see above"
        last_line = (process.stderr or on_terminal).strip().rpartition("\n")[2]
        raise UnreachableError(
            f"the kubeconfig's login command {command[0]} ended with status {process.returncode}: {last_line}",
            _ADVICE,
        )
    return process.stdout


def _command(plugin: Section) -> list[str]:
    program = plugin.text("command")
    # A name without a slash is looked up in PATH.
    if os.sep in program:
        program = str(plugin.folder / program)
    return [program, *map(str, doc.items(plugin.content.get("args")))]


def _environment(plugin: Section, request: Mapping[str, Any]) -> dict[str, str]:
    environment = dict(os.environ)
    for variable in plugin.mappings("env"):
        environment[str(variable.get("name"))] = str(variable.get("value"))
    environment["KUBERNETES_EXEC_INFO"] = json.dumps(request)
    return environment


def _parsed(plugin: Section, text: str) -> Mapping[str, Any]:
    answer = doc.mapping(doc.json_value(text))
    if not answer:
        raise unusable(f"the login command {plugin.text('command')} printed no JSON")
    return answer
