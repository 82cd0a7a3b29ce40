"""Tables of experiments: a CSV file as YAML nodes whose positions are those of its cells."""

import csv
import os
from itertools import starmap

from yaml.nodes import Node, ScalarNode, SequenceNode

from riseml.config import file
from riseml.errors import ConfigError, Fault
from riseml.excerpts import excerpt
from riseml.schema import foreign_nodes
from riseml.schema.foreign_nodes import ForeignMark
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import SEQ


def read(name: ScalarNode, folder: str | None, doc: Document) -> SequenceNode:
    """Return the rows of the table that a node names, as a list of mappings.

    Raises:
        ConfigError: it cannot be read.
    """
    if folder is None:
        doc.error(name, "a table can only be read beside its riseml.yml")
        raise ConfigError(doc.faults)
    try:
        # pathlib takes as long to load as reading a small file.
        text = file.read(os.path.join(folder, name.value), name.value)  # noqa: PTH118
        return _Table(name.value, text).rows()
    except ConfigError as error:
        if error.faults[0].line:
            raise
        # The file as a whole cannot be read.
        doc.error(name, f"{excerpt(name.value)}: {error.faults[0].message}")
        raise ConfigError(doc.faults) from None


_Cell = tuple[str, ForeignMark]
"""The text of a cell, and its position."""


class _Table:
    """A CSV file with a line of names; cells are read like values of a riseml.yml."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._lines = text.removeprefix("\ufeff").splitlines(keepends=True)
        self._reader = csv.reader(self._lines, skipinitialspace=True, strict=True)

    def rows(self) -> SequenceNode:
        """Return the list of all rows.

        Raises:
            ConfigError: the text is not a table.
        """
        try:
            names, *cells = filter(None, map(self._cells, self._reader))
        except csv.Error as error:
            raise self._fault(f"this is not CSV: {error}") from None
        except ValueError:
            raise self._fault(
                "the table is empty", "Its first line has names."
            ) from None
        rows = [self._row(names, row) for row in cells]
        if not rows:
            raise self._fault("the table has no experiments", "Add lines of values.")
        mark = ForeignMark(self._name)
        return SequenceNode(SEQ, rows, mark, mark, flow_style=False)

    def _row(self, names: list[_Cell], cells: list[_Cell]) -> Node:
        _, mark = cells[0]
        if len(cells) != len(names):
            message = f"this line has {len(cells)} values, but the table has {len(names)} names"
            fault = Fault(self._name, mark.line + 1, 1, message, source=mark.source)
            raise ConfigError((fault,))
        keys = starmap(foreign_nodes.key, names)
        values = starmap(foreign_nodes.parse, cells)
        return foreign_nodes.mapping(list(zip(keys, values, strict=True)), mark)

    def _cells(self, texts: list[str]) -> list[_Cell]:
        """Return the cells of the line that the reader has just read."""
        line = self._reader.line_num - 1
        source = self._lines[line].rstrip("\r\n")
        cells, start = [], 0
        for text in texts:
            # A cell in quotes may not be found as it is.
            column = max(start, source.find(text, start))
            start = column + len(text) + 1
            cells.append((text.strip(), ForeignMark(self._name, line, column, source)))
        return cells

    def _fault(self, message: str, advice: str = "") -> ConfigError:
        line = self._reader.line_num
        source = excerpt(self._lines[line - 1].rstrip("\r\n")) if line else ""
        fault = Fault(self._name, line, 1, message, source=source, advice=advice)
        return ConfigError((fault,))
