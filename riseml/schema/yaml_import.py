"""Import of PyYAML that is 10 ms shorter; import this module before `yaml`.

PyYAML compiles a pattern for its parser in Python, and the parser in C does not use it. The
pattern's ranges beyond 16 bits make it as expensive as all of its other modules together.
Here it is compiled when it is used. Where PyYAML has another pattern, nothing changes.
"""

import re
from functools import cached_property
from typing import Any

_SLOW = "[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


class LatePattern:
    """A pattern that is compiled when it is used."""

    def __init__(self, text: str, flags: int) -> None:
        self._text = text
        self._flags = flags

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # `re` forgets a pattern when 512 others were compiled.
        return re.compile(self._text, self._flags)

    def __getattr__(self, name: str) -> object:
        return getattr(self._pattern, name)


def _load() -> None:
    compile_at_once = re.compile

    def compile_late(pattern: Any, flags: Any = 0) -> Any:
        # Other threads may be compiling theirs.
        if pattern == _SLOW:
            return LatePattern(pattern, flags)
        return compile_at_once(pattern, flags)

    setattr(re, compile_at_once.__name__, compile_late)
    try:
        import yaml.reader  # noqa: F401, PLC0415
    finally:
        setattr(re, compile_at_once.__name__, compile_at_once)


_load()
