"""A class that DeepFool never reaches: it alone is lost, and log, table and claims say so."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from advlab import testing
from advlab.errors import MeasurementError
from advlab.plotting.style import style
from experiments.jetley2018.missing_classes import without
from tests.helpers.commands import Ended
from tests.helpers.squares_network import SQUARES_OPTIONS, Squares, four_by_four_images

SMALL: dict[str, dict[str, Any]] = {
    "basis_angles": {"dimensions": [1, 2], "perturbations": 60},
    "class_scores": {"samples": 60, "steps": 4, "directions": 1, "drawn": 3},
    "curvature": {"images": 5, "directions": 2, "top": 2},
    "curved_universal": {"top": 1, "draws": 2, "shares": [0.3], "samples": 40, "uap_images": 10, "uap_passes": 1},
    "score_curves": {"samples": 12, "steps": 4, "directions": 1, "drawn": 3},
    "subspace_accuracy": {"dimensions": [0, 1, 2], "train_images": 40, "test_images": 40, "draws": 1},
    "subspace_norms": {
        "dimensions": [1, 2], "samples": 20, "test_images": 40, "universal": 1, "universal_images": 10, "draws": 1,
    },
    "suppression": {"dimensions": [1], "samples": 6, "accuracy_images": 40},
}  # fmt: skip
BY_CLASS = ("class_scores", "curvature", "score_curves")  # a cell is of one class


class Unreachable(nn.Module):
    """The classes of `Squares`, whose scores are never below 0, and a third one with a score of -9 everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.squares = Squares()

    def forward(self, x: Tensor) -> Tensor:
        logits = self.squares(x)
        return torch.cat([logits, torch.full_like(logits[:, :1], -9)], 1)


class Alone(nn.Module):
    """Every image is of the third class, whatever is done to it."""

    def forward(self, x: Tensor) -> Tensor:
        return 0 * x.flatten(1)[:, :3] + torch.tensor([0.0, 0.0, 2.0])


def context(name: str, network: nn.Module, **more: Any) -> Any:
    options = SQUARES_OPTIONS | {f"experiment.{key}": value for key, value in {**SMALL[name], **more}.items()}
    x, labels = four_by_four_images(120)
    labels[:3] = 1 if isinstance(network, Squares) else 2
    return testing.context(name, network, x, labels, options)


@pytest.mark.parametrize("name", SMALL)
def test_it_alone_is_lost(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ctx = context(name, Unreachable())
        table = testing.measured(ctx)
    said = "class class 2 is left out: targeted DeepFool moved 0 of 60 images into it, and two boundary points are the least"
    assert caplog.text.count(said) == 1
    rows = table
    if name in BY_CLASS:
        assert table.loc[table["missing"], "target"].tolist() == [2]
        rows = table[~table["missing"]]
        assert set(rows["target"]) == {0, 1}
    else:
        assert set(table["without"]) == {"class 2"}
        assert set(table["classes"]) == {2}
        assert "target" not in table or set(table["target"]) == {-1, 0, 1}
    experiment = ctx.settings.experiment
    claims = experiment.claims(table)
    noted = [claim for claim in claims if claim.quantity.endswith(" (2 classes; without boundary points: class 2)")]
    over_all = [claim for claim in claims if name not in BY_CLASS or "class " not in f"{claim.subset} "]
    assert claims
    assert [claim.claim for claim in noted] == [claim.claim for claim in over_all]
    summary = experiment.summary(table)
    assert "target" not in summary or 2 not in set(summary["target"])
    with style("column"):
        experiment.plot(table)


def test_subspaces_and_their_random_controls_are_of_the_other_classes() -> None:
    """With two classes' directions a random subspace of equal number has 2 d dimensions, not 3 d."""
    table = testing.measured(context("subspace_accuracy", Unreachable()))
    of = table[(table["d"] == 2) & (table["split"] == "test")].set_index("subspace")
    assert of.loc["random", "rank"] == of.loc["most", "directions"] == of.loc["random", "directions"] == 4
    with_two = testing.measured(context("subspace_accuracy", Squares()))
    expected = with_two[(with_two["d"] == 2) & (with_two["split"] == "test")].set_index("subspace")
    assert of["rank"].tolist() == expected["rank"].tolist()


def test_bases_that_need_no_points_lose_no_class() -> None:
    table = testing.measured(context("subspace_accuracy", Unreachable(), basis="deepfool", basis_images=60))
    assert set(table["without"]) == {""}
    assert set(table["classes"]) == {3}


@pytest.mark.parametrize("name", [name for name in SMALL if name != "basis_angles"])  # which DeepFool ends before
def test_without_any_class_it_is_an_error(name: str) -> None:
    """It says what was tried, and what can be typed."""
    ctx = context(name, Alone(), iterations=1)
    with pytest.raises(MeasurementError, match="no class has the two boundary points") as caught:
        ctx.settings.experiment.claims(testing.measured(ctx))
    said = str(caught.value)
    assert "experiment.iterations" in said
    assert ("experiment.basis=deepfool" in said) == hasattr(ctx.settings.experiment.params, "basis_images")


@pytest.mark.parametrize("name", ["class_scores", "score_curves"])
def test_a_figure_of_a_class_without_points_says_so(name: str) -> None:
    ctx = context(name, Unreachable())
    table = testing.measured(ctx)
    with style("column"):
        figure = ctx.settings.experiment.plot(table[table["missing"]])
    assert [text.get_text() for text in figure.texts] == ["no class that is drawn has boundary points"]


def test_tables_of_earlier_versions_have_all_classes() -> None:
    ctx = context("curvature", Squares(), classes=[0, 1])
    table, experiment = testing.measured(ctx), ctx.settings.experiment
    older = table.drop(columns="missing")
    claims = experiment.claims(older)
    assert claims == experiment.claims(table) == without(claims, "", 2)
    assert pd.DataFrame(experiment.summary(older)).equals(pd.DataFrame(experiment.summary(table)))


PLUGIN = """
import advlab

@advlab.model("unreachable", input_shape=(1, 28, 28), dataset="digits")
def unreachable():
    import torch
    from torch import nn

    class Unreachable(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.Tanh(), nn.Linear(32, 9), nn.Tanh())

        def forward(self, x):
            scores = 8 * self.layers(x - 0.5)
            return torch.cat([scores, torch.full_like(scores[:, :1], -9)], 1)

    torch.manual_seed(0)
    return Unreachable()
"""


def test_a_run_on_the_terminal_and_its_resumption(cli: Callable[..., Ended]) -> None:
    """The log of either says it, and the table is the same."""
    Path("net.py").write_text(PLUGIN)
    line = ["--plugin", "net.py", "experiment=class_scores", "model=unreachable", "experiment.classes=[3,9]"]
    ended = cli(*line, "experiment.basis=lanczos", "experiment.pairs=1", "run.preset=tiny", "run.output_root=outputs")
    assert ended.code == 0, ended.err
    assert "is left out: targeted DeepFool moved 0 of" in ended.err
    (manifest,) = Path("outputs").glob("**/manifest.json")
    run = manifest.parent
    table, claims = ((run / name).read_bytes() for name in ("table.csv", "claims.csv"))
    assert b"(1 class; without boundary points: 9)" in claims
    manifest.unlink()
    for cell in (run / "cells").glob("9-*"):
        cell.unlink()
    ended = cli("--plugin", "net.py", "resume", str(run))
    assert ended.code == 0, ended.err
    assert "class 9 is left out" in ended.err
    assert [(run / name).read_bytes() for name in ("table.csv", "claims.csv")] == [table, claims]
