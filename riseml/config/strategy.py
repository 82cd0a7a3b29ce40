"""`search`: the strategy that chooses which assignments of the parameters run, and its options.

search: grid
search: {strategy: random, trials: 20}     the keys beside `strategy` are those of the strategy's SECTION
"""

from dataclasses import dataclass
from typing import Any, Self

from yaml.nodes import MappingNode, Node, ScalarNode

from riseml import search
from riseml.schema.fields import Choice, PluginName, Record, Schema, Value, underscored
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import MAP, STR

_KEY = "strategy"
_NAME = PluginName(search.exists, search.names)


@dataclass(frozen=True)
class SearchConfig:
    """The name of a search strategy, and what its SECTION made of the options."""

    strategy: str
    options: Any

    @classmethod
    def default(cls) -> Self:
        """Return the search of a riseml.yml that names none."""
        return cls(search.DEFAULT, search.find(search.DEFAULT).SECTION.make())


class _Section(Record[SearchConfig]):
    """The mapping for one strategy: `strategy` beside the keys of the strategy's own section."""

    def __init__(self, strategy: str) -> None:
        self.section = search.find(strategy).SECTION
        # The strategy's own `find` may add keys, as that of `train` does for frameworks.
        super().__init__(
            self._make,
            {_KEY: Choice(strategy).says("Which strategy chooses the experiments.")},
            required={
                _KEY: "Write for example strategy: grid.",
                **self.section.required,
            },
            hints=self.section.hints,
            check=self.section.check,
        )

    def names(self) -> tuple[str, ...]:
        """Return `strategy` and the strategy's own keys."""
        return (_KEY, *self.section.names())

    def find(self, key: str) -> Value[Any] | None:
        """Return the kind of value of a key."""
        return super().find(key) or self.section.find(key)

    def _make(self, **values: Any) -> SearchConfig:
        strategy = values.pop(_KEY)
        return SearchConfig(strategy, self.section.make(**values))


class Search(Value[SearchConfig]):
    """The name of a strategy, or a mapping of `strategy` and the strategy's own keys."""

    def read(self, node: Node, name: str, doc: Document) -> SearchConfig | None:
        """Return the strategy with its options; a bare name stands for a mapping of `strategy` alone."""
        if doc.is_mapping(node):
            entries = doc.entries(node, name, underscored)
            _, strategy_node = entries.get(_KEY, (None, None))
            strategy_name = f"{name}.{_KEY}"
        else:
            strategy_node = node
            strategy_name = name
            key = ScalarNode(STR, _KEY, node.start_mark, node.end_mark)
            node = MappingNode(MAP, [(key, node)], node.start_mark, node.end_mark)
        if strategy_node is None:
            # The default strategy's section reports the missing key, and unknown ones.
            return _Section(search.DEFAULT).read(node, name, doc)
        strategy = _NAME.read(strategy_node, strategy_name, doc)
        return _Section(strategy).read(node, name, doc) if strategy else None

    def schema(self) -> Schema:
        """Return the names, and one form of the mapping for each strategy."""
        sections = [_Section(strategy).schema() for strategy in search.names()]
        return {"anyOf": [_NAME.schema(), *sections]}
