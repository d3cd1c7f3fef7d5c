"""Euclidean distances between all pairs of points, to the last digits even where the points nearly coincide."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 1 << 10  # coordinates taken at a time
CHUNK = 1 << 20  # values in float64 at a time, about: 8 MiB
NEAR = {
    torch.float64: 1e-6,
    torch.float32: 1e-2,
}  # squared distance / squared norms up to which a pair is done again alone

SHARED = 0.1  # squared distance / squared norms below which a Gram product of vectors as they are loses a digit


def pairwise_distances(points: Tensor, *, dtype: torch.dtype = torch.float64) -> Tensor:
    """Euclidean distances of all pairs, by a Gram product in float64 of the points less their mean.

    Points x + v may be given with x or without: the mean takes x away exactly. Every distance is within a few times 1e-10
    of itself of that between the points as given, whatever their norms, and exactly 0 for equal points: pairs that are
    nearer than a thousandth of their distance from the mean, where the Gram product cancels, are subtracted instead.

    Args:
        points: (B, T, D) floating-point.
        dtype: of the Gram product; float32 is twice as fast, and right to some 1e-6 of a distance that is typical of its
            set, to 1e-4 of the smallest.

    Returns:
        (B, T (T - 1) / 2) of `dtype` in the order of `torch.triu_indices(T, T, 1)`, as torch.pdist and scipy have it. All
        NaN where a point is not finite.

    Raises:
        ValueError: the shape or the dtype is another.
    """
    if points.ndim != 3 or not points.is_floating_point():
        raise ValueError(f"points are floating-point (B, T, D), got {points.dtype} of shape {tuple(points.shape)}")
    if points.device.type == "mps":  # it has no float64
        points = points.cpu()
    count, size = points.shape[1:]
    rows, columns = torch.triu_indices(count, count, 1, device=points.device)
    step = max(1, CHUNK // max(1, count * min(size, BLOCK)))
    found = [_distances(part.detach(), rows, columns, dtype) for part in points.split(step)]
    return torch.cat(found)


def norms_and_distances(v: Tensor) -> tuple[Tensor, Tensor]:
    """Euclidean norms of vectors and the distances of all pairs, by one Gram product in the vectors' own precision.

    For vectors with little in common, such as v of random directions: in float32 right to some 1e-6 of a distance. Sets in
    which two are nearer than `SHARED` of their squared norms, so that the product cancels, are left to `pairwise_distances`.

    Args:
        v: (B, T, D) floating-point.

    Returns:
        (B, T) norms and (B, T (T - 1) / 2) distances, in v's precision. The distances of a set are all NaN where a vector of it
        is not finite.
    """
    count = v.shape[1]
    rows, columns = torch.triu_indices(count, count, 1, device=v.device)
    squares, scale, squared = _from_gram(v @ v.mT, rows, columns)
    near = ~(squared > scale.mul_(SHARED)).all(1)  # NaN too
    distances = squared.sqrt_()
    if bool(near.any()):
        distances[near] = pairwise_distances(v[near], dtype=v.dtype).to(v.device)
    return squares.sqrt(), distances


def _from_gram(gram: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(b, T) squared norms; of each pair the sum of its two, and its squared distance."""
    squares = gram.diagonal(dim1=1, dim2=2)
    scale = squares.index_select(1, rows).add_(squares.index_select(1, columns))  # far cheaper than by brackets
    products = gram.flatten(1).index_select(1, rows * gram.shape[-1] + columns)
    return squares, scale, torch.add(scale, products, alpha=-2)


def _distances(points: Tensor, rows: Tensor, columns: Tensor, dtype: torch.dtype) -> Tensor:
    """Of a few (b, T, D) at a time."""
    count, size = points.shape[1:]
    gram = points.new_zeros((len(points), count, count), dtype=dtype)
    for part in points.split(BLOCK, dim=2):
        centred = part.to(dtype)
        centred = centred - centred.mean(1, keepdim=True)  # a copy: float64 points are the caller's own
        gram.baddbmm_(centred, centred.mT)
    _, scale, squared = _from_gram(gram, rows, columns)
    near = (squared <= NEAR[dtype] * scale).nonzero()
    for which in near.split(max(1, CHUNK // max(1, size))):
        b, k = which.unbind(1)
        squared[b, k] = (points[b, rows[k]].double() - points[b, columns[k]].double()).square().sum(-1).to(dtype)
    return squared.sqrt()


def square(condensed: Tensor) -> Tensor:
    """(B, T (T - 1) / 2) condensed distances as (B, T, T) symmetric matrices with a zero diagonal.

    Raises:
        ValueError: the length is no T (T - 1) / 2.
    """
    count = points_of(condensed)
    rows, columns = torch.triu_indices(count, count, 1, device=condensed.device)
    full = condensed.new_zeros(len(condensed), count, count)
    full[:, rows, columns] = full[:, columns, rows] = condensed
    return full


def points_of(condensed: Tensor) -> int:
    """T of (B, T (T - 1) / 2) condensed distances.

    Raises:
        ValueError: the length is no T (T - 1) / 2, or the shape is another.
    """
    if condensed.ndim != 2:
        raise ValueError(f"condensed distances are (B, T (T - 1) / 2), got the shape {tuple(condensed.shape)}")
    length = condensed.shape[1]
    count = round((1 + (1 + 8 * length) ** 0.5) / 2)
    if count * (count - 1) // 2 != length:
        raise ValueError(f"{length} is no number T (T - 1) / 2 of pairs: give the upper triangle without its diagonal")
    return count
