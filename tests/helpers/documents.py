"""The texts that a reader finds commands in: README.md, the pages of docs/, the papers' pages, and the gallery."""

from __future__ import annotations

import re

import yaml

from tests.helpers.import_graph import ROOT

VERBS = "list|describe|cache|claims|compare|completion|export|plot|report|resume|status"
#: words of a command line of advlab: a verb with its own words, or flags, options and files
WORDS = re.compile(rf"""advlab( ({VERBS})\b.*| -\S+| [\w/.]+=\S*| ['"][\w/.]+=[^'"]*['"]| \S+\.py)*""")
#: a verb of advlab that measures nothing
VERB = re.compile(rf"advlab ({VERBS})\b")


def documents() -> dict[str, str]:
    """All pages: path from the checkout -> Markdown."""
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("experiments/*/README.md"))]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def joined_lines(text: str) -> str:
    r"""A text in which lines that end in a backslash are one with the next."""
    return re.sub(r" *\\\n\s*", " ", text)


def commands(text: str) -> list[str]:
    """The command lines of a page: indented, fenced, or in running text, without their comments.

    In running text those are left out that name no option and no run, such as `advlab describe`.
    """
    text = joined_lines(text)
    lines = re.findall(r"^(?:    )?(advlab(?: [^\n`]*)?)$", text, re.MULTILINE)
    lines += [
        " ".join(line.split()) for line in re.findall(r"`(advlab [^`]+)`", text) if "=" in line or "resume" in line
    ]
    stripped = [re.split(r"\s+#", line)[0].strip() for line in lines]
    return [line for line in stripped if not re.search(r"GROUP|=\.\.\.", line) and WORDS.fullmatch(line)]


def gallery_commands() -> list[str]:
    """The command lines of the gallery."""
    entries = yaml.safe_load((ROOT / "docs" / "gallery.yaml").read_text(encoding="utf-8"))
    return [line for entry in entries for line in entry["commands"]]


def all_commands() -> list[str]:
    """The command lines of all pages, each once."""
    found = {line for text in documents().values() for line in commands(text)}
    return sorted(found | set(gallery_commands()))


def measures(line: str) -> bool:
    """Whether a command line is a run."""
    return VERB.match(line) is None


def blocks(language: str) -> list[str]:
    """The fenced blocks of README and docs/ in a language."""
    pages = [text for name, text in documents().items() if not name.startswith("experiments/")]
    return [block for text in pages for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)]
