"""A small fuzzer: plans, manifests and configurations of real runs, changed anywhere in anything, are harmless."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from advlab.store.sealed import read_sealed, write_sealed
from tests.helpers.commands import Ended
from tests.helpers.strangers import altered, one_line, unfinished, write_yaml


@pytest.mark.renders
@pytest.mark.parametrize(
    ("stranger", "seeds"),
    [
        ("points", range(12)),
        ("network", range(100, 105)),
        pytest.param("points", range(12, 25), marks=pytest.mark.long),
        pytest.param("network", range(105, 110), marks=pytest.mark.long),
    ],
    indirect=["stranger"],
)
def test_any_change_is_harmless(seeds: range, stranger: Path, cli: Callable[..., Ended]) -> None:
    original = stranger.with_name("original")
    stranger.rename(original)
    codes = set()
    for seed in seeds:
        draw = random.Random(seed)
        shutil.rmtree(stranger, ignore_errors=True)
        shutil.copytree(original, stranger)
        plan = read_sealed(stranger / "plan.json")
        what = draw.choice(["plan", "plan", "config", "config", "manifest"])
        if what == "plan":
            write_sealed(stranger / "plan.json", altered(plan, draw))
        elif what == "config":  # the same in the plan, mostly
            config = altered(plan["config"], draw)
            write_yaml(stranger / "config.yaml", config)
            if draw.random() < 0.8:
                write_sealed(stranger / "plan.json", {**plan, "config": config})
        else:
            write_sealed(stranger / "manifest.json", altered(read_sealed(stranger / "manifest.json"), draw))
        if what != "manifest" and draw.random() < 0.8:
            unfinished(stranger, keep=draw.randint(0, 1))
        print(f"seed {seed}")  # which pytest shows of the one that fails
        ended = cli("resume", "run")
        one_line(ended, 0, 2)
        codes.add(ended.code)
        if draw.random() < 0.3:
            one_line(cli("plot", "run"), 0, 2)
    shutil.rmtree(original)
    assert 2 in codes  # changes that nothing refuses would try nothing
