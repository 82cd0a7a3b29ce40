"""Names of plug-ins in riseml.yml: frameworks and search strategies, built in or installed."""

from collections.abc import Callable

from yaml.nodes import Node, ScalarNode

from riseml.schema.fields import Schema, Value
from riseml.schema.messages import did_you_mean, one_of
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import STR, is_scalar


class PluginName(Value[str]):
    """The name of a plug-in of one kind.

    `exists` decides whether a name is one; `names` lists all of them, which takes longer.
    """

    kinds = (STR,)

    def __init__(
        self,
        exists: Callable[[str], bool],
        names: Callable[[], tuple[str, ...]],
        advice: str = "",
    ) -> None:
        self.exists = exists
        self.names = names
        self.advice = advice

    def read(self, node: Node, name: str, doc: Document) -> str | None:
        """Return the name."""
        if is_scalar(node, STR) and self.exists(node.value):
            return str(node.value)
        # The names are read only for a message, since that imports importlib.metadata.
        names = self.names()
        self.expected = one_of(names)
        word = node.value if isinstance(node, ScalarNode) else ""
        self.refuse(node, name, doc, did_you_mean(word, names, self.advice))
        return None

    def schema(self) -> Schema:
        """Return an enumeration of the names."""
        return {"enum": list(self.names())}
