"""The report in a real Chromium, for everyone: in both themes, on a narrow screen, read aloud, without a script, and printed."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path

import pytest

from tests.helpers.chromium import CONTRASTS, Page
from tests.helpers.long_cases import one_in

SUMMARY = "#run-1-summary"


@pytest.mark.parametrize("width", one_in(2, [400, 1280]))
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_is_told_from_its_ground(theme: str, width: int, page: Page) -> None:
    """By the ratio of WCAG's level AA, as the system prefers the theme and as the reader chooses it."""
    page.look(width, theme)
    page.js("for (const d of document.querySelectorAll('details')) d.open = true")
    assert page.js(CONTRASTS, 4.5) == {}
    ground = page.js("return getComputedStyle(document.documentElement).backgroundColor")
    other = "dark" if theme == "light" else "light"
    page.js(
        "const c = document.getElementById('theme-choice'); c.value = arguments[0]; c.dispatchEvent(new Event('change'))",
        other,
    )
    assert page.js("return getComputedStyle(document.documentElement).backgroundColor") != ground
    assert page.js(CONTRASTS, 4.5) == {}


def test_four_hundred_pixels_suffice(page: Page) -> None:
    """The page itself is not scrolled sideways; statements stand above their verdicts, each with its network's name."""
    page.look(400)
    assert page.js("return document.documentElement.scrollWidth") <= 400
    label = "return getComputedStyle(document.querySelector('#board td'), '::before').content"
    assert "lenet on digits" in page.js(label)
    assert page.js("return document.querySelector('#run-1-claims').scrollWidth <= 400")
    page.one(".open").click()
    assert page.js("return document.querySelector('dialog').scrollWidth") <= 400
    assert page.js("return document.querySelector('dialog img').clientWidth") <= 400


def test_a_screen_reader_is_told_all(page: Page) -> None:
    named = page.accessible(
        "button", "image", "img", "link", "region", "table", "searchbox", "combobox", "dialog", "navigation"
    )
    assert len(named) > 30
    assert [role for role, name in named if not name.strip()] == []
    assert {role for role, _ in page.accessible("banner", "navigation", "main", "contentinfo")} == {
        "banner", "navigation", "main", "contentinfo",
    }  # fmt: skip
    levels = page.js(
        "return [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].filter(h => !h.closest('dialog')).map(h => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = page.js("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    references = page.js("""return [...document.querySelectorAll('[aria-labelledby],[for],[data-filters]')].flatMap(
      e => ['aria-labelledby', 'for', 'data-filters'].map(a => e.getAttribute(a)).filter(Boolean))""")
    assert set(references) <= set(ids)
    assert page.js("return [...document.querySelectorAll('table')].every(t => t.caption && t.tHead)")
    assert page.js("return [...document.querySelectorAll('table th')].every(h => ['row', 'col'].includes(h.scope))")
    assert page.js(
        "return [...document.querySelectorAll('.verdict')].every(v => /hold|undecided|measured/.test(v.textContent))"
    )


def test_without_a_script_all_content_is_seen(browser: Page, file: Path) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open(file)
        assert "detail" in browser.one("details").tag_name
        assert browser.one("details dl").is_displayed()
        assert browser.one(f"{SUMMARY} tbody tr").is_displayed()
        assert not browser.one("#theme").is_displayed()
        assert not browser.one(".filter").is_displayed()
        assert not browser.driver.find_elements("css selector", ".open, thead button")
        assert browser.one("figure img").is_displayed()
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_it_is_printed_whole_and_light(page: Page) -> None:
    page.look(theme="dark", media="print")
    assert page.js("return getComputedStyle(document.documentElement).colorScheme") == "light"
    assert not page.one(".filter").is_displayed()
    assert page.js("return getComputedStyle(document.querySelector('.wide')).overflowX") == "visible"
    page.look()
    closed = "document.querySelectorAll('details:not([open])').length"
    page.js(f"window.seen = []; addEventListener('beforeprint', () => seen.push({closed}))")
    pdf = base64.b64decode(page.driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pdf.startswith(b"%PDF")
    assert page.js("return window.seen") == [0]
    assert page.js("return document.querySelectorAll('details[open]').length") == 0  # as it was
