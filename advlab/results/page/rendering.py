"""The report as HTML: templates that escape every text, one style sheet, one script, and a policy that admits nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from advlab.errors import printable
from advlab.results.board.text import SIGNS
from advlab.results.page.contents import Report
from advlab.statistics.claims import VERDICT_WORDS, Verdict

PACKAGE = "advlab.results.page"
CLASSES: dict[Verdict, str] = {
    "holds": "holds",
    "does not hold": "fails",
    "undecided": "undecided",
    "not measured": "unmeasured",
}


def report_html(report: Report) -> str:
    """The page: the same text for the same runs, whenever it is made."""
    style, script = (source(name) for name in ("style.css", "script.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src {digest_of(style)}; script-src {digest_of(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    template = environment().get_template("report.html")
    return template.render(
        report=report, style=Markup(style), script=Markup(script), policy=policy, signs=SIGNS, classes=CLASSES
    )


@functools.cache
def environment() -> Environment:
    """Templates in which every value is escaped, and signs that move the cursor or turn the direction of text are spelt out."""
    made = Environment(
        loader=PackageLoader(PACKAGE), autoescape=True, undefined=StrictUndefined, finalize=visible,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    made.filters |= {"breakable": breakable, "counted": counted, "uri": Markup}
    return made


def visible(value: Any) -> Any:
    """A value as it stands in the page, before it is escaped."""
    return value if isinstance(value, Markup) else printable(str(value))


def breakable(text: str) -> Markup:
    """A name or a path that may be broken into lines behind its separators."""
    escaped = escape(printable(text))
    for sign in "_/=,":
        escaped = Markup(str(escaped).replace(sign, f"{sign}<wbr>"))
    return escaped


def counted(verdicts: list[Verdict]) -> str:
    """`3 of 6 hold, 1 do not, 2 undecided`; `no claims` of none.

    >>> counted(["holds", "does not hold", "undecided"]), counted(["holds"]), counted([])
    ('1 of 3 hold, 1 do not, 1 undecided', '1 of 1 hold', 'no claims')
    """
    if not verdicts:
        return "no claims"
    others = [f"{verdicts.count(verdict)} {words}" for verdict, words in VERDICT_WORDS.items() if verdict in verdicts]
    return ", ".join([f"{verdicts.count('holds')} of {len(verdicts)} hold", *others])


def source(name: str) -> str:
    """The text of a file beside the templates."""
    return (files(PACKAGE) / "templates" / name).read_text(encoding="utf-8")


def digest_of(text: str) -> str:
    """What the policy says of a script or a style sheet that it admits."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
