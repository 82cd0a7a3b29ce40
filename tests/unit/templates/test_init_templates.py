"""Files below templates/init: every one is valid, and named after its framework."""

import pytest

from riseml import frameworks, templating
from riseml.config import load_text, scaffold
from riseml.search import grid

FILES = sorted(path.stem for path in (templating.folder() / "init").iterdir())


def test_init_offers_every_template() -> None:
    assert sorted(scaffold.TEMPLATES) == FILES


def test_the_frameworks_of_the_guides_have_a_template() -> None:
    # A template is optional: a new framework is complete with its module alone.
    assert {"horovod", "jax", "mpi", "pytorch", "tensorflow"} < set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_an_unchanged_template_is_valid(name: str) -> None:
    loaded = load_text(templating.read(f"init/{name}.yml"))
    assert loaded.train
    assert not loaded.warnings
    assert loaded.project == "my-project"
    assert loaded.train.framework == (name if name in frameworks.names() else None)
    assert (grid.size(loaded.train.parameters, grid.Options()) > 1) == (
        name in ("grid", "sklearn")
    )
