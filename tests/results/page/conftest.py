"""A browser, and a report of some runs that is open in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from advlab.results.page.contents import report_of
from advlab.results.page.rendering import report_html
from tests.helpers.chromium import Page, chromium
from tests.helpers.claimed_runs import claim_of, claimed_nodes
from tests.helpers.reported_runs import drawn_png, hostile_run, reported


@pytest.fixture(scope="package")
def browser() -> Iterator[Page]:
    with chromium() as page:
        yield page


@pytest.fixture(scope="package")
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
