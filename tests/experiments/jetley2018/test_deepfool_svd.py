"""`deepfool_svd`: accuracy on projected images by brute force, verdicts on made-up tables, and a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision

from advlab import testing
from advlab.config import components
from advlab.errors import ConfigError
from advlab.geometry.singular_directions import singular_directions
from advlab.statistics import Claim
from experiments.jetley2018.singular_dimensions import dimensions, ladder
from tests.helpers.commands import Ended
from tests.helpers.imresize import down_and_up

DeepFoolSvd: Any = components.REGISTRIES["experiment"].load("deepfool_svd")


def network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    first, last = torch.nn.Linear(36, 60, bias=False), torch.nn.Linear(60, 3, bias=False)
    first.weight.data *= 3
    return torch.nn.Sequential(torch.nn.Flatten(), first, torch.nn.Tanh(), last).eval()


def images(count: int) -> torch.Tensor:
    pixels = torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    return pixels.mul(255).round().div(255)


def table(net: torch.nn.Module, batch_size: int = 256, **options: Any) -> tuple[Any, pd.DataFrame]:
    x = images(160)
    labels = net(x).argmax(1)  # all are right as they are
    keyed = {f"experiment.{name}": value for name, value in {"perturbations": 70, "dims": [4, 12], **options}.items()}
    ctx = testing.context("deepfool_svd", net, x, labels, keyed, batch_size=batch_size)
    return ctx, testing.measured(ctx)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("batch_size", [7, 256])
def test_counts_are_those_of_a_projection_by_hand(centred: bool, batch_size: int) -> None:
    net = network()
    ctx, rows = table(net, batch_size, centred=centred)
    order = ctx.order()
    basis_half, measured = order[80:], order[:80]  # without a training split
    x = ctx.data.images(torch.arange(160))
    from_attack = ctx.attack(
        components.REGISTRIES["attack"].load("deepfool")(
            max_iter=100, overshoot=0.02, flavour="matlab", clip="none", candidates=0
        ),
        x[basis_half[:70]],
        ctx.data.labels[basis_half[:70]],
    )
    delta = (from_attack.adv - x[basis_half[:70]]).flatten(1).double().numpy()
    _, values, right = np.linalg.svd(delta / np.linalg.norm(delta, axis=1, keepdims=True), full_matrices=False)
    mean = x[basis_half[:70]].flatten(1).double().mean(0).numpy() if centred else np.zeros(36)
    flat = x[measured].flatten(1).double().numpy() - mean
    for d in (4, 12):
        for subspace, q in (("hi", right[:d]), ("lo", right[::-1][:d])):
            projected = torch.from_numpy(mean + flat @ q.T @ q).float().view(-1, 1, 6, 6)
            correct = (net(projected).argmax(1) == ctx.data.labels[measured]).sum()
            row = rows[(rows["subspace"] == subspace) & (rows["d"] == d)].iloc[0]
            assert row["correct"] == int(correct)
            squares = values**2 if subspace == "hi" else values[::-1] ** 2
            assert row["energy"] == pytest.approx(squares[:d].sum() / (values**2).sum(), rel=1e-4)
    assert set(rows["images"]) == {80}
    assert set(rows["whole"]) == {80}


def test_all_directions_change_nothing_when_they_span_the_space() -> None:
    _, rows = table(network())
    everything = rows[rows["d"] == 36]
    assert set(rows["rank"]) == {36}
    assert sorted(everything["subspace"]) == ["hi", "lo", "random"]
    assert set(everything["correct"]) == {80}
    assert float(everything["energy"].max()) == pytest.approx(1)


def test_fewer_perturbations_have_their_rank_and_are_not_judged_as_spanning() -> None:
    ctx, rows = table(network(), perturbations=20, dims=[4])
    assert set(rows["d"]) == {4, 20}
    assert set(rows["rank"]) == {20}
    claims = verdicts(ctx, rows)
    assert {claim.verdict for claim in claims if claim.claim == "saturates"} == {"not measured"}
    assert "20 perturbations cannot span 36 dimensions" in next(c for c in claims if c.claim == "saturates").quantity


def test_resampled_images_saturate_at_the_accuracy_on_resampled_images() -> None:
    net = network()
    ctx, rows = table(net, resampled_to=3, dims=[2])
    measured = ctx.data.images(torch.tensor(ctx.order()[:80]))
    large = torch.from_numpy(down_and_up(measured.double().numpy(), 3)).to(measured)
    correct = int((net(large).argmax(1) == ctx.data.labels[ctx.order()[:80]]).sum())
    assert correct < 80
    assert set(rows["dimensions"]) == {9}
    assert set(rows["whole"]) == {correct}
    assert set(rows["unchanged"]) == {80}
    full = rows[(rows["d"] == 9) & (rows["subspace"] == "hi")].iloc[0]
    assert full["correct"] == full["kept"] == correct


def test_a_subspace_that_the_network_looks_at_keeps_the_accuracy() -> None:
    """A network that sees three directions alone: S_hi of as many is enough, and S_lo of all others sees nothing."""
    torch.manual_seed(3)
    seen = torch.linalg.qr(torch.randn(36, 2)).Q
    first = torch.nn.Linear(36, 2, bias=False)
    first.weight.data = seen.T
    net = torch.nn.Sequential(torch.nn.Flatten(), first, torch.nn.Linear(2, 3, bias=False)).eval()
    _, rows = table(net, centred=False, dims=[1])
    full = rows[(rows["d"] == 2) & (rows["subspace"] == "hi")].iloc[0]
    assert full["rank"] == 2
    assert full["correct"] >= 79  # a tie may fall to the other side by rounding
    assert singular_directions(seen.T).rank == 2


def verdicts(ctx: Any, rows: pd.DataFrame) -> list[Claim]:
    claims: list[Claim] = ctx.settings.experiment.claims(rows)
    return claims


def test_the_default_numbers_of_directions_have_a_quarter_of_all() -> None:
    """Which two claims are about: 9 of 36 directions, and not the nearest tenth."""
    torch.manual_seed(1)
    net = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(36, 64), torch.nn.Tanh(), torch.nn.Linear(64, 3)
    ).eval()
    ctx, rows = table(net, dims=[], perturbations=80)
    assert (ctx.prepared["limit"], set(rows["rank"])) == (36, {36})
    found = {claim.claim: claim for claim in verdicts(ctx, rows)}
    assert (found["early"].subset, found["late"].subset) == ("S_hi, d=9", "S_lo, d=9")
    assert found["early"].quantity == (
        "share of the images that are right without projection which are right on 0.25 of the directions"
    )


def test_numbers_of_directions() -> None:
    assert dimensions([50, 3, 3, 100], 100) == [3, 50]
    with pytest.raises(ConfigError, match="have 100 directions at most: take at most 100"):
        dimensions([3, 101], 100)
    assert dimensions([], 784)[:7] == [1, 2, 5, 10, 20, 50, 78]
    assert all(d < 3072 for d in ladder(3072))
    assert 2765 in ladder(3072)


def test_an_imagenet_network_with_random_weights_at_a_hundred_pixels() -> None:
    torch.manual_seed(0)
    net = torchvision.models.alexnet(weights=None, num_classes=5).eval()
    x = torch.rand(8, 3, 224, 224)
    keyed = {
        "experiment.resampled_to": 100,
        "experiment.perturbations": 3,
        "experiment.samples": 2,
        "experiment.dims": [1],
    }
    ctx = testing.context("deepfool_svd", net, x, torch.arange(8) % 5, {**keyed, "experiment.candidates": 1})
    rows = testing.measured(ctx)
    assert set(rows["dimensions"]) == {30000}
    assert set(rows["d"]) == {1, 3}
    assert set(rows["images"]) == {2}
    assert {claim.verdict for claim in verdicts(ctx, rows) if claim.claim == "saturates"} == {"not measured"}


def test_a_run(cli: Callable[..., Ended]) -> None:
    ended = cli("experiment=deepfool_svd", "run.preset=tiny", "recipe.epochs=1", "run.output_root=outputs")
    assert ended.code == 0, ended.err
    (path,) = Path("outputs").glob("deepfool_svd/*/v001")
    rows = pd.read_csv(path / "table.csv")
    assert set(rows["subspace"]) == {"hi", "lo", "random"}
    assert (path / "figures/deepfool_svd.png").exists()
    assert (path / "claims.csv").exists()
