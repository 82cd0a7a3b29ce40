"""Option `--regenerate`, which writes the goldens instead of comparing with them."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate", action="store_true", help="rewrite examples/*/workflow.yaml"
    )


@pytest.fixture
def regenerate(request: pytest.FixtureRequest) -> bool:
    # pytest does not know the option if it starts in another folder.
    return bool(request.config.getoption("--regenerate", default=False))
