"""Bases of singular vectors: of networks whose boundaries' normals are known, from images that are not measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from advlab import testing
from advlab.errors import MeasurementError
from advlab.geometry.singular_directions import SingularDirections
from advlab.lab import NetworkContext
from advlab.store.artifacts import Artifact
from experiments.jetley2018.disjoint_images import images_of_bases
from experiments.jetley2018.singular_stages import (
    SingularParams,
    singular_basis,
    singular_facts,
    singular_mean,
    singular_stage,
)
from tests.helpers.imresize import imresize


def linear(weight: Tensor) -> torch.nn.Module:
    layer = torch.nn.Linear(16, len(weight), bias=False)
    layer.weight.data = weight
    return torch.nn.Sequential(torch.nn.Flatten(), layer)


def context(network: torch.nn.Module, batch_size: int = 256) -> NetworkContext:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (80, 1, 4, 4), dtype=torch.uint8, generator=generator)
    ctx: NetworkContext = testing.context(
        "isotropy", network, images, torch.arange(80) % 3, samples=[0], batch_size=batch_size
    )
    return ctx


def made(ctx: NetworkContext, **options: Any) -> SingularDirections:
    params = SingularParams(**options)
    stage = singular_stage(ctx, params)
    arrays, facts = stage.make()
    ctx.held[stage.id] = Artifact(dict(arrays), dict(facts), fresh=True)
    return singular_basis(ctx, params.source)


def weights() -> Tensor:
    return torch.randn(3, 16, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("batch_size", [1, 256])
def test_perturbations_of_a_linear_network_span_the_differences_of_its_weights(batch_size: int) -> None:
    """Three classes have three boundaries, whose normals span a plane; the singular values count how often each is met."""
    weight = weights()
    ctx = context(linear(weight), batch_size)
    basis = made(ctx)
    assert basis.rank == 2
    normals = weight[[0, 0, 1]] - weight[[1, 2, 2]]
    inside = normals @ basis.directions.T @ basis.directions
    assert torch.allclose(inside, normals, atol=1e-4)
    data, samples = images_of_bases(ctx, 10000)
    assert len(samples) == 40  # the half that is not measured
    x = data.images(torch.tensor(samples))
    # brute force: the nearest of the two linear boundaries of each image
    logits = x.flatten(1).double() @ weight.double().T
    units = []
    for z in logits:
        own = int(z.argmax())
        rivals = [k for k in range(3) if k != own]
        distance = [float((z[own] - z[k]) / (weight[own] - weight[k]).double().norm()) for k in rivals]
        normal = (weight[rivals[int(np.argmin(distance))]] - weight[own]).double()
        units.append((normal / normal.norm()).numpy())
    expected = np.linalg.svd(np.array(units), compute_uv=False)[:2]
    assert np.allclose(basis.values.cpu().numpy(), expected, rtol=1e-4)
    assert singular_facts(ctx) == {"perturbations": 40, "failed": 0, "dimensions": 16}
    assert torch.allclose(singular_mean(ctx), x.double().mean(0).float(), atol=1e-6)


def test_gradients_are_those_of_the_predicted_score() -> None:
    weight = weights()
    ctx = context(linear(weight))
    basis = made(ctx, source="gradient")
    data, samples = images_of_bases(ctx, 10000)
    classes = (data.images(torch.tensor(samples)).flatten(1) @ weight.T).argmax(1)
    units = (weight / weight.norm(dim=1, keepdim=True))[classes].double().numpy()
    _, values, right = np.linalg.svd(units, full_matrices=False)
    assert basis.rank == len(set(classes.tolist()))
    assert np.allclose(basis.values.numpy(), values[: basis.rank], rtol=1e-4)
    assert np.allclose(np.abs((basis.directions.numpy() * right[: basis.rank]).sum(1)), 1, atol=1e-4)


def test_resampled_perturbations_are_decomposed_at_their_size() -> None:
    weight = weights()
    ctx = context(linear(weight))
    basis = made(ctx, resampled_to=2)
    differences = (weight[[0, 0]] - weight[[1, 2]]).view(2, 4, 4).double().numpy()
    columns = imresize(differences.transpose(1, 0, 2), 2)  # (2, n, 4)
    small = torch.from_numpy(imresize(columns.transpose(2, 1, 0), 2).transpose(1, 2, 0)).float().flatten(1)
    assert basis.directions.shape == (2, 4)
    assert singular_facts(ctx)["dimensions"] == 4
    assert singular_mean(ctx).shape == (1, 4, 4)
    assert torch.allclose(small @ basis.directions.T @ basis.directions, small, atol=1e-4)


def test_one_artifact_serves_every_experiment_with_the_same_images() -> None:
    ctx = context(linear(weights()))

    def key(**options: Any) -> dict[str, Any]:
        return dict(singular_stage(ctx, SingularParams(**{"perturbations": 20, **options})).key)

    assert key() == key()
    assert singular_stage(ctx, SingularParams(perturbations=20), "gradient").key == key(source="gradient")
    others: list[dict[str, Any]] = [
        {"perturbations": 21},
        {"resampled_to": 3},
        {"candidates": 1},
        {"source": "gradient"},
    ]
    for other in others:
        assert key(**other) != key()


def test_an_image_without_a_perturbation_is_counted_and_left_out() -> None:
    """A network that gives every image one class has no boundary."""
    weight = weights()
    ctx = context(linear(torch.zeros_like(weight)))
    with pytest.raises(MeasurementError, match="none of 40 images has a perturbation"):
        made(ctx)
