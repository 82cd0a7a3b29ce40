"""Stand-ins for models behave like the models, which they make on first use."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from riseml.compiler.lazy_classes import LazyModel, lazy_base


class Base(BaseModel):
    """Base class of the models, as Hera has one."""

    model_config = ConfigDict(populate_by_name=True)


Lazy: Any = lazy_base(Base)


def _models() -> tuple[Any, Any, Any]:
    class Leaf(Lazy):  # type: ignore[misc]
        size: int = Field(alias="theSize")

    class Tree(Lazy):  # type: ignore[misc]
        leaves: list[Leaf] = Field(default_factory=list)
        best: Leaf | None = None

    class Oak(Tree):
        acorns: int = 0

    return Leaf, Tree, Oak


def _is_made(*models: LazyModel) -> list[bool]:
    return [model.has_real_class() for model in models]


def test_a_class_statement_makes_no_model() -> None:
    assert _is_made(*_models()) == [False, False, False]


def test_a_model_is_made_with_its_first_instance_without_those_of_its_fields() -> None:
    leaf, tree, oak = _models()
    assert tree().leaves == []
    assert _is_made(leaf, tree, oak) == [False, True, False]


def test_values_of_a_field_become_instances() -> None:
    leaf, tree, _ = _models()
    made = tree(leaves=[{"theSize": 1}], best=leaf(size=2))
    assert isinstance(made.leaves[0], leaf)
    assert (made.leaves[0].size, made.best.size) == (1, 2)
    assert made.model_dump(by_alias=True) == {
        "leaves": [{"theSize": 1}],
        "best": {"theSize": 2},
    }


def test_none_is_left_out_at_all_depths() -> None:
    _, tree, _ = _models()
    document = {"leaves": [{"theSize": 1}]}
    made = TypeAdapter(tree).validate_python(document)
    assert made.model_dump(by_alias=True, exclude_none=True) == document


def test_an_error_names_the_position_of_the_wrong_value() -> None:
    _, tree, _ = _models()
    with pytest.raises(ValidationError) as caught:
        tree(leaves=[{"theSize": 1}, {"theSize": "many"}])
    (error,) = caught.value.errors()
    assert error["loc"] == ("leaves", 1, "theSize")
    assert error["type"] == "int_parsing"


def test_a_model_derives_from_the_model_of_its_base() -> None:
    _, tree, oak = _models()
    made = oak(acorns=3)
    assert isinstance(made, oak)
    assert isinstance(made, tree)
    assert isinstance(made, Base)
    assert issubclass(type(made), tree)
    assert not isinstance(tree(), oak)
    assert type(made).__name__ == "Oak"
    assert list(oak.model_fields) == ["leaves", "best", "acorns"]


def test_a_class_statement_of_another_package_makes_a_model() -> None:
    leaf: Any = _models()[0]

    class Named(leaf, extra="allow"):  # type: ignore[misc, call-arg]
        __module__ = "program"

        def total(self) -> int:
            size: int = super().model_dump()["size"]
            return size

    made: Any = Named(size=2, name="a")
    assert issubclass(Named, BaseModel)
    assert isinstance(made, leaf)
    assert (made.total(), made.name) == (2, "a")


def test_nothing_is_an_instance_of_a_model_that_is_not_made() -> None:
    leaf, tree, _ = _models()
    assert not isinstance(tree(), leaf)
    assert not issubclass(Base, leaf)
    assert _is_made(leaf) == [False]


def test_several_threads_make_one_model() -> None:
    for _ in range(20):
        leaf, _, _ = _models()
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda size, leaf=leaf: leaf(size=size), range(8)))
        assert len({type(instance) for instance in made}) == 1
