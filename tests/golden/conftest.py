"""`--regenerate`: write the goldens instead of comparing with them."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate", action="store_true", help="write examples/*/workflow.yaml anew"
    )


@pytest.fixture
def regenerate(request: pytest.FixtureRequest) -> bool:
    return bool(
        request.config.getoption("--regenerate", default=False)
    )  # unknown where pytest starts elsewhere
