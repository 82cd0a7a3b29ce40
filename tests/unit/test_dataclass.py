"""Dataclasses of this package, compared with those of the standard library."""

import copy
import dataclasses
import pickle
import re
import subprocess
import sys

import pytest

from riseml.dataclass import dataclass, field, field_names, replace


@dataclass(frozen=True, order=True)
class Point:
    """A frozen class with every kind of default."""

    x: int
    y: int | None = 2
    tags: list[str] = field(default_factory=list)


@dataclass
class Counter:
    """A class whose objects change."""

    count: int = 0


@dataclass(frozen=True)
class NamedPoint(Point):
    """A class with fields of its base."""

    name: str = "origin"


@dataclass(frozen=True)
class Empty:
    """A class without fields."""


def test_objects_have_the_values_of_their_fields() -> None:
    assert (Point(1).x, Point(1).y, Point(1).tags) == (1, 2, [])
    point = NamedPoint(1, tags=["a"], name="b")
    assert point == NamedPoint(1, 2, ["a"], "b")
    assert repr(point) == "NamedPoint(x=1, y=2, tags=['a'], name='b')"
    assert repr(Empty()) == "Empty()"
    assert field_names(NamedPoint) == ("x", "y", "tags", "name")
    assert Point(1).tags is not Point(1).tags


def test_objects_are_equal_if_class_and_values_are() -> None:
    assert Point(1) == Point(1)
    assert Point(1) != Point(2)
    assert Point(1) != NamedPoint(1)
    assert Point(1) != (1, 2, [])  # type: ignore[comparison-overlap]
    assert Empty() == Empty()
    assert Counter(1) == Counter(1) != Counter(2)


def test_objects_are_ordered_by_their_values() -> None:
    assert Point(1, 2) < Point(1, 3)
    assert Point(1, 3) <= Point(1, 3)
    assert Point(2) > Point(1)
    assert Point(2) >= Point(2)
    with pytest.raises(TypeError, match="not supported between"):
        assert Counter(1) < Counter(2)  # type: ignore[operator]


def test_frozen_objects_can_be_keys_and_do_not_change() -> None:
    key = Point(1, tags=())  # type: ignore[arg-type]
    assert {key: "a"}[Point(1, tags=())] == "a"  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field"):
        key.x = 3  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field"):
        del key.x
    assert key.x == 1
    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


def test_missing_and_unknown_arguments_are_refused() -> None:
    with pytest.raises(
        TypeError, match=r"Point.__init__\(\) missing 1 required .* 'x'"
    ):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        replace(Point(1), z=1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="objects would share the default of 'items'"):

        @dataclass
        class _Shared:
            items: list[str] = []  # noqa: RUF012


def test_objects_can_be_copied() -> None:
    point = Point(1, tags=["a"])
    assert replace(point, y=7) == Point(1, 7, ["a"])
    assert dataclasses.replace(point, y=7) == Point(1, 7, ["a"])
    assert copy.deepcopy(point) == point
    assert pickle.loads(pickle.dumps(point)) == point
    assert dataclasses.asdict(point) == {"x": 1, "y": 2, "tags": ["a"]}


def test_functions_of_the_standard_library_make_the_fields_once() -> None:
    # Fields are equal to themselves only.
    assert dataclasses.fields(Point(1)) == dataclasses.fields(Point)
    assert dataclasses.is_dataclass(Empty)
    assert len(dataclasses.fields(NamedPoint)) == 4


def test_classes_of_the_standard_library_can_derive_from_them() -> None:
    @dataclasses.dataclass(frozen=True)
    class Labeled(NamedPoint):
        label: str = ""

    labeled = Labeled(1, label="a")
    assert replace(labeled, x=2) == Labeled(2, label="a")
    assert dataclasses.asdict(labeled)["label"] == "a"
    with pytest.raises(TypeError, match="cannot inherit non-frozen dataclass"):
        dataclasses.dataclass(type("Changing", (Point,), {}))


def test_python_3_13_can_copy_objects_with_other_values() -> None:
    point = Point(1, tags=["a"])
    assert point.__replace__(y=7) == Point(1, 7, ["a"])  # type: ignore[attr-defined]


def test_objects_of_the_standard_library_can_be_replaced() -> None:
    standard = dataclasses.make_dataclass("standard", [("x", int)])
    assert replace(standard(1), x=2) == standard(2)


def test_patterns_match_the_fields_in_order() -> None:
    match Point(1, 3):
        case Point(1, second):
            assert second == 3


def test_definitions_compile_nothing() -> None:
    code = (
        "import builtins, sys, riseml.dataclass as d\n"
        "compiled = []\n"
        "d.exec = lambda text, scope: (compiled.append(text), exec(text, scope))\n"
        "@d.dataclass(frozen=True)\n"
        "class Point:\n    x: int\n"
        "assert compiled == []\n"
        "Point(1), Point(2), replace\n"
        "assert compiled == ['def __init__(self, x):\\n  pass\\n  _set(self, \\'x\\', x)'], compiled\n"
        "assert not {'dataclasses', 'inspect', 'typing'} & set(sys.modules)\n"
    ).replace(", replace\n", ", d.replace(Point(1))\n")
    subprocess.run([sys.executable, "-c", code], check=True)


# Prints what every dataclass of the package offers, as this package defines it or as the
# standard library does.
DESCRIBE = """
import dataclasses, inspect, sys, types
from importlib import import_module
from pathlib import Path
import riseml
if sys.argv[1] == "standard":
    module = types.ModuleType("riseml.dataclass")
    for name in ("dataclass", "field", "replace"):
        setattr(module, name, getattr(dataclasses, name))
    module.field_names = lambda kind: tuple(kind.__dataclass_fields__)
    sys.modules["riseml.dataclass"] = module
root = Path(riseml.__file__).parent
names = set()
for file in root.rglob("*.py"):
    if "riseml.dataclass import" in file.read_text("utf-8"):
        names.add(".".join(file.relative_to(root.parent).with_suffix("").parts))
for name in sorted(names):
    for kind in vars(import_module(name.removesuffix(".__init__"))).values():
        is_class = isinstance(kind, type) and kind.__module__ == name
        if not is_class or not dataclasses.is_dataclass(kind):
            continue
        own = [method for method in OWN if method in vars(kind)]
        fields = [(f.name, f.type) for f in dataclasses.fields(kind)]
        print(name, kind.__qualname__, inspect.signature(kind), kind.__hash__ is None,
            kind.__match_args__, own, fields)
""".replace(
    "OWN",
    "('__repr__', '__eq__', '__hash__', '__setattr__', '__delattr__', '__lt__', '__ge__')",
)


def test_all_classes_are_what_the_standard_library_makes_of_them() -> None:
    descriptions = []
    for kind in ("own", "standard"):
        done = subprocess.run(
            [sys.executable, "-c", DESCRIBE, kind],
            capture_output=True,
            text=True,
            check=True,
        )
        # Functions among the defaults have addresses.
        text = re.sub(r" at 0x\w+", "", done.stdout)
        descriptions.append(text.splitlines())
    assert len(descriptions[0]) > 150
    assert descriptions[0] == descriptions[1]
