"""A headless Chromium without any network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.support.wait import WebDriverWait

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    # Containers may have little shared memory.
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # WebGL without a GPU.
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--window-size=1300,1600",
    # No name resolves, so nothing can be fetched.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


_TIMEOUT_SECONDS = 500


class Page:
    """A page in the browser, with what its console said."""

    def __init__(self, driver: Chrome, path: Path) -> None:
        self._driver = driver
        driver.get(path.as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a script returns."""
        return self._driver.execute_script(script, *arguments)

    def wait(self, script: str, expected: Any) -> None:
        """Wait until a script returns a value."""
        wait = WebDriverWait(self._driver, _TIMEOUT_SECONDS)
        wait.until(lambda driver: driver.execute_script(script) == expected)

    def errors(self) -> list[str]:
        """Return the errors on the console since the last call, and failed requests."""
        entries = self._driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def requests(self) -> list[str]:
        """Return the addresses that the page has loaded besides itself."""
        script = (
            "return performance.getEntriesByType('resource').map(entry => entry.name)"
        )
        return list(self.run(script))

    def prefer_dark(self) -> None:
        """Let the system prefer dark colors from now on."""
        feature = {"name": "prefers-color-scheme", "value": "dark"}
        self._driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [feature]}
        )


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Start the browser that Debian calls chromium."""
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    profile = tmp_path_factory.mktemp("profile")
    for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    connection = driver.command_executor
    assert isinstance(connection, RemoteConnection)
    connection.client_config.timeout = _TIMEOUT_SECONDS
    driver.set_page_load_timeout(_TIMEOUT_SECONDS)
    driver.set_script_timeout(_TIMEOUT_SECONDS)
    yield driver
    driver.quit()
