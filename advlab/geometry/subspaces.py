"""Linear subspaces of images: chosen by curvature or at random, orthonormal bases, projections, angles between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from advlab.errors import ArgumentError

Selection = Literal["pos", "neg", "neg+pos", "flat", "most", "complement"]


@dataclass(frozen=True)
class Subspace:
    """The span of orthonormal rows Q (r, D), D = C H W, and the projection onto it (jetley2018, section 4.2 and footnote 5).

    Attributes:
        basis: (r, D) orthonormal rows; r may be 0, and is the subspace's dimension.
        mean: (C, H, W) or (D,), the mean training image, whose orthogonal component is added to every projection; None: it
            is not.

    Examples:
        >>> line, x = torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 4.0]])
        >>> Subspace(line).project(x), Subspace(line, mean=torch.tensor([1.0, 2.0])).project(x), Subspace(line).share(x)
        (tensor([[3., 0.]]), tensor([[3., 2.]]), tensor([0.6000]))
    """

    basis: Tensor
    mean: Tensor | None = None

    def project(self, x: Tensor) -> Tensor:
        """Q'Q x of images (n, C, H, W), plus (I - Q'Q) mean where there is a mean; in the units of x, not clamped."""
        if self.mean is None:
            return self._component(x.flatten(1)).view_as(x)
        mean = self.mean.flatten().to(x)
        return (mean + self._component(x.flatten(1) - mean)).view_as(x)

    def share(self, x: Tensor) -> Tensor:
        """||Q'Q x|| / ||x|| of (n, ...) perturbations, without the mean: (n,) in [0, 1]; NaN for x = 0.

        Of a random vector it is about sqrt(r / D), see `random_share`.
        """
        rows = x.flatten(1)
        return torch.linalg.vector_norm(rows @ self.basis.to(rows).T, dim=1) / torch.linalg.vector_norm(rows, dim=1)

    def _component(self, rows: Tensor) -> Tensor:
        """Q'Q of rows (n, D)."""
        basis = self.basis.to(rows)
        return rows @ basis.T @ basis


def orthonormal_rows(vectors: Tensor, tol: float | None = None) -> Tensor:
    """(r, D) orthonormal rows with the span of the rows of `vectors` (m, D), r its numerical rank: r <= min(m, D).

    By the singular value decomposition, in float64; the result has the dtype and device of `vectors`. A plain QR
    decomposition of dependent rows gives directions that are not in their span.

    Args:
        vectors: (m, D), m may be 0.
        tol: singular values of at most `tol` times the largest one count as 0; None: max(m, D) times the precision of the
            dtype of `vectors`, as numpy's matrix_rank has it.

    Examples:
        >>> orthonormal_rows(torch.tensor([[3.0, 0.0, 0.0], [6.0, 0.0, 0.0]])).abs()
        tensor([[1., 0., 0.]])
    """
    m, dimension = vectors.shape
    if tol is None:
        tol = max(m, dimension) * torch.finfo(vectors.dtype).eps
    if not m or not bool(vectors.any()):
        return vectors.new_zeros(0, dimension)
    rows = vectors.double()
    if m > dimension:  # the triangular factor has the same row space
        rows = torch.linalg.qr(rows, mode="r").R
    _, values, right = torch.linalg.svd(rows, full_matrices=False)
    return right[values > tol * values[0]].to(vectors.dtype)


def selected_directions(curvatures: Tensor, directions: Tensor, which: Selection, d: int, *, seed: int = 0) -> Tensor:
    """(k, D) of one class's principal directions, the first ones in an order of their curvatures (jetley2018, section 4.2).

    Args:
        curvatures: (m,) signed principal curvatures, in any order.
        directions: (m, D) orthonormal rows. m = D is a whole basis; otherwise they are what Lanczos gives, m / 2 from either
            end of the spectrum.
        which: `pos` the d most positive; `neg` the d most negative; `neg+pos` both, k = 2 d; `flat` the d of smallest
            magnitude; `most` the d of largest magnitude; `complement` d random orthonormal directions of the orthogonal
            complement of all of them, which need not be flat: their curvature is to be measured.
        d: 0 or more. Of a whole basis at most D are taken, and `neg+pos` takes no direction twice.
        seed: of `complement`.

    Raises:
        ArgumentError: a basis that is not whole does not hold what is asked for.

    Examples:
        >>> selected_directions(torch.tensor([5.0, 0.1, -7.0]), torch.eye(3), "most", 1)
        tensor([[0., 0., 1.]])
    """
    m, dimension = directions.shape
    if which == "complement":
        return _complement(directions, d, seed)
    if which == "flat" and m < dimension:
        raise ArgumentError(
            f"flat directions need a whole basis, this one has {m} of {dimension}: take experiment.basis=dense, or the "
            "subspace complement"
        )
    if m < dimension and d > m // 2:
        raise ArgumentError(
            f"{d} directions of one end were asked for, the basis holds {m // 2}: type experiment.pairs={d}, or fewer "
            "directions"
        )
    return directions[selected_indices(curvatures, which, d)]


def selected_indices(curvatures: Tensor, which: Selection, d: int) -> Tensor:
    """(k,) indices of the curvatures (m,) that `selected_directions` takes, but for `complement`; those of both ends for 2 d >= m.

    Examples:
        >>> selected_indices(torch.tensor([5.0, 0.1, -7.0]), "neg+pos", 1).tolist()
        [0, 2]
    """
    m = len(curvatures)
    if which == "neg+pos":
        order = (-curvatures).argsort(stable=True)
        return order if 2 * d >= m else torch.cat([order[:d], order[m - d :]])
    keys = {"pos": -curvatures, "neg": curvatures, "flat": curvatures.abs(), "most": -curvatures.abs()}
    return keys[which].argsort(stable=True)[:d]


def _complement(directions: Tensor, d: int, seed: int) -> Tensor:
    """(d, D) random orthonormal rows orthogonal to orthonormal ones (m, D)."""
    m, dimension = directions.shape
    if d > dimension - m:
        raise ArgumentError(f"the orthogonal complement of {m} directions has the dimension {dimension - m}, not {d}")
    taken = directions.double()
    rows = random_subspace(d, dimension, seed).to(taken)
    for _ in range(2):  # twice is enough (Giraud, Langou, Rozloznik 2005)
        rows = rows - rows @ taken.T @ taken
    return torch.linalg.qr(rows.T).Q.T.to(directions.dtype)


def random_subspace(d: int, dimension: int, seed: int) -> Tensor:
    """(d, D) float64 orthonormal rows on the CPU, with a span drawn uniformly from the d-dimensional ones of D = `dimension`.

    Raises:
        ArgumentError: d is not in 0 to D.

    Examples:
        >>> random_subspace(2, 9, seed=0).shape
        torch.Size([2, 9])
    """
    if not 0 <= d <= dimension:
        raise ArgumentError(f"a subspace of {dimension} dimensions has 0 to {dimension} of them, not {d}")
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(dimension, d, generator=generator, dtype=torch.float64)
    return torch.linalg.qr(normal).Q.T.contiguous()


def random_share(rank: int, dimension: int) -> float:
    """sqrt(rank / D): root mean square over random vectors of their share in a subspace, a little above its mean.

    Examples:
        >>> random_share(1, 4)
        0.5
    """
    return (rank / dimension) ** 0.5


def principal_angles(a: Tensor, b: Tensor) -> Tensor:
    """(min(r, s),) float64 angles in radians between the spans of orthonormal rows (r, D) and (s, D), the smallest first.

    By cosines and, below 45 degrees, by sines, so that small angles are precise too (Bjorck and Golub 1973).

    Examples:
        A plane and a diagonal line that it does not hold:

        >>> plane, line = torch.eye(3)[:2], torch.tensor([[0.0, 0.6, 0.8]])
        >>> principal_angles(plane, line).cos()
        tensor([0.6000], dtype=torch.float64)
    """
    a, b = a.double(), b.double()
    if len(a) < len(b):
        a, b = b, a
    if not len(b):
        return b.new_zeros(0)
    products = b @ a.T
    cosines = torch.linalg.svdvals(products)  # descending: angles ascending
    sines = torch.linalg.svdvals(b - products @ a).flip(0)
    return torch.where(cosines**2 < 0.5, cosines.clamp(0, 1).acos(), sines.clamp(0, 1).asin())


def overlap(a: Tensor, b: Tensor) -> float:
    """Mean squared cosine of the principal angles between the spans of orthonormal rows (r, D) and (s, D); NaN for an empty one.

    It is 1 where one holds the other, and max(r, s) / D in the mean over random ones.

    Examples:
        >>> round(overlap(torch.eye(3)[:2], torch.tensor([[0.0, 0.6, 0.8]])), 6)
        0.36
    """
    smaller = min(len(a), len(b))
    return float((a.double() @ b.double().T).square().sum()) / smaller if smaller else float("nan")
