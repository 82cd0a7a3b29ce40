"""Readers of files that users write, each as a function of the file.

A reader may raise a `RiseMLError`, and nothing else.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from riseml import compiler, config, planner, settings
from riseml.cluster import connection, contexts, values
from riseml.engines.local import secrets
from riseml.errors import RiseMLError
from riseml.plan import Origin, Target
from riseml.project.walk import walk

Reader = Callable[[Path], None]

_ROOT = Path(__file__).parents[2]
# Larger sets take long to compile, and find nothing more.
_MAX_EXPERIMENTS = 50


@dataclass(frozen=True)
class Subject:
    """A kind of file: its name, examples, the keys that it may have, and its reader."""

    name: str
    corpus: tuple[bytes, ...]
    keys: tuple[str, ...]
    read: Reader


def _read_config(path: Path) -> None:
    """Load, plan and compile a riseml.yml, as `riseml compile` does."""
    plan = planner.plan(config.load(path))
    if len(plan.experiments) <= _MAX_EXPERIMENTS:
        origin = Origin(user="me", number=1, git_url=None, revision="")
        compiler.compile_workflow(plan, origin, Target())


def _read_settings(path: Path) -> None:
    """Load the settings, and use the contexts in them, as every command may."""
    environment = {"RISEML_HOME": str(path.parent), "RISEML_CONFIG": str(path)}
    with suppress(RiseMLError):
        settings.load(environment=environment)
    # A faulty file must not keep a user from logging in again.
    stored = contexts.load(path)
    list(stored.rows())
    _ = stored.kubeconfig
    for name in (*stored.names, None):
        with suppress(RiseMLError):
            stored.connection(name)
    stored.put("new", {"server": "https://x"}, {"name": "me"})
    stored.path = path.with_name("saved")
    stored.save()
    assert contexts.load(stored.path).current == "new"


def _read_project_settings(path: Path) -> None:
    """Load the settings of a project."""
    project = path.parent / "project"
    (project / ".riseml").mkdir(parents=True, exist_ok=True)
    path.replace(project / ".riseml" / "config")
    settings.load(environment={"RISEML_HOME": str(path.parent)}, project=project)


def _read_kubeconfig(path: Path) -> None:
    for context in (None, "lab"):
        with suppress(RiseMLError):
            connection.from_kubeconfig(path, context)


def _read_values(path: Path) -> None:
    values.load(path)


def _read_ignore_file(path: Path) -> None:
    """Survey a project with this file as its .risemlignore and its .gitignore."""
    project = path.parent / "ignoring"
    (project / "folder").mkdir(parents=True, exist_ok=True)
    for file in (b"a.py", b"b\xff.txt", b"folder/c.log"):
        (project / os.fsdecode(file)).touch()
    for name in (".risemlignore", ".gitignore"):
        (project / name).write_bytes(path.read_bytes())
    walk(os.fsencode(project), {}, gitignore=True)


def _read_secrets(path: Path) -> None:
    home = path.parent / "home"
    home.mkdir(exist_ok=True)
    path.replace(home / "secrets")
    secrets.hidden(home)


_EXAMPLES = tuple(
    file.read_bytes() for file in sorted(_ROOT.glob("examples/*/riseml.yml"))
)
_CONFIG_KEYS = (
    *("project", "train", "image", "resources", "cpus", "mem", "gpus", "run", "env"),
    *("parameters", "concurrency", "search", "framework", "install", "retries", "on"),
    *("secrets", "timeout", "range", "min", "max", "step", "results", "count"),
    *("pytorch", "tensorflow", "distributed", "worker", "mpi", "jax", "build_files"),
)
_SETTINGS = (
    b"engine: local\ngitignore: false\nworkdir_limit: 10 GB\n",
    b"# mine\ncontext: lab\nengine: argo\n",
    (
        b"current-context: lab\n"
        b"contexts: [{name: lab, context: {cluster: lab, user: lab}}]\n"
        b"clusters:\n- name: lab\n  cluster: {server: 'https://x', certificate-authority-data: aGk=}\n"
        b"users:\n- name: lab\n  user: {name: paul, api-key: abc, namespace: riseml-paul}\n"
    ),
    (
        b"current-context: k\ncontexts: [{name: k, context: {cluster: k, user: k}}]\n"
        b"clusters: [{name: k, cluster: {kubeconfig: /none}}]\n"
        b"users: [{name: k, user: {kubeconfig: /none, context: x}}]\ngitignore: yes\n"
    ),
    b"",
)
_SETTINGS_KEYS = (
    *("engine", "gitignore", "workdir_limit", "context", "current-context"),
    *("contexts", "clusters", "users", "name", "cluster", "user", "server"),
    *("kubeconfig", "api-key", "namespace", "certificate-authority-data"),
)
_KUBECONFIG = (
    (
        b"apiVersion: v1\nkind: Config\ncurrent-context: lab\npreferences: {}\n"
        b"contexts:\n- name: lab\n  context: {cluster: lab, user: paul, namespace: x}\n"
        b"clusters:\n- name: lab\n  cluster: {server: 'https://x', certificate-authority-data: aGk=}\n"
        b"users:\n- name: paul\n  user: {token: abc}\n"
    ),
)
_KUBECONFIG_KEYS = (
    *("contexts", "clusters", "users", "name", "context", "cluster", "user", "token"),
    *("server", "namespace", "insecure-skip-tls-verify", "client-certificate-data"),
    *("client-key", "auth-provider", "tokenFile", "certificate-authority"),
)
_IGNORE_FILES = (
    b"*.pyc\n__pycache__/\n!keep.txt\n/data/**\na[!x-z]?/**/b\n\\#x\nfolder/\n",
    b"+ a.py\n- *.log\n- folder/\n!\n",
)

SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("riseml.yml", _EXAMPLES, _CONFIG_KEYS, _read_config),
        Subject("settings", _SETTINGS, _SETTINGS_KEYS, _read_settings),
        Subject("project settings", _SETTINGS, _SETTINGS_KEYS, _read_project_settings),
        Subject("kubeconfig", _KUBECONFIG, _KUBECONFIG_KEYS, _read_kubeconfig),
        Subject(
            "values.yml",
            ((_ROOT / "argo" / "values.yml").read_bytes(), b"argo:\n  x: 1\n"),
            ("argo", "buildkit", "storage"),
            _read_values,
        ),
        Subject("ignore file", _IGNORE_FILES, ("-", "+", "!"), _read_ignore_file),
        Subject("secrets", (b'{"TOKEN": "abc"}', b"{}"), ("TOKEN",), _read_secrets),
    )
}
