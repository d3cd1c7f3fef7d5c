"""What a user sees on a terminal: a word at once, tables within the width, verdicts in word and colour; plain text elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from advlab.cli.main import run
from advlab.results import console
from advlab.results.claims_table import show_claims
from advlab.results.console import show, show_table
from advlab.statistics import Interval, judge
from advlab.statistics.claims import Claim, claims_text
from tests.helpers.commands import Ended
from tests.helpers.long_cases import one_in
from tests.helpers.terminal import terminal

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
MANY_WORDS = "share of samples " * 4


def of(subset: str, quantity: str, *numbers: float, relation: Literal["<", ">"], threshold: float) -> Claim:
    low, estimate, high = numbers
    interval = Interval(estimate, low, high, 300)
    return judge(quantity, interval, relation, threshold, subset=subset, statement="", quantity=quantity)


CLAIMS = [
    of("l2, 0..1", "median of one thing", 0.00912, 0.0123456, 0.0345, relation=">", threshold=0.005),
    of("l2, 0..1", MANY_WORDS, -2.25e-07, -1.5e-07, -1.25e-07, relation=">", threshold=1),
    of("linf, 0..255", "median", 0.5, 1234.5, 98765.4, relation="<", threshold=1000),
]


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let what is printed take standard output for a terminal of some width."""

    def of_width(width: int) -> None:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    return of_width


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_verdicts_fit_and_no_number_is_cut(
    width: int, on_a_terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_terminal(width)
    show_claims(CLAIMS)
    out = capsys.readouterr().out
    lines = ESCAPES.sub("", out).splitlines()
    assert max(map(len, lines)) <= width
    words = set(re.findall(r"[^\s,;\[\]]+", "\n".join(lines)))
    assert {
        "0.0123",
        "0.00912",
        "0.0345",
        "0.005",
        "-1.5e-07",
        "-2.25e-07",
        "1.23e+03",
        "9.88e+04",
        "1000",
        "300",
    } <= words
    assert "…" not in out
    for verdict, colour in (("holds", "1;32"), ("does not hold", "1;31"), ("undecided", "1;33")):
        assert re.search(rf"\x1b\[{colour}m{verdict}", out), verdict


def test_no_colour_is_no_escape(
    on_a_terminal: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_terminal(80)
    monkeypatch.setenv("NO_COLOR", "1")
    show_claims(CLAIMS)
    show("l2: 1 of 2 statements hold, 1 undecided")
    show_table(["", ""], [("a", "b")], ["a  b"], "cyan")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "does not hold" in out


def test_what_others_have_written_moves_no_cursor(
    on_a_terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_terminal(80)
    show_table(["verdict", "x"], [("holds", "a\x1b[2Jb")], ["holds  a"])
    out = capsys.readouterr().out
    assert "a\\x1b[2Jb" in out
    assert "\x1b[2J" not in out


@pytest.mark.parametrize("variable", ["", "TERM"])
def test_a_pipe_has_the_plain_text(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if variable:  # a terminal that places no text
        monkeypatch.setenv("TERM", "dumb")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert not console.on_terminal()
    text = claims_text(CLAIMS)
    show(text)
    assert capsys.readouterr().out == text + "\n"


@pytest.mark.parametrize("width", one_in(2, [40, 80, 200]))
@pytest.mark.parametrize(
    "words", ["list", "list attacks", "describe isotropy", "describe deepfool", "claims experiments"]
)
def test_lines_keep_within_the_terminal(
    words: str,
    width: int,
    on_a_terminal: Callable[[int], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But for commands, which are copied whole, and names that are longer."""
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    assert run(words.split()) == 0
    plain = capsys.readouterr().out
    on_a_terminal(width)
    assert run(words.split()) == 0
    out = ESCAPES.sub("", capsys.readouterr().out)
    lines = [line.rstrip() for line in out.splitlines() if not line.startswith("  advlab ")]
    assert max(map(len, lines)) <= width or (
        words.startswith("claims") and width == 40
    )  # labels of networks are longer
    assert "…" not in out
    if not words.startswith("claims"):  # which is laid out by the width, with and without colours
        assert out.split() == plain.split()


def test_a_word_is_said_before_torch_is_loaded_and_taken_back(tmp_path: Path) -> None:
    """The order, not the time: torch's import is marked where it begins."""
    code = (
        "import os, sys\n"
        "class Marks:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('torch', 'hydra', 'numpy'):\n"
        "            os.write(2, f'<{name}>'.encode())\n"
        "sys.meta_path.insert(0, Marks())\n"
        "from advlab.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    words = ["run.preset=tiny", "recipe.epochs=1", "probe.trials=4", "probe.radii=[1]", "probe.confidence=0"]
    with terminal([sys.executable, "-c", code, *words], cwd=tmp_path) as opened:
        opened.until("reading the configuration \\.\\.\\.")
        opened.until("isotropy, lenet on digits: loading \\.\\.\\.")
        opened.until("<torch>")
        opened.until("\r\x1b\\[K")  # what was said is erased before the first line
        opened.until("training lenet|clean accuracy")
        assert opened.ended() == 0
    assert opened.seen.startswith("reading the configuration ...")
    assert "<torch>" not in opened.seen[: opened.seen.index("loading")]
    assert "undecided" in opened.seen


def test_bad_lines_and_pipes_are_as_they_were(tmp_path: Path, shell: Callable[..., Ended]) -> None:
    with terminal([sys.executable, "-m", "advlab", "model=vgg61"], cwd=tmp_path) as opened:
        assert opened.ended() == 2
    assert opened.seen.startswith("reading the configuration ...\r\x1b[Kadvlab: there is no model 'vgg61'")
    ended = shell("model=vgg61")
    assert ended.err.startswith("advlab: there is no model 'vgg61'")


def test_a_dumb_terminal_keeps_the_word(tmp_path: Path) -> None:
    with terminal([sys.executable, "-m", "advlab", "model=vgg61"], cwd=tmp_path, TERM="dumb") as opened:
        assert opened.ended() == 2
    assert opened.seen.startswith("reading the configuration ...\r\nadvlab: there is no model")
    assert "\x1b" not in opened.seen


def test_rich_is_loaded_on_a_terminal_alone() -> None:
    code = (
        "import sys\n"
        "from advlab.cli.main import run\n"
        "completing = [['completion', 'bash'], ['completion', 'bash', '--', 'advlab pl']]\n"
        "for words in (['list', 'attacks'], ['help'], *completing, ['list']):\n"
        "    assert run(words) == 0\n"
        "    assert 'numpy' not in sys.modules or words == ['list'], words\n"
        "    assert not {'rich', 'filelock', 'torch', 'pandas'} & set(sys.modules), words\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
