"""Tags and expressions in a Workflow: tags have values, expressions can be parsed."""

from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, Final

from riseml.engines.local.interpreter import expressions
from riseml.engines.local.interpreter.expressions import Expression, ExpressionError
from riseml.engines.local.interpreter.tags import inner, replace, tags

# Tags with these prefixes are Argo's; any other tag is text of the user and stays
# unchanged.
_ARGO_PREFIXES: Final = (
    "item.",
    "steps.",
    "inputs.",
    "outputs.",
    "pod.",
    "workflow.",
    "tasks.",
)


def _never(tag: str) -> bool:  # noqa: ARG001
    return False


def tag_faults(
    path: str,
    value: Any,
    known_tags: Container[str],
    is_task_tag: Callable[[str], bool] = _never,
) -> Iterator[str]:
    """Yield the tags that have no value there, or that need more than replacement.

    A tag has a value if it is in `known_tags`, or if `is_task_tag` accepts it.
    """
    for tag in dict.fromkeys(tags(value)):
        plain_tag = inner(tag)
        if plain_tag.startswith("="):
            yield f"{path}: the local engine does not evaluate {{{{{tag}}}}}"
        elif plain_tag.startswith(_ARGO_PREFIXES):
            if plain_tag not in known_tags and not is_task_tag(plain_tag):
                yield f"{path}: {{{{{tag}}}}} has no value here"


def expression_faults(path: str, text: str, names: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with the expression of a hook or of a retryStrategy.

    `names` are the names that have values. An empty text is no expression, so it has
    no faults.
    """
    try:
        unknown_names = _parse(expressions.expression, text).difference(names)
    except ExpressionError as error:
        yield f"{path}: {error}"
        return
    for name in sorted(unknown_names):
        yield f"{path}: {name!r} has no value here"


def when_faults(path: str, text: str) -> Iterator[str]:
    """Yield what is wrong with a `when`; an empty text has no faults."""
    try:
        _parse(expressions.condition, text)
    except ExpressionError as error:
        yield f"{path}: {error}"


def _parse(parser: Callable[[str], Expression], text: str) -> frozenset[str]:
    """Return the names that a text reads, whose tags may have any values."""
    if not text:
        return frozenset()
    return parser(_replace_tags(text)).names


def _replace_tags(text: str) -> str:
    """Replace every tag by a word whose type the parser does not know."""
    return replace(text, lambda _: expressions.TAG)
