"""The report in a real Chromium: it opens without a message or a request, sorts, filters, zooms, and is read by everyone."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from advlab.results.page.contents import report_of
from advlab.results.page.rendering import report_html
from tests.helpers.chromium import CONTRASTS, Page, chromium
from tests.helpers.claimed_runs import claim_of, claimed_nodes
from tests.helpers.reported_runs import drawn_png, hostile_run, reported

ESCAPE, ENTER, SPACE, TAB = "\ue00c", "\ue007", "\ue00d", "\ue004"
SUMMARY = "#run-1-summary"


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with chromium() as page:
        yield page


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, browser: Page) -> Path:
    """A report of some runs: two networks, all verdicts, a wide table, a hostile run and one that is unfinished."""
    folder = tmp_path_factory.mktemp("report")
    verdicts = [
        claim_of(v, claim=v, subset=f"part {v}") for v in ("holds", "does not hold", "undecided", "not measured")
    ]  # type: ignore[arg-type]
    more = [claim_of("holds", claim=f"more {n}", quantity=f"share {n}") for n in range(3)]
    for model in ("lenet", "mlp"):
        files = {"figures/isotropy.png": drawn_png(2070, 975)} if model == "lenet" else None
        reported(
            folder / model, claimed_nodes(model=model), [*verdicts, *more], files=files, seconds=3.0, device_name="cpu"
        )
    wide = ",".join(f"quantity_{n}" for n in range(30)) + "\n" + (",".join(["0.123456"] * 30) + "\n") * 60
    reported(folder / "other", claimed_nodes("topology"), summary=wide, paper="aghdam2017, figure 4")
    hostile_run(folder / "stranger")
    (reported(folder / "unfinished", claimed_nodes(model="nin")) / "manifest.json").unlink()
    path = folder / "report.html"
    path.write_text(report_html(report_of([folder])), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Page, file: Path) -> Page:
    browser.look()
    browser.open(file)
    return browser


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


@pytest.mark.parametrize("width", [1280, 400])
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
