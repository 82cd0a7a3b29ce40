"""Settings of the user: from the command line, the environment, the project, the user's file, or defaults.

    flag  >  RISEML_<NAME>  >  <project>/.riseml/config  >  <home>/config (RISEML_CONFIG)  >  default

Both files contain `name: value` lines of YAML. The home (RISEML_HOME, ~/.riseml by default)
contains the user's file, so no file can set it. The user's file also contains contexts, the
clusters that the user has logged in to (`cluster/contexts.py`). If one of them is chosen, runs
go there unless `engine` names an engine that does not use contexts. Entries that clients of
2018 wrote into the file are ignored.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riseml import plugins
from riseml.dataclass import dataclass, field
from riseml.errors import HomeError, InvalidInputError, RiseMLError
from riseml.schema import text_file

if TYPE_CHECKING:
    from riseml.schema.plain_yaml import YamlFile

SHARED_GPUS = "RISEML_GPUS_SHARED_WITH_OTHERS"
"""Variable that sets `gpus.shared_with_others`, and tells it to the controller."""

AUTO, PROCESS = "auto", "process"
RUNNERS = (AUTO, PROCESS, "podman", "docker")
"""What may run the jobs of the local engine; `auto` chooses one of the others."""

# The engines without and with a chosen context, where `engine` is not set.
_DEFAULT_ENGINE = "local"
_CLUSTER_ENGINE = "argo"

# Keys of contexts, and of the clients of 2018, in the user's file.
_CONTEXT_KEYS = frozenset({"current-context", "contexts", "clusters", "users"})
# Keys of a context that clients of today wrote.
_CLUSTER_KEYS = frozenset({"server", "kubeconfig"})
_FORMAT = "A settings file contains `name: value` lines."
_TRUTH = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


@dataclass(frozen=True)
class Settings:
    """The settings in effect, and the user's name.

    `origins` names the source of every setting that does not have its default.
    """

    home: Path
    user: str
    engine: str = _DEFAULT_ENGINE
    # The context in use, where the engine uses contexts.
    context: str = ""
    # The user's file, which contains the contexts.
    file: Path = Path()
    gitignore: bool = True
    # Output for screen readers.
    plain: bool = False
    # What runs the jobs of the local engine.
    runner: str = AUTO
    # Bytes that a job may keep of what it leaves in its working directory.
    workdir_limit: int = 10_000_000_000
    # Whether a job on this machine may use no more than it requests.
    resources_enforce: bool = False
    # Whether a job on this machine may get a GPU on which others hold memory.
    gpus_shared_with_others: bool = False
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Layer:
    """One source of settings: unparsed values, and where in a file each one is."""

    source: str
    values: Mapping[str, Any]
    positions: Mapping[str, str] = field(default_factory=dict)


def load(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    project: Path | None = None,
) -> Settings:
    """Return the settings in effect.

    `project` is the folder of the riseml.yml. A flag that is None is not set.

    Raises:
        InvalidInputError: a setting is unknown or cannot have its value; the message names its source.
        HomeError: a settings file cannot be read.
    """
    environment = os.environ if environment is None else environment
    flags = flags or {}
    home, origins = _home(flags, environment)
    values: dict[str, Any] = {}
    for layer in _layers(flags, environment, home, project):
        for name, value in layer.values.items():
            # A nearer layer has set it already.
            if name in origins:
                continue
            position = layer.positions.get(name, layer.source)
            field_name = identifier(name)
            values[field_name] = _PARSERS[name](value, f"{name} in {position}")
            origins[name] = layer.source
    file = _user_file(environment, home)
    values["engine"], values["context"] = _engine_and_context(values, origins, file)
    return Settings(
        home=home, user=_login(environment), file=file, origins=origins, **values
    )


def parse(name: str, text: str) -> Any:
    """Return the value of a setting from a text, as `load` does.

    Raises:
        InvalidInputError: the setting is unknown, or cannot have this value.
    """
    if name not in _PARSERS:
        raise _unknown_setting(name, "riseml config set")
    return _PARSERS[name](text, name)


def is_plain() -> bool:
    """Return whether the user wants output for screen readers.

    A setting that cannot be read counts as not set: errors are also written this way,
    and `load` reports it.
    """
    try:
        home, _ = _home({}, os.environ)
        for layer in _layers({}, os.environ, home, None):
            if "plain" in layer.values:
                return _truth(layer.values["plain"], layer.source)
    except RiseMLError:
        return False
    return False


def _engine_and_context(
    values: Mapping[str, Any], origins: Mapping[str, str], file: Path
) -> tuple[str, str]:
    """Return `engine` and `context`, whose defaults depend on each other."""
    context = values.get("context", "")
    if not context and _uses_contexts(values, origins):
        context = _current_context(file)
    default = _CLUSTER_ENGINE if context else _DEFAULT_ENGINE
    return values.get("engine", default), context


def _uses_contexts(values: Mapping[str, Any], origins: Mapping[str, str]) -> bool:
    """Return whether the chosen engine, or the choice of one, depends on the context."""
    # The usual case imports no engine: most commands need only the settings.
    if "engine" not in values:
        return True
    try:
        module = plugins.load("engines", values["engine"])
    except RiseMLError as error:
        position = f"engine in {origins['engine']}"
        raise type(error)(f"{position}: {error}", error.advice) from error
    return bool(getattr(module, "USES_CONTEXTS", False))


def _home(
    flags: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[Path, dict[str, str]]:
    """Return the home, and its origin unless it is the default."""
    sources = {"flag": flags.get("home"), "RISEML_HOME": environment.get("RISEML_HOME")}
    for source, path in sources.items():
        if path:
            return Path(path).expanduser().absolute(), {"home": source}
    try:
        return Path.home() / ".riseml", {}
    except RuntimeError:
        raise HomeError(
            "this user has no home directory",
            "Set RISEML_HOME to a directory of yours.",
        ) from None


def _login(environment: Mapping[str, str]) -> str:
    """Return the name of the logged-in user, in characters that an id may have."""
    for variable in ("LOGNAME", "USER"):
        if environment.get(variable):
            return _id_name(environment[variable])
    # Most environments set one of the two; the user database is slow where it is remote.
    import pwd  # noqa: PLC0415

    try:
        return _id_name(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        return f"user{os.getuid()}"


def _id_name(login: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", login).strip("-_") or f"user{os.getuid()}"


def _layers(
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    home: Path,
    project: Path | None,
) -> Iterator[_Layer]:
    """Yield each source of settings, the nearest first."""
    yield _Layer("the command line", _set_values(flags))
    for name in _PARSERS:
        variable = f"RISEML_{identifier(name).upper()}"
        if environment.get(variable):
            yield _Layer(variable, {name: environment[variable]})
    if project is not None:
        yield from _read_file(project / ".riseml" / "config")
    yield from _read_file(_user_file(environment, home))


def identifier(name: str) -> str:
    """Return the name of a setting in Python and, in capitals, in the environment."""
    return name.replace(".", "_")


def _user_file(environment: Mapping[str, str], home: Path) -> Path:
    return Path(environment.get("RISEML_CONFIG") or home / "config")


def _current_context(file: Path) -> str:
    """Return the chosen context of the user's file, or "" if it has none or one of 2018."""
    text = _text(file)
    # Loading YAML takes longer than finding that there is no context.
    if "current-context" not in text:
        return ""
    content = _parse(text, file).content
    name = content.get("current-context")
    for list_name in ("clusters", "users"):
        for entry in _entries(content, list_name):
            # The contexts of 2018 have neither key.
            if entry.get("name") == name and not _CLUSTER_KEYS.isdisjoint(_body(entry)):
                return str(name)
    return ""


def _entries(content: Mapping[Any, Any], name: str) -> list[Mapping[Any, Any]]:
    """Return the mappings of a list; users edit the file by hand."""
    entries = content.get(name)
    if not isinstance(entries, list):
        return []
    return [entry for entry in entries if isinstance(entry, dict)]


def _body(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the mapping beside an entry's name, as in a kubeconfig."""
    return next((value for value in entry.values() if isinstance(value, dict)), {})


def _read_file(path: Path) -> Iterator[_Layer]:
    """Yield the settings of a file, nothing where there is none."""
    text = _text(path)
    if text.strip():
        file = _parse(text, path)
        _refuse_unknown(file)
        yield _Layer(str(path), _set_values(file.content), file.positions)


def _text(path: Path) -> str:
    return text_file.read(path, _FORMAT) or ""


def _parse(text: str, path: Path) -> "YamlFile":
    # Few users have such a file, and loading YAML takes long.
    from riseml.schema import plain_yaml  # noqa: PLC0415

    return plain_yaml.parse(text, str(path), _FORMAT)


def _refuse_unknown(file: "YamlFile") -> None:
    known = {*_PARSERS, *_CONTEXT_KEYS}
    for name, position in file.positions.items():
        if name not in known:
            raise _unknown_setting(name, position)


def _set_values(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the settings among these values; a setting that is None is not set."""
    return {name: values[name] for name in _PARSERS if values.get(name) is not None}


def _unknown_setting(name: str, position: str) -> InvalidInputError:
    # Only a faulty file needs them.
    from difflib import get_close_matches  # noqa: PLC0415

    from riseml.excerpts import excerpt  # noqa: PLC0415

    near = get_close_matches(name, _PARSERS, n=1)
    advice = f"Settings are {', '.join(_PARSERS)}."
    if near:
        advice = f"Did you mean {near[0]}?"
    return InvalidInputError(f"{position}: unknown setting '{excerpt(name)}'", advice)


def _engine(value: Any, position: str) -> str:
    if not plugins.exists("engines", str(value)):
        error = plugins.unknown("engines", str(value))
        raise InvalidInputError(f"{position}: {error}", error.advice)
    return str(value)


def _runner(value: Any, position: str) -> str:
    if value not in RUNNERS:
        raise InvalidInputError(
            f"{position}: there is no runner '{value}'",
            f"Runners are {', '.join(RUNNERS)}.",
        )
    return str(value)


def _word(value: Any, _position: str) -> str:
    return str(value)


def _truth(value: Any, position: str) -> bool:
    # YAML's own truth values read like the words.
    truth = _TRUTH.get(str(value).lower())
    if truth is None:
        raise InvalidInputError(
            f"{position}: '{value}' is neither true nor false", "Write true or false."
        )
    return truth


def _bytes(value: Any, position: str) -> int:
    """Return a size such as `10 GB`."""
    # Few users set it, and loading `decimal` takes time.
    from riseml import quantities  # noqa: PLC0415

    amount = str(value).replace(" ", "").removesuffix("B")
    try:
        return quantities.bytes_of(amount)
    except ValueError:
        raise InvalidInputError(
            f"{position}: '{value}' is not a size", "Write a size like 10 GB or 500 MB."
        ) from None


_PARSERS: dict[str, Callable[[Any, str], Any]] = {
    "engine": _engine,
    "gitignore": _truth,
    "plain": _truth,
    "context": _word,
    "runner": _runner,
    "workdir_limit": _bytes,
    "resources.enforce": _truth,
    "gpus.shared_with_others": _truth,
}

NAMES = tuple(_PARSERS)
"""The names of all settings, as files and `config set` have them."""

ABOUT = {
    "engine": "What runs experiments: local, or argo for a cluster."
    " Without it, the context decides.",
    "context": "The cluster that runs go to; `riseml config use` chooses it.",
    "gitignore": "Whether snapshots leave out what .gitignore excludes.",
    "plain": "Whether output is for screen readers: no lines are redrawn, no symbols.",
    "runner": "What runs jobs on this machine: process, podman or docker;"
    " auto chooses one of them.",
    "workdir_limit": "Size of the files that a job may leave beside its code:"
    " bytes, or with a unit (20 GB).",
    "resources.enforce": "Whether a job on this machine may use no more than it requests.",
    "gpus.shared_with_others": "Whether jobs on this machine may get GPUs on which"
    " other programs hold memory.",
}
"""What each setting means, for the reference."""
