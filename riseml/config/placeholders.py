"""`{{name}}` in commands: which are replaced, and what Argo, which reads `{{` too, would make of the others.

{{lr}}  {{ lr }}     a declared parameter: replaced by its value, as text and without quotes
{{dropout}}          not declared: stays as it is, with a warning
{{lrr}}              not declared, but similar to a declared one: an error
{{workflow.name}}    Argo would replace it and has no escape for it: an error
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from yaml.nodes import ScalarNode

from riseml.distributions import Parameters, samples
from riseml.excerpts import excerpt
from riseml.plan import is_exported, variable_of
from riseml.schema.messages import did_you_mean, nearest
from riseml.schema.yaml_document import Document

_PLACEHOLDER = re.compile(r"\{\{( *)([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)( *)\}\}")
# Tags that Argo replaces in any text, and expressions (`=…`).
_ARGO = r"(?:item|retries)$|(?:item|workflow|inputs|outputs|steps|tasks|pod|node|lastRetry|cronworkflow)\.|="
# By the quotes around a placeholder: the characters that a shell interprets between them.
_SPECIAL_CHARACTERS = {
    "'": "'",
    '"': r'["$`\\!]',
    "": r"[^\w@%+=:,./^-]",
}
# Finding the nearest name is slow; a file with more undeclared placeholders than this
# does not mean parameters.
_MAX_SUGGESTIONS = 20
# A name that is so similar to a parameter's (0 to 1) is a slip.
_SLIP = 0.75
# A tag is found in the file by its first characters.
_TAG_CHARACTERS = 24


# `--momentum ` before a placeholder.
_OPTION = re.compile(r"""(?:^|\s)(--[A-Za-z][\w.-]*)[ \t]+["']?$""")
_OPTION_CHARACTERS = 100
_DASHED = re.compile("^-.*", re.MULTILINE)


class Use(NamedTuple):
    """One placeholder; `quote` is the quote on both sides of it, or a `$` before it.

    `option` is the option whose value it is, as a word of its own, or empty.
    """

    name: str
    node: ScalarNode
    text: str
    quote: str
    option: str


def check_text(node: ScalarNode, declared: Collection[str], doc: Document) -> None:
    """Note every `{{` in a command or variable that Argo would not leave as it is."""
    text = node.value
    start = text.find("{{")
    while start >= 0:
        end = text.find("}}", start)
        fault = _fault(text, start, end, declared)
        if fault:
            message, advice = fault
            tag = text[start : start + _TAG_CHARACTERS].partition("\n")[0]
            doc.error(node, message, advice, substring=tag)
        if end < 0:
            return
        start = text.find("{{", end + 2)


def _fault(
    text: str, start: int, end: int, declared: Collection[str]
) -> tuple[str, str] | None:
    """Return message and advice about the braces at `start`, closed at `end` (-1: never)."""
    if end < 0:
        return (
            "'{{' without '}}'",
            "Argo would look for the end; in a shell write '{''{' instead.",
        )
    # Argo's tag begins at the last '{{' before its end.
    tag = text[start + 2 : end].rpartition("{{")[2].strip()
    if tag not in declared and re.match(_ARGO, tag):
        return (
            f"Argo would replace '{{{{{excerpt(tag)}}}}}' before the shell sees it",
            "Argo has no escape for it; RiseML sets $RISEML_EXPERIMENT, $EXPERIMENT_ID and $RISEML_ATTEMPT.",
        )
    if text.startswith("{", start + 2) and tag.lstrip("{ ") in declared:
        return (
            "'{{{' hides a placeholder from Argo",
            "Write a space between '{' and '{{'.",
        )
    return None


def uses(nodes: Iterable[ScalarNode]) -> Iterator[Use]:
    """Yield the placeholders of texts, whether a parameter declares them or not."""
    for node in nodes:
        yield from _uses_in(node)


def _uses_in(node: ScalarNode) -> Iterator[Use]:
    text = node.value
    for match in _PLACEHOLDER.finditer(text):
        start, end = match.span()
        sign = text[start - 1 : start]
        quoted = sign == "$" or (sign in ("'", '"') and text.startswith(sign, end))
        options = _OPTION.findall(text, max(0, start - _OPTION_CHARACTERS), start)
        quote = sign if quoted else ""
        yield Use(match[2], node, match[0], quote, "".join(options))


def warn_spaces(used: Iterable[Use], declared: Collection[str], doc: Document) -> None:
    """Note placeholders of declared parameters with spaces inside, once for a name."""
    spaced: dict[str, Use] = {}
    for use in used:
        if " " in use.text and use.name in declared:
            spaced.setdefault(use.name, use)
    for name, use in spaced.items():
        message = f"'{use.text}' is replaced even though it contains spaces"
        advice = (
            f"RiseML of 2018 left it as it is; {{{{{name}}}}} means the same in both."
        )
        doc.warn(use.node, message, advice, substring=use.text)


def check_undeclared(
    used: Iterable[Use], declared: Collection[str], doc: Document
) -> None:
    """Note placeholders that no parameter declares, once for a name."""
    undeclared: dict[str, Use] = {}
    for use in used:
        # `check_text` notes those that Argo would replace.
        if use.name not in declared and not re.match(_ARGO, use.name):
            undeclared.setdefault(use.name, use)
    choices = tuple(declared)
    if len(undeclared) > _MAX_SUGGESTIONS:
        choices = ()
    for use in undeclared.values():
        _note_undeclared(use, choices, doc)


def _note_undeclared(use: Use, declared: Sequence[str], doc: Document) -> None:
    message = f"no parameter '{use.name}' is declared"
    slip = nearest(use.name, declared, _SLIP) or _same_letters(use.name, declared)
    if slip:
        # The command would run with the braces, and fail or train something else.
        advice = f"Did you mean '{{{{{slip}}}}}'?"
        doc.error(use.node, message, advice, substring=use.text)
        return
    if "." in use.name:
        # Programs have such texts of their own, as `${{ matrix.os }}`.
        return
    message += f": '{use.text}' stays as it is"
    advice = did_you_mean(use.name, declared)
    doc.warn(use.node, message, advice, substring=use.text)


def _same_letters(name: str, declared: Iterable[str]) -> str:
    """Return the parameter that has the letters of `name` in another order, or ""."""
    letters = sorted(name)
    return next((other for other in declared if sorted(other) == letters), "")


def warn_values(parameters: Parameters, used: Iterable[Use], doc: Document) -> None:
    """Note values that the shell would not read as one plain word where they are put into a command."""
    noted: set[tuple[str, str]] = set()
    for use in used:
        if use.name not in parameters or (use.name, use.quote) in noted:
            continue
        noted.add((use.name, use.quote))
        variable = variable_of(use.name)
        if use.quote == "$":
            message = f"'$' stays before the value of '{use.name}'"
            advice = f'Write {use.text} or "${variable}".'
            doc.warn(use.node, message, advice, substring=f"${use.text}")
            continue
        values = samples(parameters[use.name])
        _warn_dash(values, use, doc)
        value = _special_value(values, use.quote)
        if value is not None:
            message = (
                f"the shell would not read the value '{excerpt(value)}' of '{use.name}'"
                " as one plain word"
            )
            advice = f'Write "${variable}" in place of {use.text}.'
            doc.warn(use.node, message, advice, substring=use.text)


def _warn_dash(values: Sequence[str], use: Use, doc: Document) -> None:
    """Note a value that a program would read as an option of its own."""
    dashed = _DASHED.search("\n".join(values))
    if dashed and use.option:
        message = (
            f"many programs would read the value '{excerpt(dashed[0])}' of '{use.name}'"
            f" as an option, not as the value of {use.option}"
        )
        advice = f"Write {use.option}={use.quote}{use.text}{use.quote}."
        doc.warn(use.node, message, advice, substring=use.text)


def _special_value(values: Sequence[str], quote: str) -> str | None:
    """Return the first value that a shell reads as more or less than one word between these quotes."""
    special = re.compile(_SPECIAL_CHARACTERS[quote])
    for value in values:
        # An empty value is a word only in quotes.
        if special.search(value) or not (value or quote):
            return value
    return None


def warn_unused(
    parameters: Mapping[str, ScalarNode],
    used: Iterable[Use],
    run: Iterable[str],
    doc: Document,
) -> None:
    """Note parameters that no command names, neither as placeholder nor as variable."""
    unused = dict(parameters)
    for use in used:
        unused.pop(use.name, None)
    if not unused:
        return
    # Variables are in upper case, so lower-case words cannot be one.
    words = set(re.findall("[A-Z0-9_]+", "\n".join(run)))
    for name, key in unused.items():
        variable = variable_of(name)
        advice = f"Write {{{{{name}}}}} in run."
        if is_exported(variable):
            if variable in words:
                continue
            advice = f"Correct if the program itself reads ${variable}; otherwise write {{{{{name}}}}} in run."
        doc.warn(key, f"no command uses the parameter '{name}'", advice)


def warn_install(
    nodes: Iterable[ScalarNode], declared: Collection[str], doc: Document
) -> None:
    """Note placeholders in install steps, which make one image for the set."""
    for use in uses(nodes):
        if use.name in declared:
            message = f"'{use.text}' is not replaced in install"
            doc.warn(use.node, message, "It is in run and env.", substring=use.text)
