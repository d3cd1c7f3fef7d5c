"""Generated wrong lines of twelve kinds: each ends with 2, in one message that names the true fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.bad_lines import shown
from tests.helpers.commands import Ended
from tests.helpers.long_cases import one_in
from tests.helpers.wrong_lines import WrongLine, wrong_lines

LINES = wrong_lines()


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.kind}: {shown(list(line.arguments[:4]))}")
def test_a_wrong_line_is_one_message_with_the_true_fault(
    line: WrongLine, cli: Callable[..., Ended], tmp_path: Path
) -> None:
    for name, content in line.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    ended = cli(*line.arguments)
    assert ended.code == 2, ended.err[-2000:]
    assert ended.out == ""
    *before, message = ended.err.splitlines()
    assert message.startswith("advlab: ")
    assert not any(said.startswith("advlab: ") for said in before), before
    for word in line.words:
        assert word in message
    assert "Traceback" not in ended.err
    assert len(message) < 4000


def test_each_kind_has_at_least_ten() -> None:
    kinds = Counter(line.kind for line in LINES)
    assert len(kinds) == 12
    assert min(kinds.values()) >= 10, kinds


@pytest.mark.parametrize(
    "kind", one_in(2, ["unknown choice", "injection", "config folder", "plug-in at load", "data", "checkpoint"])
)
def test_the_same_in_a_process_of_its_own(kind: str, shell: Callable[..., Ended], tmp_path: Path) -> None:
    line = next(line for line in LINES if line.kind == kind)
    for name, content in line.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    ended = shell(*line.arguments)
    assert (ended.code, ended.out) == (2, "")
    message = ended.err.splitlines()[-1]
    assert message.startswith("advlab: ")
    for word in line.words:
        assert word in message
