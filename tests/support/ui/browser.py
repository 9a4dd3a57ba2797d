"""Headless Chromium, its own home in a fresh folder, and what a test asks of it."""

import importlib.util
import json
import shutil
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.ui.keys import Keys

if TYPE_CHECKING:  # the tests say that it is missing and are skipped
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

PATIENCE = 60.0
SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--lang=en-GB",
)  # fmt: skip


def why_not() -> str:
    """Why no browser can be driven here, empty when one can."""
    if missing := [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]:
        return f"the browser tests need {' and '.join(missing)}: make setup-system (Debian: apt-get install chromium chromium-driver)"
    if importlib.util.find_spec("selenium") is None:
        return "the browser tests need the Python package selenium: make setup-python"
    return ""


class Browser:
    """Chromium with the few verbs that the tests need."""

    def __init__(self, driver: "Chrome") -> None:
        self.driver = driver

    def open(self, url: str, width: int = 1280, height: int = 900) -> None:
        """Reload the page in a window of that size (CSS pixels)."""
        self.driver.get("about:blank")
        self.drain("browser")
        self.drain("performance")
        self.size(width, height)
        self.driver.get(url)

    def size(self, width: int, height: int) -> None:
        """Give the page so many CSS pixels."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def scheme(self, name: str) -> None:
        """Prefer 'light' or 'dark'."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def authorise(self, user: str, password: str) -> None:
        """Send this user's password with every request from now on; nobody's when it is empty."""
        token = b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {token}"} if user else {}
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": headers})

    def all(self, selector: str) -> "list[WebElement]":
        """All elements that fit."""
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> "WebElement":
        """The element that fits, as soon as it is there."""
        self.until(lambda: self.all(selector), f"nothing fits {selector}")
        return self.all(selector)[0]

    def click(self, selector: str) -> None:
        """Click the element that fits, which the page may be replacing at that very moment."""
        self.until(lambda: self._clicked(selector), f"nothing fits {selector} that can be clicked")

    def _clicked(self, selector: str) -> bool:
        from selenium.common.exceptions import (
            ElementClickInterceptedException,
            StaleElementReferenceException,
        )

        found = self.all(selector)
        try:
            for element in found[:1]:
                element.click()
        except (ElementClickInterceptedException, StaleElementReferenceException):
            return False
        return bool(found)

    def texts(self, selector: str) -> list[str]:
        """What the elements say, read at one instant so that none can be replaced in between."""
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
        return list(self.run(script, selector))

    def press(self, *keys: str) -> None:
        """Type into what has the focus."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def tab_to(self, selector: str, most: int = 60) -> None:
        """Go by Tab until the element has the focus."""
        for _ in range(most):
            if self.run("return document.activeElement.matches(arguments[0])", selector):
                return
            self.press(Keys.TAB)
        raise AssertionError(f"{selector} cannot be reached by Tab")

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page."""
        return self.driver.execute_script(script, *arguments)

    def until(
        self, holds: Callable[[], Any], complaint: str = "it did not become true", patience: float = PATIENCE
    ) -> None:
        """Wait until it holds, for at most `patience` seconds."""
        deadline = time.monotonic() + patience
        while not holds():
            assert time.monotonic() < deadline, (
                f"{complaint}; console: {self.drain('browser')}; page: {self.texts('body')}"
            )
            time.sleep(0.1)

    def drain(self, log: str) -> list[dict[str, Any]]:
        """Entries of the console ('browser') or of the network ('performance') since the last time."""
        return list(self.driver.get_log(log))

    def requested(self) -> list[str]:
        """Addresses that the page asked for since it was opened."""
        messages = [json.loads(entry["message"])["message"] for entry in self.drain("performance")]
        return [
            one["params"]["request"]["url"]
            for one in messages
            if one["method"] == "Network.requestWillBeSent"
        ]

    def pixels(self, selector: str) -> tuple[int, int, list[int]]:
        """Width, height and RGBA of a canvas, after what the page was going to draw in its next frame."""
        script = """const [selector, done] = arguments;
            requestAnimationFrame(() => {
                const one = document.querySelector(selector);
                done([one.width, one.height, [...one.getContext('2d').getImageData(0, 0, one.width, one.height).data]]);
            });"""
        width, height, values = self.driver.execute_async_script(script, selector)
        return width, height, values

    def screenshot(self, path: Path) -> None:
        """Write what the window shows."""
        self.driver.save_screenshot(str(path))


@contextmanager
def chromium(profile: Path, *more: str) -> Iterator[Browser]:
    """Start Chromium with its own folder, and with `more` switches, and end it."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for switch in (*SWITCHES, *more, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, Service(shutil.which("chromedriver")))
    driver.set_script_timeout(PATIENCE)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
