"""The first convolution of a network: outputs against the Fourier transform, measures by definition, claims, and one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.aghdam2017.first_layer import exponents
from advlab.experiments.aghdam2017.first_layer_measure import (
    Pooling,
    compare,
    decorrelation,
    first_convolution,
    permuted_perturbations,
    with_random_kernels,
)
from torch import Tensor, nn

from advlab import testing
from advlab.config import components
from advlab.errors import ModelError
from advlab.models.classifier import Classifier

FirstLayer = components.REGISTRIES["experiment"].load("first_layer")
SHAPE = (2, 9, 8)


class Network(nn.Module):
    """A strided convolution with padding, a ReLU, overlapping pooling, and a classification layer."""

    def __init__(self, twice: float = 1.0) -> None:
        super().__init__()
        self.twice = twice
        self.conv = nn.Conv2d(2, 4, (3, 2), stride=(1, 2), padding=(2, 1))
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(3, 2)
        self.head = nn.LazyLinear(3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.pool(self.relu(self.conv(self.twice * x))).flatten(1))
        return out


def classifier(network: nn.Module | None = None) -> Classifier:
    torch.manual_seed(0)
    mean, std = torch.tensor([0.4, 0.6]).view(2, 1, 1), torch.tensor([0.2, 0.5]).view(2, 1, 1)
    return Classifier((network or Network()).eval(), name="toy", shape=SHAPE, mean=mean, std=std)


def table(count: int = 7, **params: Any) -> pd.DataFrame:
    x = torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1))
    options = {f"experiment.{key}": value for key, value in params.items()}
    return testing.measured(testing.context("first_layer", classifier(), x, torch.arange(count) % 3, options))


def by_fourier(kernel: Any, x: Any, stride: tuple[int, int], padding: tuple[int, int]) -> Any:
    """Cross-correlation of (C, H, W) with (C, Q, P) by products of transforms, on a torus that is large enough."""
    padded = np.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2))
    size = [n + k for n, k in zip(padded.shape[1:], kernel.shape[1:], strict=True)]
    product = np.fft.fft2(padded, size) * np.conj(np.fft.fft2(kernel, size))
    whole = np.fft.ifft2(product.sum(0)).real
    kept = [n - k + 1 for n, k in zip(padded.shape[1:], kernel.shape[1:], strict=True)]
    return whole[: kept[0] : stride[0], : kept[1] : stride[1]]


def test_distances_are_those_of_the_fourier_transform() -> None:
    found = table(2, lengths=[0.1, 10.0]).set_index(["sample", "kernels", "base", "length"])["distance"]
    network = classifier()
    conv = network.network.conv
    assert isinstance(conv, nn.Conv2d)
    kernels = conv.weight.detach().double().numpy()
    scale = network.scale.double().numpy()
    for sample in (0, 1):
        rng = np.random.default_rng([0, sample])
        v, permuted = permuted_perturbations(rng, torch.zeros(1, *SHAPE, dtype=torch.float64), [0.1, 10.0])
        drawn = with_random_kernels(conv.double(), rng).weight.detach().numpy()
        for k, length in enumerate((0.1, 10.0)):
            difference = scale * (v[k] - permuted[k]).numpy()
            for name, weights in (("network", kernels), ("random", drawn)):
                outputs = [by_fourier(kernel, difference, (1, 2), (2, 1)) for kernel in weights]
                expected = np.sqrt(sum((output**2).sum() for output in outputs))
                for base in ("image", "black"):  # linear: what v is added to does not matter
                    assert found[sample, name, base, length] == pytest.approx(expected, rel=1e-9)


def test_a_permutation_keeps_the_values_and_the_length() -> None:
    x = torch.zeros(1, *SHAPE, dtype=torch.float64)
    v, permuted = permuted_perturbations(np.random.default_rng(0), x, [0.1, 10.0])
    assert v.flatten(1).norm(dim=1).tolist() == pytest.approx([0.1, 10])
    assert torch.equal(v.flatten(1).sort(1).values, permuted.flatten(1).sort(1).values)
    assert float((v == permuted).double().mean()) < 0.1
    assert torch.allclose(permuted[1], 100 * permuted[0])


def test_random_kernels_are_as_long_and_the_network_keeps_its_own() -> None:
    conv = nn.Conv2d(2, 5, 3)
    before = conv.weight.detach().clone()
    random = with_random_kernels(conv, np.random.default_rng(0))
    assert torch.equal(conv.weight, before)
    assert torch.allclose(random.weight.flatten(1).norm(dim=1), before.flatten(1).norm(dim=1))
    assert not torch.allclose(random.weight, before, atol=0.05)


def test_measures_equal_their_definitions() -> None:
    rng = np.random.default_rng(0)
    a, b, o = rng.normal(size=(3, 2, 3, 6, 6)) + np.arange(3)[:, None, None]
    pooling = Pooling(2, 2)
    found = compare(*map(torch.from_numpy, (a, b, o[:1])), pooling)
    for i in range(2):
        pairs = {"": (a[i], b[i])}
        pairs["pooled_"] = tuple(y[i].reshape(3, 3, 2, 3, 2).max((2, 4)) for y in (a, b))  # type: ignore[assignment]
        for prefix, (one, other) in pairs.items():
            assert found[i][f"{prefix}rms"] == pytest.approx(np.sqrt(((one - other) ** 2).mean()))
            lengths = np.linalg.norm(one) + np.linalg.norm(other)
            assert found[i][f"{prefix}relative"] == pytest.approx(np.linalg.norm(one - other) / lengths)
            r = [np.corrcoef(one[c].ravel(), other[c].ravel())[0, 1] for c in range(3)]
            assert found[i][f"{prefix}decorrelation"] == pytest.approx(1 - np.mean(r))
        da, db = a[i] - o[0], b[i] - o[0]
        assert found[i]["changes"] == pytest.approx(np.linalg.norm(da - db) / (np.linalg.norm(da) + np.linalg.norm(db)))
        apart = np.linalg.norm(np.sort(da, axis=None) - np.sort(db, axis=None))
        assert found[i]["sorted_changes"] == pytest.approx(apart / (np.linalg.norm(da) + np.linalg.norm(db)))
    shifted = compare(*map(torch.from_numpy, (a, np.roll(a, 1, 3), 0 * o[:1])), pooling)
    assert shifted[0]["sorted_changes"] == 0 < shifted[0]["changes"]
    constant = compare(torch.ones(1, 2, 4, 4), torch.ones(1, 2, 4, 4), torch.zeros(1, 2, 4, 4), pooling)
    assert np.isnan(constant[0]["decorrelation"])


def test_a_dead_kernel_is_no_channel_that_correlates() -> None:
    """Its output is its bias, whose mean differs from it by rounding: what is left is no pattern."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 3, 4, 23, 23, generator=generator, dtype=torch.float64).unbind()
    a[:, 1] = b[:, 1] = 0.1
    alive = [0, 2, 3]
    r = [[np.corrcoef(a[i, c].flatten(), b[i, c].flatten())[0, 1] for c in alive] for i in range(3)]
    assert decorrelation(a, b).tolist() == pytest.approx((1 - np.mean(r, 1)).tolist())


def test_a_sample_without_a_difference_has_no_exponent_and_takes_none_from_the_others() -> None:
    rows = pd.DataFrame(
        [
            {"length": n, "sample": s, "distance": n**2 * (s > 0), "relative": np.nan if s == 0 else n**0.5}
            for n in (0.1, 1.0, 10.0)
            for s in range(7)
        ]
    )
    assert exponents(rows, "distance") == pytest.approx((2, 2, 2, 6))
    assert exponents(rows, "relative") == pytest.approx((0.5, 0.5, 0.5, 6))
    assert np.isnan(exponents(rows[rows["sample"] == 0], "distance").estimate)


def test_the_convolution_and_the_pooling_are_the_networks_own() -> None:
    name, conv, pooling = first_convolution(classifier())
    assert (name, str(pooling), conv.kernel_size) == ("conv", "3/2", (3, 2))
    with pytest.raises(ModelError, match="not given the normalised image"):
        first_convolution(classifier(Network(twice=2.0)))
    flat = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), name="flat", shape=(1, 2, 2), mean=None, std=None)
    with pytest.raises(ModelError, match="no convolution"):
        first_convolution(flat)
    alone = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
    assert str(first_convolution(classifier(alone))[2]) == "2/2"


def test_the_difference_is_linear_in_the_length_and_batches_of_samples_do_not_matter() -> None:
    found = table()
    ratio = (found["distance"] / found["length"]).groupby([found["sample"], found["kernels"]])
    assert (ratio.max() / ratio.min() - 1).max() < 1e-9
    few = table(lengths=[0.1, 20.0])
    kept = found[found["length"].isin([0.1, 20.0])].reset_index(drop=True)
    pd.testing.assert_frame_equal(few, kept)


def made_up(changes: float, power: float, growth: float, count: int = 8) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample": i, "kernels": "network", "base": "image", "length": length, "distance": length**power,
            "changes": changes, "sorted_changes": changes, "rms": 1.0, "relative": length**power * (1 + 0.01 * i),
            "decorrelation": 0.5,
        }
        | {f"pooled_{m}": growth * v for m, v in {"rms": 1.0, "relative": length**power, "decorrelation": 0.5}.items()}
        for i in range(count)
        for length in (0.1, 1.0, 10.0)
    )  # fmt: skip


def verdicts(found: pd.DataFrame) -> set[str]:
    return {claim.verdict for claim in FirstLayer(FirstLayer.Params()).claims(found)}


def test_claims_hold_on_the_papers_picture_and_fail_on_its_opposite() -> None:
    assert verdicts(made_up(0.7, 1.0, 1.5)) == {"holds"}
    assert verdicts(made_up(1e-15, 0.0, 0.8)) == {"does not hold"}
    assert verdicts(made_up(0.7, 1.0, 1.5, count=5)) == {"undecided"}


def test_a_run(cli: Any) -> None:
    ended = cli("experiment=first_layer", "run.preset=tiny", "recipe.epochs=1")
    assert ended.code == 0, ended.err
    (path,) = Path("outputs").glob("first_layer/*/v001/table.csv")
    found = pd.read_csv(path)
    assert len(found) == 3 * 2 * 2 * 6
    assert set(found["layer"]) == {"conv1"}
    assert found.notna().all(axis=None)
    assert list((path.parent / "figures").glob("*.png"))
