"""The hook that lets editable packages refer to the code of a job's revision."""

import sys
from types import ModuleType

import pytest

from riseml.engines.local.jobs import moved_code


def test_paths_below_built_become_paths_of_the_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = f"{sys.prefix}/built"
    module = ModuleType("__editable___lib_finder")
    vars(module).update(
        MAPPING={"lib": f"{built}/src/lib", "other": "/opt/other"},
        NAMESPACES={"space": [f"{built}/space", f"{built}-not"]},
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(sys, "path", [f"{built}/src", built, "/usr/lib"])
    monkeypatch.delenv("RISEML_CODE_DIR", raising=False)
    moved_code.main()
    assert sys.path[0] == f"{built}/src"
    monkeypatch.setenv("RISEML_CODE_DIR", "/code")
    moved_code.main()
    assert sys.path == ["/code/src", "/code", "/usr/lib"]
    assert vars(module)["MAPPING"] == {"lib": "/code/src/lib", "other": "/opt/other"}
    assert vars(module)["NAMESPACES"] == {"space": ["/code/space", f"{built}-not"]}
