"""An experiment that trains its own networks: the runner loads and trains none before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

FEW = ["experiment.networks=[reference,hard]", "experiment.seeds=1", "experiment.pgd_images=0"]


def test_no_network_is_trained_but_those_of_the_figure(cli: Callable[..., Any], tmp_path: Path) -> None:
    ended = cli("experiment=hard_point_training", "dataset=digits", "run.preset=tiny", *FEW)
    assert ended.code == 0, ended.err
    assert "clean accuracy of" not in ended.out + ended.err  # which the runner measures of a network that it loads
    manifest = json.loads(next(tmp_path.glob("outputs/hard_point_training/*/v001/manifest.json")).read_text())
    assert "model" not in manifest
    assert manifest["status"] == "complete"
