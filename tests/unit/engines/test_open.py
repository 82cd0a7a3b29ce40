"""Engines by name: the one that the settings name, and errors about others."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from riseml import plugins
from riseml.engines.local.engine import LocalEngine
from riseml.engines.open import context_in_use, describe, engine_checks, open_engine
from riseml.errors import InvalidInputError, RiseMLError
from riseml.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of a user whose runs stay on this machine."""
    return Settings(home=tmp_path / "home", user="paul", context="lab")


def test_the_engine_of_the_settings_is_opened(settings: Settings) -> None:
    assert isinstance(open_engine(settings), LocalEngine)
    assert describe(settings) == "this machine"
    assert engine_checks(settings)


def test_only_some_engines_use_contexts(settings: Settings) -> None:
    assert context_in_use(settings) == ""
    assert context_in_use(replace(settings, engine="argo")) == "lab"


@pytest.mark.parametrize(
    "function", [open_engine, engine_checks, describe, context_in_use]
)
def test_an_unknown_engine_is_an_error_with_the_nearest_name(
    function: object, settings: Settings
) -> None:
    assert callable(function)
    with pytest.raises(InvalidInputError, match="there is no engine 'agro'") as caught:
        function(replace(settings, engine="agro"))
    assert caught.value.advice.startswith("Did you mean 'argo'? Installed engines: ")


@pytest.mark.parametrize("function", [open_engine, engine_checks, describe])
def test_an_engine_without_a_function_is_an_error_that_names_both(
    function: object, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(function)
    monkeypatch.setattr(plugins, "load", lambda kind, name: ModuleType(name))
    with pytest.raises(RiseMLError) as caught:
        function(replace(settings, engine="their-engine"))
    name = getattr(function, "__name__", "")
    assert str(caught.value) == f"the engine 'their-engine' has no function {name}"
    assert "choose another engine" in caught.value.advice
    # USES_CONTEXTS is optional.
    assert context_in_use(replace(settings, engine="their-engine")) == ""
