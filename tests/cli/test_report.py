"""`advlab report` from the command line: real runs of an older version, what is left out, and where the file goes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import advlab
from tests.helpers.claimed_runs import claimed_nodes
from tests.helpers.commands import Ended
from tests.helpers.reported_runs import reported

OLD = Path(__file__).parents[1] / "results" / "version_0_1" / "outputs"


def test_the_outputs_become_one_page(tmp_path: Path, cli: Callable[..., Ended]) -> None:
    shutil.copytree(OLD, tmp_path / "outputs")
    before = {path: path.read_bytes() for path in (tmp_path / "outputs").rglob("*") if path.is_file()}
    ended = cli("report")
    assert (ended.code, ended.out.split(",")[0]) == (0, "report.html: 3 runs")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for words in ("isotropy (figure 1)", "hard_points (figure 3)", "none of the ConvNets", "Claims board"):
        assert words in page
    assert {path: path.read_bytes() for path in (tmp_path / "outputs").rglob("*") if path.is_file()} == before
    again = cli("report", "outputs/isotropy", "outputs/hard_points", "-o", "new/folder/page.html")
    assert again.code == 0
    assert (tmp_path / "new/folder/page.html").stat().st_size > 10_000


def test_what_is_left_out_is_said(tmp_path: Path, cli: Callable[..., Ended]) -> None:
    reported(tmp_path / "runs" / "good", claimed_nodes())
    reported(tmp_path / "runs" / "two\nlines\x1b[31m", claimed_nodes(run={"seed": 1}), status="failed")
    ended = cli("report", "runs", "-o", "page.html")
    assert ended.code == 0
    assert ended.out.startswith("page.html: 1 run, ")
    assert "\x1b" not in ended.err
    assert len(ended.err.splitlines()) == 1
    assert "it is failed" in ended.err
    assert "it is failed" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report"], ["outputs", "is no folder"]),
        (["report", "nope"], ["'nope' is no folder", "such as outputs"]),
        (["report", "."], ["no finished run below .", "advlab experiment=isotropy"]),
        (["report", ".", "--format", "pdf"], ["--format", "usage: advlab report"]),
        (["report", "a\0b"], ["is no folder"]),
    ],
)  # fmt: skip
def test_bad_lines(arguments: list[str], words: list[str], cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert all(word in ended.err for word in words)
    assert len(ended.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written(tmp_path: Path, cli: Callable[..., Ended]) -> None:
    reported(tmp_path / "runs" / "v001", claimed_nodes())
    for name in ("..", "runs", "runs/v001/claims.csv/x"):
        ended = cli("report", "runs", "-o", name)
        assert (ended.code, ended.out) == (2, "")
        assert f"--output {name}" in ended.err


def test_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reported(tmp_path / "outputs" / "v001", claimed_nodes())
    reported(tmp_path / "outputs" / "v002", claimed_nodes(run={"seed": 1}), status="failed")
    with pytest.warns(UserWarning, match="it is failed"):
        written = advlab.report()
    assert written == Path("report.html")
    with pytest.warns(UserWarning, match="it is failed"):
        other = advlab.report("outputs", output=tmp_path / "b.html")
    assert other.read_bytes() == written.read_bytes()
