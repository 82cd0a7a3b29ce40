"""Settings of this user: from the command line, the environment, the project, the user's file, or a default.

    flag  >  RISEML_<NAME>  >  <project>/.riseml/config  >  <home>/config (RISEML_CONFIG)  >  default

Both files hold `name: value` lines of YAML. The home itself (RISEML_HOME, default ~/.riseml) is where the user's file
lies, so no file can say it. The user's file also holds contexts: the clusters that are known (`cluster/contexts.py`).
Where one is in use, runs go there unless `engine` says local. What clients of 2018 wrote there is left alone.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from riseml.errors import HomeError, InvalidInputError

_FOREIGN = frozenset({"current-context", "contexts", "clusters", "users"})
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
    """What holds now, and who is logged in; `origins` names where settings came from that have not their default."""

    home: Path
    user: str
    engine: str = "local"
    # The cluster in use, where the engine is argo
    context: str = ""
    # The user's file, where contexts stand
    file: Path = Path()
    gitignore: bool = True
    origins: Mapping[str, str] = field(default_factory=dict)


def load(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    project: Path | None = None,
) -> Settings:
    """Return the settings that hold; `project` is the folder of the riseml.yml, a flag that is None says nothing.

    Raises:
        InvalidInputError: a setting is unknown or cannot have its value, with where it stands.
        HomeError: a settings file cannot be read.
    """
    environment = os.environ if environment is None else environment
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    home, origin = _home(given, environment)
    values: dict[str, Any] = {}
    origins = {"home": origin} if origin else {}
    for source, layer in _layers(given, environment, home, project):
        for name, value in layer.items():
            if name not in origins:
                values[name], origins[name] = (
                    _PARSERS[name](value, f"{name} in {source}"),
                    source,
                )
    file = _users(environment, home)
    if "engine" not in values:
        values["engine"] = (
            "argo" if values.get("context") or _current(file) else "local"
        )
    if values["engine"] == "argo":
        values["context"] = values.get("context") or _current(file)
    return Settings(
        home=home, user=_login(environment), file=file, origins=origins, **values
    )


def _home(flags: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[Path, str]:
    if "home" in flags:
        return Path(flags["home"]).expanduser().absolute(), "flag"
    if environment.get("RISEML_HOME"):
        return Path(environment["RISEML_HOME"]).expanduser().absolute(), "RISEML_HOME"
    try:
        return Path.home() / ".riseml", ""
    except RuntimeError:
        raise HomeError(
            "this user has no home directory",
            "Set RISEML_HOME to a directory of yours.",
        ) from None


def _login(environment: Mapping[str, str]) -> str:
    """Return who is logged in, as an id can say it."""
    for variable in ("LOGNAME", "USER"):
        if environment.get(variable):
            return _name(environment[variable])
    # The environment mostly knows
    import pwd  # noqa: PLC0415

    try:
        return _name(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        return f"user{os.getuid()}"


def _name(login: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", login).strip("-_") or f"user{os.getuid()}"


def _layers(
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    home: Path,
    project: Path | None,
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield (
        "the command line",
        {name: value for name, value in flags.items() if name in _PARSERS},
    )
    for name in _PARSERS:
        if value := environment.get(f"RISEML_{name.upper()}"):
            yield f"RISEML_{name.upper()}", {name: value}
    if project is not None:
        yield from _file(project / ".riseml" / "config")
    yield from _file(_users(environment, home))


def _users(environment: Mapping[str, str], home: Path) -> Path:
    return Path(environment.get("RISEML_CONFIG") or home / "config")


def _current(file: Path) -> str:
    """Return the context that the user's file says is in use, if it is not one of 2018."""
    if not file.exists():
        return ""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    content = _yaml(text, file) if "current-context" in text else {}
    name = content.get("current-context")
    entries = [*(content.get("clusters") or ()), *(content.get("users") or ())]
    known = [
        each for each in entries if isinstance(each, dict) and each.get("name") == name
    ]
    return (
        str(name)
        if any("server" in _body(each) or "kubeconfig" in _body(each) for each in known)
        else ""
    )


def _body(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((each for each in entry.values() if isinstance(each, dict)), {})


def _file(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return
    except UnicodeDecodeError:
        raise InvalidInputError(
            f"{path} is not text", "A settings file holds `name: value` lines."
        ) from None
    except OSError as error:
        raise HomeError(
            f"cannot read {path}: {error.strerror}",
            "Make it readable, or move it away.",
        ) from None
    if text.strip():
        yield str(path), _checked(_yaml(text, path), path)


def _yaml(text: str, path: Path) -> dict[Any, Any]:
    # Few users have such a file
    import yaml  # noqa: PLC0415

    try:
        # A safe loader, the fast one
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f":{place.line + 1}" if place else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise InvalidInputError(
            f"{path}{line}: {problem}", "A settings file holds `name: value` lines."
        ) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InvalidInputError(
            f"{path} does not hold settings",
            "A settings file holds `name: value` lines.",
        )
    return content


def _checked(content: Mapping[Any, Any], path: Path) -> dict[str, Any]:
    for name in content:
        if name not in _PARSERS and name not in _FOREIGN:
            # Few users have such a file
            from difflib import get_close_matches  # noqa: PLC0415

            near = get_close_matches(str(name), _PARSERS, n=1)
            advice = (
                f"Did you mean {near[0]}?"
                if near
                else f"Settings are {', '.join(_PARSERS)}."
            )
            raise InvalidInputError(f"{path}: unknown setting '{name}'", advice)
    return {
        name: value
        for name, value in content.items()
        if name in _PARSERS and value is not None
    }


def _engine(value: Any, place: str) -> str:
    if value not in {"local", "argo"}:
        raise InvalidInputError(
            f"{place}: there is no engine '{value}'", "Engines are local and argo."
        )
    return str(value)


def _word(value: Any, _place: str) -> str:
    return str(value)


def _truth(value: Any, place: str) -> bool:
    truth = value if isinstance(value, bool) else _TRUTH.get(str(value).lower())
    if truth is None:
        raise InvalidInputError(
            f"{place}: '{value}' is neither true nor false", "Write true or false."
        )
    return truth


_PARSERS: dict[str, Callable[[Any, str], Any]] = {
    "engine": _engine,
    "gitignore": _truth,
    "context": _word,
}
