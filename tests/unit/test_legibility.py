"""The package stays readable: limits on names and density that no lint rule has."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "riseml"

# Words that say nothing about what a value is. The thing itself is the better name.
VAGUE = frozenset(
    [
        "said",
        "told",
        "tell",
        "tells",
        "shown",
        "whole",
        "wanted",
        "known",
        "found",
        "each",
        "own",
        "there",
        "here",
        "more",
        "before",
        "asked",
        "kept",
        "left",
        "made",
        "taken",
        "part",
        "place",
        "look",
        "looks",
        "again",
        "way",
        "what",
        "thing",
        "things",
        "stuff",
    ]
)
# The figures of well-known code bases (nox, httpx, procrastinate, ops, attrs) lie within these limits.
VAGUE_PER_10000 = 20
DECISIONS_PER_100_LINES = 24
DECISIONS_OF_A_FUNCTION = 10
FUNCTIONS_ABOVE_THAT = 10
COMPREHENSIONS_PER_1000_LINES = 20
COMMENT_PERCENT = 3
LINES_OF_A_FUNCTION = 50
LINES_OF_A_MODULE = 400
GERUND_MODULES = 3

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
BRANCHES = (
    ast.If,
    ast.For,
    ast.While,
    ast.IfExp,
    ast.ExceptHandler,
    ast.Assert,
    ast.match_case,
)


class Module:
    """One source file: its lines and its syntax tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = path.read_text("utf-8").splitlines()
        self.nodes = list(ast.walk(ast.parse("\n".join(self.lines))))

    def at(self, node: ast.AST) -> str:
        return f"{self.path.relative_to(PACKAGE.parent)}:{getattr(node, 'lineno', 0)}"


Function = ast.FunctionDef | ast.AsyncFunctionDef


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    return [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]


def functions(modules: list[Module]) -> Iterator[tuple[Module, Function]]:
    for module in modules:
        for node in module.nodes:
            if isinstance(node, FUNCTIONS):
                yield module, node


def decisions(function: Function) -> int:
    """Count branches, boolean operators, and loops and conditions of comprehensions."""
    total = 0
    for node in ast.walk(function):
        if isinstance(node, BRANCHES):
            total += 1
        elif isinstance(node, ast.BoolOp):
            total += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            total += 1 + len(node.ifs)
    return total


def code_lines(module: Module, function: Function) -> int:
    """Count the lines of a function without blank lines, comments and its docstring."""
    lines = module.lines[function.lineno - 1 : function.end_lineno]
    count = sum(
        1 for line in lines if line.strip() and not line.strip().startswith("#")
    )
    if ast.get_docstring(function):
        docstring = function.body[0]
        count -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return max(count, 1)


def identifiers(module: Module) -> Iterator[tuple[str, ast.AST]]:
    for node in module.nodes:
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield name, node
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node


def code_of(modules: list[Module]) -> int:
    return sum(1 for module in modules for line in module.lines if line.strip())


def test_names_say_what_a_value_is(modules: list[Module]) -> None:
    total, vague = 0, Counter[str]()
    for module in modules:
        for name, node in identifiers(module):
            total += 1
            if name.strip("_") in VAGUE:
                vague[f"{name} at {module.at(node)}"] += 1
    assert 10_000 * vague.total() / total <= VAGUE_PER_10000, sorted(vague)


def test_a_line_does_not_decide_much(modules: list[Module]) -> None:
    decided = lines = 0
    heavy = []
    for module, function in functions(modules):
        count = decisions(function)
        decided += count
        lines += code_lines(module, function)
        if count > DECISIONS_OF_A_FUNCTION:
            heavy.append(f"{module.at(function)} {function.name}: {count}")
    assert 100 * decided / lines <= DECISIONS_PER_100_LINES
    assert len(heavy) <= FUNCTIONS_ABOVE_THAT, heavy


def test_expressions_are_flat(modules: list[Module]) -> None:
    nested, chained, count = [], [], 0
    for module in modules:
        for node in module.nodes:
            if isinstance(node, COMPREHENSIONS):
                count += 1
                inner = [
                    child
                    for child in ast.walk(node)
                    if isinstance(child, COMPREHENSIONS)
                ]
                if len(inner) > 1:
                    nested.append(module.at(node))
            elif isinstance(node, ast.IfExp) and isinstance(node.orelse, ast.IfExp):
                chained.append(module.at(node))
    assert nested == []
    assert chained == []
    assert 1000 * count / code_of(modules) <= COMPREHENSIONS_PER_1000_LINES


def test_comments_give_reasons(modules: list[Module]) -> None:
    comments = sum(
        1 for module in modules for line in module.lines if line.strip().startswith("#")
    )
    assert 100 * comments / code_of(modules) >= COMMENT_PERCENT


def test_functions_and_modules_fit_on_a_few_screens(modules: list[Module]) -> None:
    long_functions = [
        f"{module.at(function)} {function.name}"
        for module, function in functions(modules)
        if code_lines(module, function) > LINES_OF_A_FUNCTION
    ]
    long_modules = [
        f"{module.path}: {len(module.lines)}"
        for module in modules
        if len(module.lines) > LINES_OF_A_MODULE
    ]
    assert long_functions == []
    assert long_modules == []


def test_modules_are_named_for_things(modules: list[Module]) -> None:
    gerunds = {
        module.path.stem
        for module in modules
        if re.fullmatch(r"[a-z_]*[a-z]{3,}ing", module.path.stem)
    }
    vague = {
        module.path.stem
        for module in modules
        if module.path.stem in {"utils", "helpers", "common", "base", "manager"}
    }
    assert len(gerunds) <= GERUND_MODULES, gerunds
    assert vague == set()


def test_every_directory_is_in_the_drawing_of_the_architecture() -> None:
    text = (PACKAGE.parent / "ARCHITECTURE.md").read_text("utf-8")
    for path in PACKAGE.rglob("__init__.py"):
        name = path.parent.relative_to(PACKAGE).as_posix()
        if name != ".":
            assert f"{name}/" in text or f"{path.parent.name}/" in text, name


def test_no_docstring_cites_a_document_that_is_not_here(modules: list[Module]) -> None:
    cited = []
    for module in modules:
        for number, line in enumerate(module.lines, 1):
            if re.search(
                r"\b(original|design|peers|style|house|performance)\.md\b", line
            ):
                cited.append(f"{module.path}:{number}")
    assert cited == []
