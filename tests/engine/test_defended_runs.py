"""Runs of defended networks from the command line: what is rejected, what one draw measures, and what takes no defense."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tests.helpers.commands import Ended

REJECTING = '''
import torch
import advlab

@advlab.defense("strict", rejects=True)
def strict(network, images, *, brightness: float = 0.5):
    """Rejects bright images."""
    logits = network(images)
    bright = images.flatten(1).mean(1) > brightness
    return torch.cat([logits, torch.where(bright, logits.amax(1) + 1, logits.amin(1) - 1)[:, None]], 1)
'''


def test_rejected_images_are_counted_apart(tmp_path: Path, cli: Callable[..., Ended]) -> None:
    plugin = tmp_path / "strict.py"
    plugin.write_text(REJECTING)
    line = ["--plugin", str(plugin), "experiment=attack_survey", "attack=fgs", "recipe.epochs=2", "run.preset=tiny"]
    ended = cli(*line, "defense=strict", "defense.brightness=0.3")
    assert ended.code == 0, ended.err
    assert " are rejected" in ended.err
    assert (tmp_path / "outputs/attack_survey/digits-lenet-fgs-strict/v001/table.csv").is_file()
    none_left = cli(*line, "defense=strict", "defense.brightness=0")
    assert "(0 of 200); 200 are rejected" in none_left.err


def test_quotients_of_a_randomly_defended_network_stay_finite(cli: Callable[..., Ended], tmp_path: Path) -> None:
    """Differences over small distances: with a draw for each image they would grow without bound."""
    probe = ["probe.radii=[0.001,0.1,1]", "probe.trials=4"]
    ended = cli("experiment=lipschitz", "model=lenet", "recipe.epochs=1", "run.preset=tiny", *probe, "defense=noise")
    assert ended.code == 0, ended.err
    run = tmp_path / "outputs/lipschitz/digits-lenet-noise/v001"
    table = pd.read_csv(run / "table.csv")
    largest = table.groupby("radius")["largest_ratio"].max()
    assert largest.max() < 20 * largest.min()
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["model"]["defended"] == {
        "differentiable": True,
        "random": False,
        "one_draw": True,
        "rejects": False,
    }


def test_only_networks_that_are_measured_take_a_defense(cli: Callable[..., Ended]) -> None:
    ended = cli("experiment=hard_point_training", "model=lenet", "defense=blur")
    assert ended.code == 2
    assert "defense=blur: the experiment hard_point_training uses no defense: leave it out" in ended.err
