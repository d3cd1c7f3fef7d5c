"""The report in a real Chromium: it opens without a message or a request, sorts, filters and zooms, by keyboard as well."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.chromium import Page

ESCAPE, ENTER, SPACE, TAB = "\ue00c", "\ue007", "\ue00d", "\ue004"
SUMMARY = "#run-1-summary"


def test_it_opens_without_a_message_or_a_request(page: Page, file: Path) -> None:
    for width in (1280, 400):
        for theme in ("light", "dark"):
            page.look(width, theme)
    page.one("img[data-zooms]").click()
    assert page.console() == []
    assert page.requests() == {file.resolve().as_uri(): False}
    assert page.js("return window.hacked") is None
    assert page.js("return [...document.images].every(i => i.complete && (i.naturalWidth || !i.alt))")


def test_what_a_page_must_not_do_is_forbidden(page: Page) -> None:
    """What a hostile text might add does not run: neither scripts nor styles, and nothing is loaded or sent."""
    page.js("""
      const add = (tag, values) => document.body.append(Object.assign(document.createElement(tag), values));
      add("script", { textContent: "window.hacked = 1" });
      add("div", { innerHTML: "<img src=x onerror='window.hacked=1'><p id=late style='color: rgb(1, 2, 3)'>x</p>" });
      add("img", { src: "https://example.org/x.png" });
      add("iframe", { src: "https://example.org" });
    """)
    assert page.js("return window.hacked") is None
    assert page.js("return getComputedStyle(document.getElementById('late')).color") != "rgb(1, 2, 3)"
    assert [url for url, refused in page.requests().items() if url.startswith("http") and not refused] == []
    assert len(page.console()) >= 4  # each of them was refused


def test_a_table_is_sorted_by_its_numbers(page: Page) -> None:
    """Both ways, what has no number last; a second column sorts anew; lines of equal keys keep their order."""
    radii, layers = f"{SUMMARY} tbody td:nth-of-type(1)", f"{SUMMARY} tbody th"
    heads = page.js("return [...document.querySelectorAll(arguments[0])]", f"{SUMMARY} thead button")
    assert [head.text.strip() for head in heads] == ["layer", "radius", "accuracy"]
    assert page.js("return document.querySelectorAll(arguments[0] + ' [aria-sort]').length", SUMMARY) == 0
    heads[1].click()
    assert page.texts(radii) == ["-3", "1", "2", "9", "10", "100"]
    assert page.one(f"{SUMMARY} th[aria-sort]").get_attribute("aria-sort") == "ascending"
    heads[1].click()
    assert page.texts(radii) == ["100", "10", "9", "2", "1", "-3"]
    assert page.one(f"{SUMMARY} th[aria-sort]").get_attribute("aria-sort") == "descending"
    heads[2].click()
    assert page.texts(f"{SUMMARY} tbody td:nth-of-type(2)") == ["-inf", "1e-09", "0.25", "0.5", "", ""]
    heads[2].click()
    assert page.texts(f"{SUMMARY} tbody td:nth-of-type(2)") == ["0.5", "0.25", "1e-09", "-inf", "", ""]
    heads[0].click()
    assert page.texts(layers) == ["conv1", "conv2", "fc", "fc", "ip", "ip"]
    assert page.js("return document.querySelectorAll(arguments[0] + ' [aria-sort]').length", SUMMARY) == 1


def test_a_filter_keeps_the_lines_with_all_words(page: Page) -> None:
    field = page.one("#filter-run-1-summary")
    field.send_keys("FC 100")
    assert page.texts(f"{SUMMARY} tbody th") == ["fc"]
    assert page.one("#filter-run-1-summary + output").text == "1 of 6"
    field.clear()
    field.send_keys("nothing like it")
    assert page.texts(f"{SUMMARY} tbody th") == []
    page.js("arguments[0].value = ''; arguments[0].dispatchEvent(new Event('input'))", field)
    assert len(page.texts(f"{SUMMARY} tbody th")) == 6
    page.one("#filter-run-1-claims").send_keys("does not hold")
    assert page.texts("#run-1-claims .verdict") == ["-does not hold"]
    page.js("document.getElementById('filter-contents-list')?.remove()")


def test_the_index_leads_to_the_runs(page: Page) -> None:
    links = page.js("return [...document.querySelectorAll('#contents-list a')].map(a => a.getAttribute('href'))")
    assert {"#board", "#left-out", "#run-1", "#run-2", "#run-3", "#run-4"} <= set(links)
    page.one("#contents-list a[href='#run-3']").click()
    assert page.js("return location.hash") == "#run-3"
    assert "unfinished" in page.one("#left-out").text


def test_the_keyboard_suffices(page: Page) -> None:
    page.press(TAB)
    assert page.js("return document.activeElement.className") == "skip"
    page.press(ENTER)
    assert page.js("return location.hash") == "#contents"
    page.js("document.querySelector(arguments[0]).focus()", f"{SUMMARY} th:nth-child(2) button")
    assert page.js("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.press(ENTER, SPACE)
    assert page.one(f"{SUMMARY} th[aria-sort]").get_attribute("aria-sort") == "descending"
    assert page.js("return document.activeElement.closest('th').cellIndex") == 1  # the focus stays
    page.js("document.querySelector('.open').focus()")
    page.press(ENTER)
    assert page.js("return document.getElementById('magnifier').open")
    fitting = page.js("return document.querySelector('dialog img').clientWidth")
    page.press("+", "+")
    assert page.js("return document.querySelector('dialog img').clientWidth") > 1.5 * fitting
    page.press("0")
    assert page.js("return document.querySelector('dialog img').clientWidth") == fitting
    assert page.js("return document.querySelector('dialog img').alt").startswith("Figure of isotropy")
    page.press(ESCAPE)
    assert not page.js("return document.getElementById('magnifier').open")
    assert page.js("return document.activeElement.className") == "open"


def test_the_magnifier_goes_through_the_pictures(page: Page) -> None:
    page.one(".open").click()
    first = page.one("dialog h2").text
    for action in ("next", "previous"):
        page.one(f"[data-action={action}]").click()
    assert page.one("dialog h2").text == first
    page.one("[data-action=previous]").click()
    assert page.one("dialog h2").text != first
    assert page.js("return document.querySelector('dialog img').className") == "small"  # the kept picture of 8 pixels
    page.one("[data-action=close]").click()
    assert not page.js("return document.getElementById('magnifier').open")
