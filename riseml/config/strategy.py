"""`search`: the strategy that chooses which assignments of the parameters run, and its options.

search: grid
search: {method: random, trials: 20}     the keys beside those of all strategies are those of its SECTION
"""

from collections.abc import Mapping
from typing import Any, Self

from yaml.nodes import MappingNode, Node, ScalarNode

from riseml import search
from riseml.config.results import METRIC_NAME, MODE
from riseml.dataclass import dataclass
from riseml.schema.fields import Choice, PluginName, Record, Schema, Value, underscored
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import MAP, STR

_KEY = "method"
_NAME = PluginName(search.exists, search.names)
_COMMON_KEYS: dict[str, Value[Any]] = {
    "metric": METRIC_NAME.says(
        "The metric that decides which experiment is best.",
        otherwise="it is the first one of `results`",
        example="val_loss",
    ),
    "mode": MODE.says(
        "Whether its smallest or its largest value is best.",
        otherwise="it is that of the metric in `results`",
        example="min",
    ),
}


@dataclass(frozen=True)
class SearchConfig:
    """The name of a search strategy, what its SECTION made of the options, and the metric.

    `metric` and `mode` are empty where the file has no such keys.
    """

    method: str
    options: Any
    metric: str = ""
    mode: str = ""

    @classmethod
    def default(cls) -> Self:
        """Return the search of a riseml.yml that names none."""
        return cls(search.DEFAULT, search.find(search.DEFAULT).SECTION.make())


class _Section(Record[SearchConfig]):
    """The mapping for one strategy: the keys of all strategies, and those of its own section."""

    def __init__(self, method: str) -> None:
        self.section = search.find(method).SECTION
        # The strategy's own `find` may add keys, as that of `train` does for frameworks.
        super().__init__(
            self._make,
            {
                _KEY: Choice(method).says(
                    "Which strategy chooses the experiments.", example=method
                ),
                **_COMMON_KEYS,
            },
            required={
                _KEY: "Write for example method: grid.",
                **self.section.required,
            },
            hints=self.section.hints,
            check=self.section.check,
        )

    def names(self) -> tuple[str, ...]:
        """Return the keys of all strategies and the strategy's own."""
        return (*self.keys, *self.section.names())

    def find(self, key: str) -> Value[Any] | None:
        """Return the kind of value of a key."""
        return super().find(key) or self.section.find(key)

    def _make(self, **values: Any) -> SearchConfig:
        common = {name: values.pop(name) for name in self.keys if name in values}
        return SearchConfig(options=self.section.make(**values), **common)


class Search(Value[SearchConfig]):
    """The name of a strategy, or a mapping of `method` and other keys."""

    expected = "the name of a strategy, or a mapping"

    def read(self, node: Node, name: str, doc: Document) -> SearchConfig | None:
        """Return the strategy with its options; a bare name stands for a mapping of `method` alone."""
        if doc.is_mapping(node):
            entries = doc.entries(node, name, underscored)
            _, method_node = entries.get(_KEY, (None, None))
            method_name = f"{name}.{_KEY}"
        else:
            method_node = node
            method_name = name
            key = ScalarNode(STR, _KEY, node.start_mark, node.end_mark)
            node = MappingNode(MAP, [(key, node)], node.start_mark, node.end_mark)
        if method_node is None:
            # The default strategy's section reports the missing key, and unknown ones.
            return _Section(search.DEFAULT).read(node, name, doc)
        method = _NAME.read(method_node, method_name, doc)
        return _Section(method).read(node, name, doc) if method else None

    def schema(self) -> Schema:
        """Return the names, and one form of the mapping for each strategy."""
        sections = [_Section(method).schema() for method in search.names()]
        return {"anyOf": [_NAME.schema(), *sections]}

    def mappings(self) -> Mapping[str, Value[Any]]:
        """Return the mapping of each strategy."""
        return {method: _Section(method) for method in search.names()}
