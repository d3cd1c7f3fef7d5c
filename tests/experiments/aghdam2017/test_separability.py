"""Separability in pixels and features: networks whose features are known, the counts of pairs, claims, and one run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from advlab.experiments.aghdam2017.point_classifiers import linear_probe
from advlab.experiments.aghdam2017.separability import trained_share
from advlab.experiments.aghdam2017.separability_measure import (
    random_map,
    source_of_training,
    with_random_weights,
)
from torch import Tensor, nn

from advlab import testing
from advlab.config import components
from advlab.errors import ArgumentError, DataError
from advlab.models.classifier import Classifier
from advlab.statistics import lower_bound

Separability = components.REGISTRIES["experiment"].load("separability")


class Parity(nn.Module):
    """Two classes by the sign of a product of two pixels: no line separates the pixels, and one feature does."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Linear(1, 1)
        self.head = nn.Linear(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        v = x.flatten(1) - 0.5
        out: Tensor = self.head(self.scale(v[:, :1] * v[:, 1:2]))
        return out


def parity(count: int = 400) -> tuple[Tensor, Tensor]:
    """Images of 2 x 2 pixels, of which the last two are noise."""
    x = torch.rand(count, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    v = x.mul(255).round().div(255).flatten(1) - 0.5
    return x, (v[:, 0] * v[:, 1] > 0).long()


def table(network: nn.Module, images: Tensor, labels: Tensor, batch_size: int = 256, **params: Any) -> pd.DataFrame:
    options = {f"experiment.{key}": value for key, value in params.items()}
    return testing.measured(testing.context("separability", network, images, labels, options, batch_size=batch_size))


def row(found: pd.DataFrame, space: str, classifier: str) -> Any:
    return found.set_index(["space", "classifier"]).loc[(space, classifier)]


def test_what_a_line_separates_in_the_features_alone() -> None:
    found = table(Parity().requires_grad_(False), *parity())
    assert set(found["source"]) == {"half"}  # the only split is the measured one
    features, pixels = row(found, "network", "linear"), row(found, "pixels", "linear")
    assert features["dimensions"] == 1
    assert features["correct"] > 0.97 * features["test_images"]
    assert pixels["correct"] < 0.65 * pixels["test_images"]
    assert row(found, "network", "nearest")["correct"] > row(found, "pixels", "nearest")["correct"]
    assert row(found, "pixels", "nearest")["dimensions"] == 4
    for line in found.to_dict("records"):
        network = row(found, "network", line["classifier"])
        assert line["test_images"] == line["train_images"] == 200
        assert line["correct"] - line["only_here"] == network["correct"] - line["only_network"]
        if line["space"] == "pixels":
            assert line["only_network"] > line["only_here"]


def test_a_dataset_without_a_training_split_is_halved_and_a_typed_source_counts() -> None:
    ctx = testing.context("separability", Parity(), *parity())

    def missing(split: str) -> Any:
        raise DataError(f"no folder {split}")

    ctx.load_split = missing
    assert source_of_training(Separability.Params(), ctx) == "half"
    ctx.load_split = lambda _: replace(ctx.data, split="train", digest="another")
    assert source_of_training(Separability.Params(), ctx) == "train"
    assert source_of_training(Separability.Params(source="half"), ctx) == "half"


def test_training_and_test_images_are_apart_and_batches_do_not_matter() -> None:
    """Labels without any relation to the images: whoever has seen the test images would know them."""
    images, _ = parity()
    labels = torch.randint(0, 2, (400,), generator=torch.Generator().manual_seed(1))
    tables = [table(Parity(), images, labels, batch_size=size) for size in (1, 256)]
    pd.testing.assert_frame_equal(*tables)
    assert row(tables[0], "pixels", "nearest")["correct"] < 125


def test_the_random_network_has_other_weights_of_the_same_kind_and_the_network_keeps_its_own() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    classifier = Classifier(network, name="toy", shape=(1, 2, 2), mean=None, std=None)
    before = [weights.clone() for weights in network.parameters()]
    one, again, other = (with_random_weights(classifier, seed) for seed in (0, 0, 1))
    assert one is not None
    assert again is not None
    assert other is not None
    assert one.digest() == again.digest() != other.digest()
    for mine, kept, drawn in zip(network.parameters(), before, one.parameters(), strict=True):
        assert torch.equal(mine, kept)
        assert not torch.equal(mine, drawn)
        assert float(drawn.abs().max()) <= 0.5  # torch's initial weights of 4 inputs and more
    empty = Classifier(nn.Flatten(), name="no weights", shape=(1, 2, 2), mean=None, std=None)
    assert with_random_weights(empty, 0) is None


def test_the_random_map_is_one_map_with_unit_norms_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.eye(50)
    whole, _ = random_map([x, x[:1]], 2000, 0)
    assert float(whole.square().sum(1).mean()) == pytest.approx(2000 / 50, rel=0.05)
    doubled, _ = random_map([2 * x, x[:1]], 2000, 0)
    assert torch.allclose(doubled, 2 * whole)
    assert abs(float(torch.corrcoef(whole[:2])[0, 1])) < 0.1
    monkeypatch.setattr("advlab.experiments.aghdam2017.separability_measure.MAP_ROWS", 7)
    assert torch.allclose(random_map([x], 2000, 0)[0], whole)


def made_up(counts: dict[str, tuple[int, int, int, int]]) -> pd.DataFrame:
    """Of each space: training images that are right, of 1000; right test images of 1000; only here; only in Phi_L."""
    return pd.DataFrame(
        {
            "layer": "auto", "space": space, "classifier": classifier, "dimensions": 9, "source": "train",
            "train_images": 1000, "train_correct": float(trained) if classifier == "linear" else float("nan"),
            "test_images": 1000, "correct": correct, "only_here": here, "only_network": network, "gradient": 0.0,
        }
        for space, (trained, correct, here, network) in counts.items()
        for classifier in ("linear", "nearest")
    ).assign(run="toy")  # fmt: skip


def verdicts(found: pd.DataFrame) -> dict[str, set[str]]:
    claims = Separability(Separability.Params()).claims(found)
    return {name: {c.verdict for c in claims if c.claim == name} for name in dict.fromkeys(c.claim for c in claims)}


def test_claims_hold_on_the_papers_picture_fail_on_its_opposite_and_may_be_undecided() -> None:
    picture = {
        "network": (1000, 980, 0, 0), "pixels": (700, 700, 10, 290), "random_network": (800, 800, 5, 185),
        "random_map": (700, 690, 5, 295),
    }  # fmt: skip
    found = verdicts(made_up(picture))
    assert found.pop("separable-pixels") == {"undecided"}  # another hyperplane may separate what this one does not
    assert set.union(*found.values()) == {"holds"}
    opposite = {
        "network": (700, 700, 0, 0), "pixels": (1000, 980, 290, 10), "random_network": (900, 980, 290, 10),
        "random_map": (900, 980, 290, 10),
    }  # fmt: skip
    found = verdicts(made_up(opposite))
    assert found.pop("separable-network") == {"undecided"}
    assert set.union(*found.values()) == {"does not hold"}
    near = verdicts(made_up({"network": (990, 980, 0, 0), "pixels": (990, 978, 10, 12)}))
    assert near["separable-network"] == near["above-pixels"] == {"undecided"}
    assert near["much-above-pixels"] == {"does not hold"}
    assert "above-random-map" not in near


def test_points_in_as_many_dimensions_as_there_are_images_are_always_separable_and_show_nothing() -> None:
    """Random points with random classes: a probe gets all of them right, and the claim is not judged by that."""
    generator = torch.Generator().manual_seed(0)
    points, y = torch.randn(40, 39, generator=generator).double(), torch.randint(3, (40,), generator=generator)
    probe = linear_probe(points, y, points[:1], classes=3, penalty=1e-3, steps=500)
    assert torch.equal(probe.train_predictions, y)
    of = {"train_correct": 40, "train_images": 40}
    assert trained_share({**of, "dimensions": 39}).estimate != trained_share({**of, "dimensions": 39}).estimate  # NaN
    assert trained_share({**of, "dimensions": 38}) == lower_bound(1.0)


def test_layers_are_named_once() -> None:
    with pytest.raises(ArgumentError, match="layers"):
        Separability.Params(layers=["conv1", "conv1"])


@pytest.mark.long
def test_a_run_trains_on_the_training_split_and_takes_every_layer(cli: Any) -> None:
    line = ["experiment=separability", "run.preset=tiny", "recipe.epochs=1", "experiment.layers=[all]"]
    ended = cli(*line)
    assert ended.code == 0, ended.err
    (path,) = Path("outputs").glob("separability/*/v001/table.csv")
    found = pd.read_csv(path)
    assert set(found["source"]) == {"train"}
    assert found["layer"].nunique() > 3
    assert (found["train_images"] == 200).all()
    assert (path.parent / "figures").is_dir()
