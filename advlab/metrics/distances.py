"""Euclidean distances between all pairs of points, accurate even where points nearly coincide."""

from __future__ import annotations

import torch
from torch import Tensor

COORDINATES_AT_ONCE = 1 << 10
VALUES_AT_ONCE = 1 << 20  # in float64, about: 8 MiB

# A squared distance comes from a Gram product as |a|^2 + |b|^2 - 2 a . b, which loses digits where it is small beside the sum of
# the squared norms. These are the ratios of the two at or below which a pair is computed again from a - b.
CANCELLATION = {torch.float64: 1e-6, torch.float32: 1e-2}  # of points less their mean, by the precision of the product
CANCELLATION_UNCENTRED = 0.1  # of vectors as they are, in their own precision: below it about one digit is lost


def pairwise_distances(points: Tensor, *, dtype: torch.dtype = torch.float64) -> Tensor:
    """Euclidean distances of all pairs, by a Gram product in float64 of the points less their mean.

    Subtracting the mean removes what all points share, so that x + v may be given for v. The relative error of a distance
    is a few times 1e-10 whatever the norms of the points, and equal points have the distance 0 exactly: pairs that are
    nearer than about a thousandth of their distance from the mean, where the Gram product cancels, are subtracted instead.

    Args:
        points: (B, T, D) floating-point: B sets of T points.
        dtype: precision of the Gram product. float32 is twice as fast; its errors are about 1e-6 of a typical distance of
            the set, and relative errors of the smallest distances reach 1e-4.

    Returns:
        (B, T (T - 1) / 2) of `dtype`, condensed in the order of `torch.triu_indices(T, T, 1)`, which torch.pdist and scipy
        use too. All distances of a set are NaN where one of its points is not finite.

    Raises:
        ValueError: the points are not (B, T, D) or not floating-point.

    Examples:
        Three corners of a rectangle of 3 x 4, far from the origin:

        >>> corners = torch.tensor([[[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]]], dtype=torch.float64)
        >>> pairwise_distances(corners + 1000).round(decimals=6).tolist()
        [[3.0, 5.0, 4.0]]
    """
    if points.ndim != 3 or not points.is_floating_point():
        raise ValueError(f"points are floating-point (B, T, D), got {points.dtype} of shape {tuple(points.shape)}")
    if points.device.type == "mps":  # it has no float64
        points = points.cpu()
    count, size = points.shape[1:]
    rows, columns = torch.triu_indices(count, count, 1, device=points.device)
    sets = max(1, VALUES_AT_ONCE // max(1, count * min(size, COORDINATES_AT_ONCE)))
    return torch.cat([_distances(part.detach(), rows, columns, dtype) for part in points.split(sets)])


def norms_and_distances(v: Tensor) -> tuple[Tensor, Tensor]:
    """Euclidean norms of vectors and the distances of all pairs, by one Gram product in the vectors' own precision.

    Meant for vectors with little in common, such as random directions: in float32 the relative error of a distance is then
    about 1e-6. A set with a pair for which the product would cancel (see `CANCELLATION_UNCENTRED`) is left to
    `pairwise_distances`.

    Args:
        v: (B, T, D) floating-point: B sets of T vectors.

    Returns:
        (B, T) norms and (B, T (T - 1) / 2) condensed distances, in v's precision. All distances of a set are NaN where one of
        its vectors is not finite.

    Examples:
        >>> norms, distances = norms_and_distances(torch.tensor([[[3.0, 0.0], [0.0, 4.0]]]))
        >>> norms.tolist(), distances.tolist()
        ([[3.0, 4.0]], [[5.0]])
    """
    count = v.shape[1]
    rows, columns = torch.triu_indices(count, count, 1, device=v.device)
    squared_norms, norm_sums, squared = _from_gram(v @ v.mT, rows, columns)
    cancels = ~(squared > norm_sums.mul_(CANCELLATION_UNCENTRED)).all(1)  # True for NaN as well
    distances = squared.sqrt_()
    if bool(cancels.any()):
        distances[cancels] = pairwise_distances(v[cancels], dtype=v.dtype).to(v.device)
    return squared_norms.sqrt(), distances


def _from_gram(gram: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(b, T) squared norms; for each pair (b, M) the sum of its two squared norms, and its squared distance."""
    squared_norms = gram.diagonal(dim1=1, dim2=2)
    # index_select is several times as fast as indexing by brackets
    norm_sums = squared_norms.index_select(1, rows).add_(squared_norms.index_select(1, columns))
    products = gram.flatten(1).index_select(1, rows * gram.shape[-1] + columns)
    return squared_norms, norm_sums, torch.add(norm_sums, products, alpha=-2)


def _distances(points: Tensor, rows: Tensor, columns: Tensor, dtype: torch.dtype) -> Tensor:
    """`pairwise_distances` of a few sets (b, T, D)."""
    count, size = points.shape[1:]
    gram = points.new_zeros((len(points), count, count), dtype=dtype)
    for part in points.split(COORDINATES_AT_ONCE, dim=2):
        centred = part.to(dtype)
        centred = centred - centred.mean(1, keepdim=True)  # a copy: float64 points are the caller's own
        gram.baddbmm_(centred, centred.mT)
    _, norm_sums, squared = _from_gram(gram, rows, columns)
    cancelling = (squared <= CANCELLATION[dtype] * norm_sums).nonzero()
    for indices in cancelling.split(max(1, VALUES_AT_ONCE // max(1, size))):
        b, k = indices.unbind(1)  # set, pair
        squared[b, k] = (points[b, rows[k]].double() - points[b, columns[k]].double()).square().sum(-1).to(dtype)
    return squared.sqrt()


def all_finite(values: Tensor) -> Tensor:
    """(B,) bool: whether every entry of (B, ...) is finite, as the sum of the entries shows, many times as fast as looking at each.

    Examples:
        >>> all_finite(torch.tensor([[1.0, 2.0], [torch.inf, -torch.inf]])).tolist()
        [True, False]
    """
    return torch.isfinite(values.flatten(1).sum(1, dtype=torch.float64))  # which no float32 overflows


def squareform(condensed: Tensor) -> Tensor:
    """(B, T (T - 1) / 2) condensed distances as (B, T, T) symmetric matrices with a zero diagonal, as scipy's squareform.

    Raises:
        ValueError: the length is not of the form T (T - 1) / 2.

    Examples:
        >>> squareform(torch.tensor([[3.0, 5.0, 4.0]])).tolist()
        [[[0.0, 3.0, 5.0], [3.0, 0.0, 4.0], [5.0, 4.0, 0.0]]]
    """
    count = point_count(condensed)
    rows, columns = torch.triu_indices(count, count, 1, device=condensed.device)
    place = torch.zeros(count, count, dtype=torch.int64, device=condensed.device)  # 0: the diagonal's
    place[rows, columns] = place[columns, rows] = torch.arange(1, 1 + len(rows), device=condensed.device)
    with_zero = torch.cat([condensed.new_zeros(len(condensed), 1), condensed], 1)
    places = place.flatten().expand(len(condensed), -1)
    return with_zero.gather(1, places).unflatten(1, (count, count))  # in float64 twice as fast as index_select


def point_count(condensed: Tensor) -> int:
    """T, the number of points, of (B, T (T - 1) / 2) condensed distances.

    Raises:
        ValueError: the shape is not (B, T (T - 1) / 2).

    Examples:
        >>> point_count(torch.ones(1, 4950))
        100
    """
    if condensed.ndim != 2:
        raise ValueError(f"condensed distances are (B, T (T - 1) / 2), got the shape {tuple(condensed.shape)}")
    length = condensed.shape[1]
    count = round((1 + (1 + 8 * length) ** 0.5) / 2)
    if count * (count - 1) // 2 != length:
        raise ValueError(f"{length} is no number T (T - 1) / 2 of pairs: give the upper triangle without its diagonal")
    return count
