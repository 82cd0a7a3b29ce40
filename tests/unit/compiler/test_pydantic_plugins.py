"""Models of Hera have no plug-ins of Pydantic, and all others have them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic.plugin import _loader

from riseml.compiler import pydantic_plugins


def test_models_of_other_threads_have_plug_ins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_loader, "_plugins", {"a": object()})
    with pydantic_plugins.ignored(), ThreadPoolExecutor(1) as pool:
        with pydantic_plugins.ignored():
            pass
        assert not list(_loader.get_plugins())
        assert len(list(pool.submit(_loader.get_plugins).result())) == 1
    assert len(list(_loader.get_plugins())) == 1


def test_models_have_plug_ins_with_another_version_of_pydantic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(_loader, "get_plugins")
    pydantic_plugins._install()
    assert not hasattr(_loader, "get_plugins")
