"""A real Chromium without a window, in which a page is opened from a file; tests skip where there is none."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NONE = "there is no chromium with its chromedriver: apt-get install chromium chromium-driver, and pip install selenium"
#: the contrast of each text with what is behind it, for texts that are seen: text -> ratio, of those below a limit
CONTRASTS = """
const channel = (v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
const numbers = (c) => c.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const c = numbers(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
};
const found = {};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const e = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
  if (!text || ["SCRIPT", "STYLE", "OPTION"].includes(e.tagName) || !e.checkVisibility()) continue;
  const [a, b] = [luminance(numbers(getComputedStyle(e).color)), luminance(behind(e))].sort((x, y) => y - x);
  const ratio = (a + .05) / (b + .05);
  if (ratio < arguments[0]) found[text.slice(0, 60)] = ratio;
}
return found;
"""


class Page:
    """An open page.

    Args:
        driver: of selenium.
    """

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, path: Path) -> None:
        """Open a file, and forget what was logged before."""
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(path.resolve().as_uri())

    def look(self, width: int = 1280, theme: str = "light", media: str = "") -> None:
        """Let the page be so wide, and its reader prefer a theme."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        prefers = {"media": media, "features": [{"name": "prefers-color-scheme", "value": theme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", prefers)

    def js(self, script: str, *arguments: Any) -> Any:
        """What a script gives."""
        return self.driver.execute_script(script, *arguments)

    def one(self, selector: str) -> Any:
        """The first element that a CSS selector finds."""
        return self.driver.find_element("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements that it finds and that are shown."""
        shown = "[...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility())"
        found: list[str] = self.js(f"return {shown}.map(e => e.textContent.trim())", selector)
        return found

    def press(self, *keys: str) -> None:
        """Press keys, in whatever has the focus."""
        from selenium.webdriver import ActionChains

        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def console(self) -> list[str]:
        """What the console says since the page was opened or this was asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> dict[str, bool]:
        """The addresses that were asked for since then, and whether the page's policy refused them; not what stands in the page."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        said = [(event["method"], event["params"]) for event in events]
        refused = {
            p["requestId"]
            for method, p in said
            if method == "Network.loadingFailed" and p.get("blockedReason") == "csp"
        }
        sent = [p for method, p in said if method == "Network.requestWillBeSent"]
        urls = {p["request"]["url"]: p["requestId"] in refused for p in sent}
        return {url: known for url, known in urls.items() if not url.startswith("data:")}

    def accessible(self, *roles: str) -> list[tuple[str, str]]:
        """Role and name of what a screen reader is told of, of some roles."""
        tree = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        told = (
            (node.get("role", {}).get("value"), node.get("name", {}).get("value", ""))
            for node in tree
            if not node["ignored"]
        )
        return [(role, name) for role, name in told if role in roles]


@contextlib.contextmanager
def chromium() -> Iterator[Page]:
    """A browser of its own, which ends with the context; the test is skipped where there is none."""
    binary = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    driver_path = shutil.which("chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver", reason=NONE)
    if binary is None or driver_path is None:
        pytest.skip(NONE)
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_path))
    try:
        yield Page(driver)
    finally:
        driver.quit()
