"""Right singular vectors of stacked perturbations or gradients, and the numerical rank (jetley2018, section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from advlab.errors import ArgumentError

#: singular values of at most so much of the largest count as 0: differences of float32 images carry errors of up to 1e-5 of
#: their length
TOLERANCE = 1e-5


@dataclass(frozen=True)
class SingularDirections:
    """What a matrix of n perturbations, one a row, says of the image space of D values.

    Attributes:
        values: (r,) singular values, descending.
        directions: (r, D) orthonormal rows, the right singular vectors in the order of `values`; of each, the component of the
            largest magnitude is positive.
        rank: r, the numerical rank: at most min(n, D).

    Examples:
        >>> found = singular_directions(torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), normalise=False)
        >>> found.rank, found.high(1).abs().tolist(), found.low(1).abs().tolist()
        (2, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    """

    values: Tensor
    directions: Tensor
    rank: int

    def high(self, d: int) -> Tensor:
        """(min(d, r), D) the directions of the d largest singular values: a basis of S_hi (figure 4)."""
        return self.directions[:d]

    def low(self, d: int) -> Tensor:
        """(min(d, r), D) the directions of the d smallest singular values, the smallest first: a basis of S_lo."""
        return self.directions[self.rank - min(d, self.rank) :].flip(0)


def singular_directions(
    perturbations: Tensor, *, normalise: bool = True, tolerance: float = TOLERANCE
) -> SingularDirections:
    """Singular values and right singular vectors of stacked perturbations, not centred (jetley2018, figure 4).

    They come from the eigenvectors of the smaller of X X' and X' X in float64, which is many times as fast as a singular value
    decomposition of X. It resolves singular values down to 1e-8 of the largest, below what the perturbations' own rounding
    leaves of them.

    Args:
        perturbations: (n, D), one a row; those that are zero say nothing and are left out.
        normalise: divide each by its L2 norm first, as the authors do.
        tolerance: singular values of at most `tolerance` times the largest one count as 0.

    Returns:
        on the device of `perturbations`, in its dtype.

    Raises:
        ArgumentError: there is no perturbation other than zero, or one is not finite.

    Examples:
        >>> found = singular_directions(torch.tensor([[3.0, 0.0, 0.0], [-5.0, 0.0, 0.0], [0.0, 0.0, 2.0]]))
        >>> found.rank, [round(value, 4) for value in found.values.tolist()], found.directions.tolist()
        (2, [1.4142, 1.0], [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    """
    rows = perturbations.to(torch.float64, copy=True)  # of large images gigabytes: one copy, changed in place
    norms = torch.linalg.vector_norm(rows, dim=1)
    if not bool(torch.isfinite(norms).all()):
        raise ArgumentError("perturbations hold values that are NaN or infinite: leave those rows out")
    if not bool(norms.all()):
        rows, norms = rows[norms > 0], norms[norms > 0]
    if not len(rows):
        raise ArgumentError("there is no perturbation other than zero: singular vectors need one at least")
    if normalise:
        rows /= norms[:, None]
    n, dimension = rows.shape
    wide = n < dimension
    squares, vectors = torch.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    values, vectors = squares.flip(0).clamp_min(0).sqrt(), vectors.flip(1)
    rank = int((values > tolerance * values[0]).sum())
    values, vectors = values[:rank], vectors[:, :rank]
    # of small values, X'u is orthogonal to the others up to the rounding of X X' alone: QR makes it so, and keeps the order
    if wide:
        vectors = rows.T @ (vectors / values)
        del rows
        vectors = torch.linalg.qr(vectors).Q
    directions = vectors.T
    directions = directions.to(perturbations.dtype)
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return SingularDirections(values.to(perturbations.dtype), (directions * largest.sign()).contiguous(), rank)
