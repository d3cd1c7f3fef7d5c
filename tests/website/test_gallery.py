"""The gallery's table has every figure of docs/, and every command its experiment; tests/test_readme.py composes the commands."""

from __future__ import annotations

from tests.helpers.import_graph import ROOT
from website.gallery import gallery_page, pictures
from website.places import papers

DRAWN = pictures(ROOT)


def test_each_figure_of_docs_is_there_once() -> None:
    named = [picture.file for picture in DRAWN]
    assert sorted(named) == sorted(path.name for path in (ROOT / "docs").glob("*.png"))


def test_each_has_words_and_commands() -> None:
    for picture in DRAWN:
        assert picture.paper in papers(ROOT)
        assert picture.caption.endswith(".")
        assert picture.commands, picture.file
        assert all(line.startswith("advlab ") for line in picture.commands)


def test_a_command_names_an_experiment_of_its_paper() -> None:
    for picture in DRAWN:
        for line in picture.commands:
            if not line.startswith("advlab plot "):
                (name,) = [word.removeprefix("experiment=") for word in line.split() if word.startswith("experiment=")]
                folder = picture.paper if name != "attack_survey" else "surveys"
                assert (ROOT / "experiments" / folder / f"{name}.py").is_file(), line


def test_the_page_shows_each_with_its_command_below() -> None:
    page = gallery_page(DRAWN)
    for picture in DRAWN:
        below = page.split(f"]({picture.file})")[1]
        assert below.lstrip().startswith("```sh\n" + "\n".join(picture.commands))
