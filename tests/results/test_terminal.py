"""Text within the terminal's width: nothing is lost, and nothing but whole words runs over."""

from __future__ import annotations

import shlex

import pytest

from advlab.results.terminal import in_blocks, terminal_width, wrapped, wrapped_command

LINES = [
    ["run", *(f"network number {n} on digits, steps={n}" for n in range(7))],
    ["success_rate", *(f"{n / 7:.4g} ± 0.1" for n in range(7))],
    ["failures", "5 max_iter, 3 clean", *[""] * 6],
]


def test_a_table_that_fits_stays_one_block() -> None:
    assert in_blocks([["a", "1", "22"], ["bb", "", "3"]], 20) == "a   1  22\nbb     3"


@pytest.mark.parametrize("width", [40, 57, 80, 120])
def test_columns_that_do_not_fit_stand_in_further_blocks(width: int) -> None:
    text = in_blocks(LINES, width)
    assert max(map(len, text.splitlines())) <= width
    blocks = text.split("\n\n")
    assert len(blocks) > 1
    for block in blocks:
        assert [line for line in block.splitlines() if line.startswith(("run", "success_rate", "failures"))]
    for n in range(7):
        assert f"{n / 7:.4g} ± 0.1" in text
        assert f"steps={n}" in text
    assert in_blocks(LINES, 400).count("\n") == 2


def test_a_long_name_leaves_room_for_its_values() -> None:
    text = in_blocks([["one name that is longer than the whole terminal is wide" * 2, "0.25"]], 40)
    assert max(map(len, text.splitlines())) <= 40
    assert "0.25" in text


def test_paths_stay_whole() -> None:
    path = "/a/path/that/is/longer/than/the/terminal-is-wide"
    assert wrapped(f"  0  complete  seed=0  {path}", 30, indent=5) == f"  0  complete  seed=0\n     {path}"


def test_a_wrapped_command_is_the_same_command() -> None:
    runs = [f"outputs/isotropy/digits-lenet/v{n:03d}" for n in range(5)]
    text = wrapped_command("advlab plot", runs, 60)
    assert max(map(len, text.splitlines())) <= 60
    assert shlex.split(text.replace("\\\n", "")) == ["advlab", "plot", *runs]
    assert wrapped_command("advlab plot", runs, 400) == " ".join(["advlab plot", *runs])


def test_the_width_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "123")
    assert terminal_width() == 123
    monkeypatch.setenv("COLUMNS", "7")
    assert terminal_width() == 40
