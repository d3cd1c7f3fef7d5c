"""Adversarial directions and permuted ones: what they are, and that batches do not matter."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.models.classifier import Classifier
from advlab.probes.directions import AdversarialDirections
from advlab.probes.draws import Draws
from advlab.probes.permutations import Permutations


def draws() -> Draws:
    return Draws(seed=3, dataset="toy/test", size=36, device=torch.device("cpu"), portable=True)


def filled(source: Any, units: list[tuple[int, int]], trials: int, start: int = 0) -> Tensor:
    out = torch.empty(len(units), trials, 36)
    source.write_directions(units, out, start)
    return out


def directions(network: nn.Module, direction: str, *, spread: float = 0.5, trials: int = 12) -> AdversarialDirections:
    classifier = Classifier(network.eval(), name="toy", shape=(1, 6, 6), mean=None, std=None)
    images = torch.rand(4, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    probe: Any = SimpleNamespace(direction=direction, spread=spread, trials=trials)
    data: Any = SimpleNamespace(
        shape=(1, 6, 6),
        device=torch.device("cpu"),
        images_and_labels=lambda samples: (images[samples], torch.zeros(len(samples), dtype=torch.int64)),
    )
    return AdversarialDirections(draws(), probe, data, classifier, batch_size=5, count=lambda **_: None)


def biased(*layers: nn.Module, bias: float) -> nn.Sequential:
    """A network whose last layer favours class 0."""
    last = layers[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.bias.zero_()
        last.bias[0] = bias
    return nn.Sequential(nn.Flatten(), *layers)


@pytest.mark.parametrize("direction", ["fgv", "deepfool"])
def test_two_linear_classes_have_one_direction(direction: str) -> None:
    torch.manual_seed(0)
    head = nn.Linear(36, 2)
    network = biased(head, bias=6.0)
    normal = (head.weight[1] - head.weight[0]).detach()  # towards the other class
    found = filled(directions(network, direction), [(2, 0), (2, 1), (0, 5)], 12)
    cosine = found @ normal / normal.norm() / found.norm(dim=-1)
    assert cosine.min() > 0.999


def test_gradients_are_those_of_the_loss_at_the_random_starts() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 3))
    source = directions(network, "fgv")
    found = filled(source, [(1, 7)], 12)[0]
    u = filled(draws(), [(1, -1)], 12)[0]
    x = torch.rand(4, 1, 6, 6, generator=torch.Generator().manual_seed(0))[1].flatten()
    for t in (0, 11):
        start = (x + 0.5 * u[t] / u[t].norm()).double()
        step, gradient = 1e-6, []
        network.double()
        for d in range(36):
            ends = []
            for sign in (1, -1):
                z = start.clone()
                z[d] += sign * step
                logits = network(z.view(1, 1, 6, 6)).detach()
                ends.append(float(nn.functional.cross_entropy(logits, torch.tensor([0]))))
            gradient.append((ends[0] - ends[1]) / (2 * step))
        network.float()
        expected = torch.tensor(gradient)
        assert torch.allclose(found[t], (expected / expected.norm()).float(), atol=1e-4)


@pytest.mark.parametrize("direction", ["fgv", "deepfool"])
def test_directions_are_found_once_a_sample_and_serve_all_radii_and_batches(direction: str) -> None:
    torch.manual_seed(0)
    network = biased(nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 2), bias=0.5)
    source = directions(network, direction)
    whole = filled(source, [(0, 0), (0, 1), (3, 0)], 12)
    assert torch.equal(whole[0], whole[1])
    assert not torch.allclose(whole[0], whole[2])
    assert torch.allclose(filled(source, [(0, 4)], 5, start=7)[0], whole[0][7:])
    assert (whole[0].norm(dim=1) - 1).abs().max() < 1e-5
    distinct = torch.pdist(whole[0])
    assert distinct.min() > 0  # each from a start of its own


def test_where_deepfool_fails_the_gradient_takes_its_place() -> None:
    torch.manual_seed(0)
    layers = nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 2)
    network = biased(*layers, bias=30.0)  # no tanh reaches the other class
    assert torch.allclose(
        filled(directions(network, "deepfool"), [(0, 0)], 12), filled(directions(network, "fgv"), [(0, 0)], 12)
    )


def test_directions_of_several_samples_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    source = directions(biased(nn.Linear(36, 2), bias=6.0), "fgv")
    asked: list[int] = []
    found = source._directions

    def noted(sample: int) -> Tensor:
        asked.append(sample)
        return found(sample)

    monkeypatch.setattr(source, "_directions", noted)
    for _ in range(3):
        filled(source, [(0, 0), (1, 0), (2, 1)], 12)
    assert asked == [0, 1, 2]


def test_a_flat_network_has_no_direction() -> None:
    head = nn.Linear(36, 2)
    with torch.no_grad():
        head.weight.zero_()
    network = biased(head, bias=6.0)
    for direction in ("fgv", "deepfool"):
        assert filled(directions(network, direction), [(0, 0)], 12).isnan().all()


def test_permutations_keep_the_values_and_start_with_the_vector() -> None:
    v = filled(draws(), [(5, 2)], 1)[0, 0]
    found = filled(Permutations(draws()), [(5, 2), (5, 3)], 120)
    assert torch.equal(found[0, 0], v)
    assert torch.equal(found[0].sort(dim=1).values, v.sort().values.expand(120, 36))
    assert len({tuple(row.tolist()) for row in found[0]}) == 120
    assert not torch.equal(found[0].sort(dim=1).values, found[1].sort(dim=1).values)  # a vector for each radius
    # every place is taken by every element about equally often: uniform permutations
    first = filled(Permutations(draws()), [(s, 0) for s in range(100)], 50)
    ranks = first.argsort(dim=2).argsort(dim=2).float()
    assert abs(float(ranks[:, 1:, 0].mean()) - 17.5) < 4 * math.sqrt(36**2 / 12 / 4900)


def test_permutations_do_not_depend_on_the_batch() -> None:
    whole = filled(Permutations(draws()), [(1, 0), (2, 4)], 130)
    for start, stop in ((0, 1), (0, 50), (49, 51), (77, 130), (100, 130)):
        part = filled(Permutations(draws()), [(2, 4)], stop - start, start=start)[0]
        assert torch.equal(part, whole[1, start:stop])
