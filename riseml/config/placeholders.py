"""`{{name}}` in commands: which ones are replaced, and what Argo, which reads `{{` too, would make of the rest.

{{lr}}  {{ lr }}     a declared parameter: its value, as text and without quotes
{{dropout}}          declared by nobody: stays as it is, with a warning
{{workflow.name}}    Argo would replace it, and knows no escape: refused
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from yaml.nodes import ScalarNode

from riseml.plan import variable_of
from riseml.schema.messages import nearest
from riseml.schema.yaml_document import Document, excerpt

_PLACEHOLDER = re.compile(r"\{\{( *)([A-Za-z0-9_-]+)( *)\}\}")
_ARGO = r"(?:item|retries)$|(?:item|workflow|inputs|outputs|steps|tasks|pod|node|lastRetry|cronworkflow)\.|="
_RISKY = {
    "'": "'",
    '"': r'["$`\\!]',
    "": r"[^\w@%+=:,./^-]",
}  # what a shell reads, by the quotes around it
# Undeclared placeholders for which the nearest name is looked up
_ADVISED = 20
# Characters of a tag that are enough to find it in the file
_SHOWN = 24


class Use(NamedTuple):
    """One placeholder; `quote` is the sign that stands on both of its sides, or a `$` before it."""

    name: str
    node: ScalarNode
    text: str
    quote: str


def check_text(node: ScalarNode, declared: Collection[str], doc: Document) -> None:
    """Note every `{{` in a command or variable that Argo would not leave alone."""
    text, at = node.value, 0
    while (start := text.find("{{", at)) >= 0:
        end = text.find("}}", start)
        tag = text[start + 2 : end].rpartition("{{")[2].strip()
        message = advice = ""
        if end < 0:
            message, advice = (
                "'{{' without '}}'",
                "Argo would look for its end; in a shell write '{''{' instead.",
            )
        elif tag not in declared and re.match(_ARGO, tag):
            message = (
                f"Argo would replace '{{{{{excerpt(tag)}}}}}' before the shell sees it"
            )
            advice = "Argo has no escape for it; riseml sets $RISEML_EXPERIMENT, $EXPERIMENT_ID and $RISEML_ATTEMPT."
        elif text.startswith("{", start + 2) and tag.lstrip("{ ") in declared:
            message, advice = (
                "'{{{' hides a placeholder from Argo",
                "Write a blank between '{' and '{{'.",
            )
        if message:
            doc.error(
                node,
                message,
                advice,
                at=text[start : start + _SHOWN].partition("\n")[0],
            )
        at = end + 2 if end >= 0 else len(text)


def uses(node: ScalarNode) -> Iterator[Use]:
    """Yield the placeholders of a text, whether a parameter declares them or not."""
    text = node.value
    for match in _PLACEHOLDER.finditer(text):
        start, end = match.span()
        sign = text[start - 1 : start]
        quoted = sign == "$" or (sign in ("'", '"') and text.startswith(sign, end))
        yield Use(match[2], node, match[0], sign if quoted else "")


def warn_undeclared(
    used: Iterable[Use], declared: Collection[str], doc: Document
) -> None:
    """Note placeholders that no parameter declares, and declared ones with blanks inside, once each."""
    told = set()
    for use in used:
        is_declared = use.name in declared
        if (is_declared and " " not in use.text) or use.name in told:
            continue
        told.add(use.name)
        if is_declared:
            advice = f"RiseML of 2018 left it as it is; {{{{{use.name}}}}} means the same everywhere."
            doc.warn(
                use.node,
                f"'{use.text}' is replaced, in spite of its blanks",
                advice,
                at=use.text,
            )
        else:
            near = nearest(use.name, tuple(declared)) if len(told) < _ADVISED else None
            message = (
                f"no parameter '{use.name}' is declared: '{use.text}' stays as it is"
            )
            doc.warn(
                use.node,
                message,
                f"Did you mean '{near}'?" if near else "",
                at=use.text,
            )


def warn_values(
    parameters: Mapping[str, Sequence[str]], used: Iterable[Use], doc: Document
) -> None:
    """Note values that the shell would not take as one plain word where they are put into a command."""
    told = set()
    for use in used:
        if use.name not in parameters or (use.name, use.quote) in told:
            continue
        told.add((use.name, use.quote))
        variable = variable_of(use.name)
        if use.quote == "$":
            message = f"'$' stays before the value of '{use.name}'"
            doc.warn(
                use.node,
                message,
                f'Write {use.text} or "${variable}".',
                at=f"${use.text}",
            )
        elif (value := _risky(parameters[use.name], use.quote)) is not None:
            doc.warn(
                use.node,
                f"the shell would not read the value '{excerpt(value)}' of '{use.name}' as one plain word",
                f'Write "${variable}" in place of {use.text}.',
                at=use.text,
            )


def _risky(values: Sequence[str], quote: str) -> str | None:
    read_by_shell = re.compile(_RISKY[quote]).search
    return next(
        (value for value in values if read_by_shell(value) or not (value or quote)),
        None,
    )


def warn_unused(
    parameters: Mapping[str, ScalarNode],
    used: Iterable[Use],
    run: Iterable[str],
    doc: Document,
) -> None:
    """Note parameters that no command names, neither as placeholder nor as variable."""
    named = {use.name for use in used}
    unnamed = {name: key for name, key in parameters.items() if name not in named}
    words = (
        {word for command in run for word in re.findall("[A-Z0-9_]+", command)}
        if unnamed
        else set()
    )
    for name, key in unnamed.items():
        if (variable := variable_of(name)) not in words:
            advice = f"Right if the program itself reads ${variable}; else write {{{{{name}}}}} in run."
            doc.warn(key, f"no command uses the parameter '{name}'", advice)


def warn_install(
    nodes: Iterable[ScalarNode], declared: Collection[str], doc: Document
) -> None:
    """Note placeholders in install steps, which make one image for the whole set."""
    for use in (use for node in nodes for use in uses(node) if use.name in declared):
        doc.warn(
            use.node,
            f"'{use.text}' is not replaced in install",
            "It is in run and env.",
            at=use.text,
        )
