"""The page's own lines that call attacks of other libraries by name run, and each calls the attack that it names."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.commands import Ended
from tests.helpers.long_cases import one_in

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "how-to" / "attack.md").read_text(encoding="utf-8")
LINES = re.findall(r"^    (advlab [^#\n]*attack=library [^#\n]*?)\s*(?:#.*)?$", PAGE, re.MULTILINE)
OPTIONS = [dict(word.split("=", 1) for word in shlex.split(line)[1:]) for line in LINES]


def test_there_are_eight_of_all_four_libraries() -> None:
    called = {(options["attack.library"], options["attack.attack"]) for options in OPTIONS}
    assert len(called) >= 8
    assert {library for library, _ in called} == {"foolbox", "torchattacks", "art", "adv_lib"}
    assert ("torchattacks", "AutoAttack") in called


@pytest.mark.parametrize("line", one_in(3, LINES), ids=[options["attack.attack"] for options in OPTIONS])
def test_a_line_of_the_page(line: str, cli: Callable[..., Ended], tmp_path: Path) -> None:
    words = shlex.split(line)[1:]
    options = dict(word.split("=", 1) for word in words)
    if importlib.util.find_spec(options["attack.library"]) is None:
        pytest.skip(f"{options['attack.library']} is not installed")
    ended = cli(*words, "run.preset=tiny", "experiment.samples=3")
    assert ended.code == 0, ended.err
    (run,) = tmp_path.glob("outputs/attack_survey/*/v001")
    table = pd.read_csv(run / "table.csv")
    label = table["attack"].iloc[0]
    assert options["attack.attack"] in label
    for key, value in options.items():
        if key.startswith("attack.options."):
            assert f"{key.removeprefix('attack.options.')}={value}" in label
    eligible = table[table["eligible"]]
    assert len(eligible) > 0
    assert eligible["forwards"].min() >= 3, "two checks, and the attack has not looked at the network"
    assert eligible["l2"].max() > 0.05, "it returns the images as they are"  # as some do where they fail
    radius = options.get("attack.epsilon") or options.get("attack.options.eps")
    if radius and options.get("attack.norm") == "linf":
        assert eligible["linf"].max() <= float(radius) + 1e-5
