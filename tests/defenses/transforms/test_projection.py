"""Projection onto and out of a span: against the normal equations, with dependent directions, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from advlab.defenses import Project
from advlab.defenses.transforms.projection import orthonormal
from advlab.errors import ArgumentError


def tensors() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images (3, 2, 3, 4), directions (24, 5) of very different lengths, and a mean image."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(3, 2, 3, 4, dtype=torch.float64, generator=generator)
    directions = torch.randn(24, 5, dtype=torch.float64, generator=generator) * torch.logspace(-4, 4, 5)
    return x, directions, torch.rand(2, 3, 4, dtype=torch.float64, generator=generator)


def applied(defense: Project, x: torch.Tensor, **options: Any) -> torch.Tensor:
    result: torch.Tensor = defense(torch.nn.Identity(), **options)(x)
    return result


@pytest.mark.parametrize("onto", [True, False])
@pytest.mark.parametrize("centred", [True, False])
def test_it_solves_the_least_squares_problem(onto: bool, centred: bool) -> None:
    x, directions, mean = tensors()
    offset = mean.flatten() if centred else torch.zeros(24, dtype=torch.float64)
    unit = directions / directions.norm(dim=0)
    deviation = x.flatten(1) - offset
    coefficients = torch.linalg.solve(unit.T @ unit, unit.T @ deviation.T)
    inside = (unit @ coefficients).T
    expected = ((inside if onto else deviation - inside) + offset).view(x.shape)
    projected = applied(Project(basis=directions, mean=mean, onto=onto, centred=centred), x)
    assert torch.allclose(projected, expected, rtol=0, atol=1e-10)
    in_float32 = applied(Project(basis=directions, mean=mean, onto=onto, centred=centred), x.float())
    assert torch.allclose(in_float32.double(), expected, rtol=0, atol=1e-5)


def test_centred_is_the_papers_projection_plus_the_mean_of_the_orthogonal_component() -> None:
    x, directions, mean = tensors()
    q = torch.linalg.qr(directions).Q
    flat, m = x.flatten(1), mean.flatten()
    expected = flat @ q @ q.T + (m - q @ (q.T @ m))
    projected = applied(Project(basis=directions, mean=mean, centred=True), x)
    assert torch.allclose(projected.flatten(1), expected, rtol=0, atol=1e-10)


def test_dependent_directions_are_no_new_dimension() -> None:
    x, directions, _ = tensors()
    dependent = torch.cat([directions, directions @ torch.randn(5, 30, dtype=torch.float64)], 1)
    assert orthonormal(dependent).shape == (24, 5)
    assert orthonormal(dependent[:, [4, 10, 11]].float() * torch.tensor([1.0, 0.0, 0.0])).shape == (24, 1)
    q = orthonormal(dependent)
    assert torch.allclose(q.T @ q, torch.eye(5, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(applied(Project(basis=dependent), x), applied(Project(basis=directions), x), atol=1e-9)
    everything = torch.randn(24, 40, dtype=torch.float64)
    assert torch.allclose(applied(Project(basis=everything), x), x, atol=1e-10)


def test_a_file(tmp_path: Path) -> None:
    x, directions, mean = tensors()
    alone, named = tmp_path / "alone.safetensors", tmp_path / "named.safetensors"
    save_file({"S_pos": directions}, alone)
    save_file({"basis": directions, "mean": mean, "values": torch.zeros(5)}, named)
    expected = applied(Project(basis=directions), x)
    assert torch.equal(applied(Project(path=str(alone)), x), expected)
    assert torch.equal(applied(Project(path=str(named)), x), expected)
    centred = applied(Project(path=str(named), centred=True), x)
    assert torch.equal(centred, applied(Project(basis=directions, mean=mean, centred=True), x))


def test_the_content_identifies_it(tmp_path: Path) -> None:
    _, directions, _ = tensors()
    file = tmp_path / "basis.safetensors"
    save_file({"basis": directions}, file)
    archived = Project(path=str(file)).archived()
    assert archived["path"] == str(file)
    assert Project(**archived) == Project(path=str(file))
    moved = tmp_path / "moved.safetensors"
    file.rename(moved)
    assert Project(path=str(moved)).archived()["sha256"] == archived["sha256"]
    save_file({"basis": directions + 1}, file)
    assert Project(path=str(file)).archived()["sha256"] != archived["sha256"]
    with pytest.raises(ArgumentError, match=rf"{file} has the digest .* not {archived['sha256']}"):
        Project(**archived)
    assert Project(basis=directions) != Project(basis=directions + 1)
    assert Project(basis=directions) == Project(basis=directions.clone())


def test_from_a_stage_and_fitted() -> None:
    x, directions, mean = tensors()
    fitted = {"basis": directions, "mean": mean}
    expected = applied(Project(basis=directions, mean=mean, centred=True), x)
    assert torch.equal(applied(Project(centred=True), x, fitted=fitted), expected)
    assert torch.equal(applied(Project(basis=directions, centred=True), x, fitted={"mean": mean}), expected)
    assert Project(centred=True).needs_fit
    assert not Project(mean=mean, centred=True).needs_fit
    assert not Project().needs_fit


def test_what_is_refused(tmp_path: Path) -> None:
    x, directions, mean = tensors()
    many, broken = tmp_path / "many.safetensors", tmp_path / "broken.safetensors"
    save_file({"a": directions, "b": directions[:, :2].contiguous()}, many)
    broken.write_bytes(b"nothing of the kind")
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "project needs the directions: path=FILE"),
        ({"path": str(tmp_path / "none")}, "none is no file"),
        ({"path": str(broken)}, "broken.safetensors could not be read"),
        ({"path": str(many)}, r"holds 2 tensors \(a \(24, 5\), b \(24, 2\)\): call the directions"),
        ({"path": str(many), "basis": directions}, "path or basis, not both"),
        ({"basis": [1.0]}, "basis must be a tensor, got list: name a file by path=FILE"),
        ({"basis": directions[:, 0]}, r"torch.float64 of shape \(24,\)"),
        ({"basis": directions * torch.nan}, "NaN or infinite"),
        ({"basis": directions * 0}, "is zero"),
        ({"basis": directions, "centred": True}, "centred=true needs the mean training image"),
        ({"basis": directions, "mean": mean[0], "centred": True}, "24 pixels, but the mean image has 12"),
        (
            {"basis": directions.T},
            r"is of shape \(5, 24\), but the images have 24 pixels: it must be \(24, d\).*: transpose it",
        ),
        ({"sha256": "abc"}, "64 hexadecimal digits"),
    ]
    for options, message in refused:
        with pytest.raises(ArgumentError, match=message):
            applied(Project(**options), x)


def test_a_mean_beside_a_file_is_part_of_what_it_is(tmp_path: Path) -> None:
    path = str(tmp_path / "basis.safetensors")
    save_file({"basis": torch.eye(4)[:, :2].contiguous()}, path)
    digests = {Project(path=path, mean=mean).sha256 for mean in (None, torch.zeros(4), torch.ones(4))}
    assert len(digests) == 3
