"""`confined_deepfool`: norms in subspaces of a linear network in closed form, plain DeepFool in all of them, and verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from advlab import testing
from advlab.config import components
from advlab.geometry.singular_directions import SingularDirections
from advlab.plotting.pixels import decode
from experiments.jetley2018.confined_deepfool_measure import confined_to, difference
from experiments.jetley2018.resampled_space import ResampledSpace
from experiments.jetley2018.singular_stages import authors_deepfool
from tests.helpers.commands import Ended


def network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    first, last = torch.nn.Linear(36, 60, bias=False), torch.nn.Linear(60, 3, bias=False)
    first.weight.data *= 3
    return torch.nn.Sequential(torch.nn.Flatten(), first, torch.nn.Tanh(), last).eval()


def linear(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 3, bias=False)).eval()


def table(net: torch.nn.Module, batch_size: int = 256, **options: Any) -> tuple[Any, pd.DataFrame]:
    x = torch.rand(160, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    defaults = {"perturbations": 70, "dims": [4, 12], "samples": 10}
    keyed = {f"experiment.{name}": value for name, value in {**defaults, **options}.items()}
    ctx = testing.context("confined_deepfool", net, x, net(x).argmax(1), keyed, batch_size=batch_size)
    return ctx, testing.measured(ctx)


@pytest.mark.parametrize("batch_size", [3, 256])
def test_confined_to_all_directions_it_is_plain_deepfool(batch_size: int) -> None:
    ctx, rows = table(network(), batch_size)
    everything = rows[(rows["subspace"] == "hi") & (rows["d"] == 36)]
    plain = rows[rows["subspace"] == "whole"]
    assert len(everything) == len(plain) == 10
    assert set(plain["outcome"]) == {"success"}
    assert np.allclose(everything["l2"], plain["l2"], rtol=1e-4)
    assert list(everything["steps"]) == list(plain["steps"])
    x, labels = ctx.images_and_labels(list(plain["sample"]))
    direct = authors_deepfool()(ctx.attack_target, x, labels)
    assert np.allclose(plain["l2"], direct.distance.numpy(), rtol=1e-5)
    assert np.allclose(everything["projected"], plain["projected"], rtol=1e-5)


def test_perturbations_stay_in_the_subspace() -> None:
    _, rows = table(network())
    inside = rows[(rows["subspace"] != "whole") & (rows["outcome"] == "success")]
    assert len(inside) > 10
    assert float(inside["outside"].max()) < 1e-5
    assert rows.loc[rows["subspace"] == "whole", "outside"].isna().all()


def test_a_linear_networks_norms_in_closed_form() -> None:
    """On a subspace Q the nearest boundary lies at the smallest |gap| / ||Q (w_k - w_l)||, overshot by .02."""
    net = linear()
    ctx, rows = table(net, dims=[1])
    weight = net[1].weight.detach().double()  # type: ignore[index,union-attr]
    one = rows[(rows["subspace"] == "hi") & (rows["d"] == 1)].set_index("sample")
    both = rows[(rows["subspace"] == "hi") & (rows["d"] == 2)].set_index("sample")
    assert set(rows["rank"]) == {2}
    samples = list(both.index)
    x = ctx.data.images(torch.tensor(samples)).flatten(1).double()
    logits = x @ weight.T
    for i, sample in enumerate(samples):
        own = int(logits[i].argmax())
        distances = [
            float((logits[i, own] - logits[i, k]) / (weight[own] - weight[k]).norm()) for k in range(3) if k != own
        ]
        assert both.loc[sample, "l2"] == pytest.approx(1.02 * min(distances), rel=1e-3)
        shorter = one.loc[sample, "l2"]
        assert math.isnan(shorter) or shorter >= 1.02 * min(distances) * 0.999


def test_projected_images_lose_their_mean() -> None:
    ctx, rows = table(network())
    order = ctx.order()
    mean = ctx.data.images(torch.tensor(order[80:150])).mean(0)
    plain = rows[rows["subspace"] == "whole"].set_index("sample")
    x = ctx.data.images(torch.tensor(order[:10]))
    expected = (x - mean).flatten(1).norm(dim=1)
    assert np.allclose(plain.loc[order[:10], "projected"], expected.numpy(), rtol=1e-5)
    few, more = (rows[(rows["subspace"] == "hi") & (rows["d"] == d)].set_index("sample")["projected"] for d in (4, 12))
    assert (few <= more + 1e-6).all()
    assert (few < plain["projected"]).all()


def test_what_is_longer_than_the_cap_is_no_success() -> None:
    _, whole = table(network())
    plain = whole[whole["subspace"] == "whole"].set_index("sample")["l2"]
    middle = float(plain.median())
    _, rows = table(network(), cap=middle / 6)
    capped = rows[rows["subspace"] == "whole"].set_index("sample")
    assert ((capped["outcome"] == "capped") == (plain > middle)).all()
    assert capped.loc[capped["outcome"] == "capped", "l2"].isna().all()


def test_no_direction_in_sight_is_a_failure_and_not_a_norm() -> None:
    """A network that looks at two directions alone: S_lo of a basis with more is blind."""
    torch.manual_seed(0)
    weight = torch.zeros(3, 36)
    weight[:, :2] = torch.randn(3, 2)
    net = linear()
    net[1].weight.data = weight  # type: ignore[index,union-attr]
    ctx, _ = table(net, dims=[1])
    found = SingularDirections(torch.ones(36), torch.eye(36), 36)
    confined = confined_to(ctx, ResampledSpace((1, 6, 6), 0), found, "lo", 5)
    x, _ = ctx.images_and_labels([0])
    result = ctx.attack(authors_deepfool(), x, net(x).argmax(1), basis=confined.basis.T.contiguous())
    assert not bool(result.success)


def test_directions_of_resampled_images_are_orthonormal_at_the_images_size() -> None:
    ctx, rows = table(network(), resampled_to=3, dims=[4])
    space = ResampledSpace((1, 6, 6), 3)
    found = SingularDirections(torch.ones(9), torch.eye(9), 9)
    confined = confined_to(ctx, space, found, "hi", 4)
    assert torch.allclose(confined.basis @ confined.basis.T, torch.eye(4), atol=1e-6)
    large = space.images(torch.eye(9)[:4]).flatten(1)
    inside = large @ confined.basis.T @ confined.basis
    assert torch.allclose(inside, large, atol=1e-6)
    assert set(rows["dimensions"]) == {9}
    assert float(rows.loc[rows["outcome"] == "success", "outside"].max()) < 1e-5


def test_pictures_are_kept_of_the_first_image_at_five_numbers_of_directions() -> None:
    _, rows = table(network(), dims=[2, 4, 8, 12, 16, 20, 24])
    drawn = rows[rows["projection"] != ""]
    assert set(drawn["sample"]) == {rows["sample"].iloc[0]}
    assert sorted(set(drawn["d"])) == [2, 8, 12, 16, 24]  # of seven, evenly chosen
    assert set(drawn["subspace"]) == {"hi", "lo", "random"}
    assert decode(pd.Series({**drawn.iloc[0].to_dict(), "pixels": drawn["projection"].iloc[0]})).shape == (1, 6, 6)


def test_a_perturbation_is_drawn_around_grey() -> None:
    text = difference(torch.tensor([[[0.0, 2.0], [-2.0, 1.0]]]))
    image = decode(pd.Series({"pixels": text, "channels": 1, "height": 2, "width": 2}))
    assert image.ravel().tolist() == [128, 255, 0, 191]
    assert difference(torch.zeros(1, 2, 2)) == difference(torch.full((1, 2, 2), math.inf)) == ""


@pytest.mark.long
def test_the_papers_cifar100_network_with_random_weights() -> None:
    torch.manual_seed(0)
    net = components.REGISTRIES["model"].load("cifar_alexnet")(classes=100).network().eval()
    x = torch.rand(24, 3, 32, 32)
    keyed = {"experiment.perturbations": 6, "experiment.samples": 2, "experiment.dims": [3]}
    rows = testing.measured(testing.context("confined_deepfool", net, x, torch.arange(24), keyed))
    assert set(rows["dimensions"]) == {3072}
    assert set(rows["rank"]) == {6}
    success = rows[rows["outcome"] == "success"]
    assert set(success["subspace"]) >= {"hi", "whole"}
    assert float(success["outside"].max()) < 1e-3
    plain = rows[rows["subspace"] == "whole"].set_index("sample")["l2"]
    confined = success[success["subspace"] == "hi"]
    assert all(row.l2 > 0.99 * plain[row.sample] for row in confined.itertuples())  # a subspace holds nothing nearer


def test_a_run(cli: Callable[..., Ended]) -> None:
    ended = cli("experiment=confined_deepfool", "run.preset=tiny", "recipe.epochs=1", "run.output_root=outputs")
    assert ended.code == 0, ended.err
    (path,) = Path("outputs").glob("confined_deepfool/*/v001")
    rows = pd.read_csv(path / "table.csv")
    assert set(rows["subspace"]) == {"hi", "lo", "random", "whole"}
    assert (path / "figures/confined_deepfool.png").exists()
