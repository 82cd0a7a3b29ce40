"""Reference of the settings, from their declarations."""

from dataclasses import fields

from riseml import settings
from riseml.settings import Settings


def markdown() -> str:
    """Return a table of all settings."""
    lines = ["| setting | variable | meaning | default |", "|---|---|---|---|"]
    for name in settings.NAMES:
        variable = f"RISEML_{settings.identifier(name).upper()}"
        default = default_of(name)
        about = settings.ABOUT[name]
        lines.append(f"| `{name}` | `{variable}` | {about} | {default} |")
    return "\n".join(lines)


def default_of(name: str) -> str:
    """Return the default as a file has it, "" if there is none."""
    (field,) = (f for f in fields(Settings) if f.name == settings.identifier(name))
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, int):
        return f"`{field.default // 10**9} GB`"
    return f"`{field.default}`" if field.default else ""
