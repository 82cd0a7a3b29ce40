"""The documentation site in Chromium, on a screen and on a telephone: readable, navigable, without network."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from tests.browser.conftest import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
SCREEN, TELEPHONE = (1280, 1000), (390, 844)
WIDTHS = """
    const root = document.documentElement;
    return [root.scrollWidth, root.clientWidth];
"""
# What is wider than the window, outside of a box that scrolls or is cut.
WIDE = """
    const width = document.documentElement.clientWidth;
    const isInside = (element) => {
        for (let box = element; box; box = box.parentElement) {
            if (box.matches("aside, nav, .mobile-header")) return true;
            const overflow = getComputedStyle(box).overflowX;
            if (overflow !== "visible" && box.getBoundingClientRect().right <= width + 1) return true;
        }
        return false;
    };
    return Array.from(document.querySelectorAll("article *"))
        .filter((element) => element.getBoundingClientRect().right > width + 1 && !isInside(element))
        .map((element) => element.outerHTML.slice(0, 200));
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    command = (sys.executable, "-m", "sphinx", "-q", "-W", "-n", "-b", "html")
    subprocess.run((*command, ROOT / "docs", folder), check=True)
    return folder


@pytest.fixture
def resize(driver: Chrome) -> Iterator[Any]:
    def set_size(size: tuple[int, int]) -> None:
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {**metrics, "mobile": size == TELEPHONE},
        )

    yield set_size
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def pages(site: Path) -> list[Path]:
    """Return all pages, and one of the records of decisions, which look the same."""
    return [
        path
        for path in sorted(site.rglob("*.html"))
        if path.parent.name != "decisions" or path.name.startswith(("0001", "README"))
    ]


@pytest.mark.parametrize("size", [SCREEN, TELEPHONE], ids=["screen", "telephone"])
def test_each_page_fits_and_loads_nothing_from_elsewhere(
    driver: Chrome, site: Path, resize: Any, size: tuple[int, int]
) -> None:
    resize(size)
    for path in pages(site):
        page = Page(driver, path)
        wide, visible = page.run(WIDTHS)
        assert wide <= visible <= size[0], path
        assert page.run(WIDE) == [], path
        assert {url.partition(":")[0] for url in page.requests()} <= {"file"}, path
        sources = re.findall(r'(?:src|<link [^>]*href)="(http[^"]*)"', path.read_text())
        assert sources == [], path
    assert page.errors() == []


def test_the_menu_is_beside_the_page_on_a_screen(
    driver: Chrome, site: Path, resize: Any
) -> None:
    resize(SCREEN)
    page = Page(driver, site / "index.html")
    assert "Reference" in page.run("return document.querySelector('aside').innerText")
    assert page.run(
        "return document.querySelector('aside').getBoundingClientRect().left >= 0"
    )


def test_the_menu_of_a_telephone_opens(driver: Chrome, site: Path, resize: Any) -> None:
    resize(TELEPHONE)
    page = Page(driver, site / "reference/commands.html")
    right = "return document.querySelector('aside').getBoundingClientRect().right"
    assert page.run(right) <= 0
    page.run("document.querySelector('.mobile-header .nav-overlay-icon').click()")
    page.wait(f"{right} > 200", expected=True)
    assert "riseml.yml" in page.run("return document.querySelector('aside').innerText")


def test_the_search_works_without_a_server(driver: Chrome, site: Path) -> None:
    page = Page(driver, site / "search.html")
    driver.get(f"{(site / 'search.html').as_uri()}?q=gang_timeout")
    count = "return document.querySelectorAll('#search-results li').length > 0"
    page.wait(count, expected=True)
    found = page.run("return document.querySelector('#search-results').innerText")
    assert "riseml.yml" in found
