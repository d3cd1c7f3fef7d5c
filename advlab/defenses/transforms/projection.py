"""Orthogonal projection of images, and the directions that span its subspace."""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from advlab.defenses.draws import Draw
from advlab.defenses.transforms.stage import ImageTransform
from advlab.errors import ArgumentError


class Projection(ImageTransform):
    """m + P (x - m), with P the projection onto the span of the directions (`onto`) or onto its orthogonal complement.

    Args:
        directions: (D, d) columns, in any scale.
        mean: (C, H, W) or (D,) m; None: 0.
        onto: onto the span.
        source: of the directions, for messages.

    Raises:
        ArgumentError: the directions are no matrix, not finite, or all zero, or the mean has another size.
    """

    def __init__(self, directions: Tensor, mean: Tensor | None, *, onto: bool, source: str) -> None:
        super().__init__()
        self.onto, self.source, self.shape = onto, source, tuple(directions.shape)
        self.basis = orthonormal(directions, source)
        self.mean = None if mean is None else mean.detach().double().cpu().flatten()
        if self.mean is not None and len(self.mean) != len(self.basis):
            raise ArgumentError(
                f"{source} has directions of {len(self.basis)} pixels, but the mean image has {len(self.mean)}"
            )
        self._placed: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor | None]] = {}

    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """See `ImageTransform.transform`.

        Raises:
            ArgumentError: the directions are of another size than the images.
        """
        flat = x.flatten(1)
        if flat.shape[1] != len(self.basis):
            size = flat.shape[1]
            raise ArgumentError(
                f"{self.source} is of shape {self.shape}, but the images have {size} pixels: it must be ({size}, d), one "
                "direction a column" + (": transpose it" if self.shape[1] == size else "")
            )
        basis, mean = self._on(x)
        deviation = flat if mean is None else flat - mean
        inside = (deviation @ basis) @ basis.mT
        projected = inside if self.onto else deviation - inside
        return (projected if mean is None else projected + mean).view(x.shape)

    def _on(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Basis and mean on the device and in the precision of `x`, which are kept."""
        key = (x.device, x.dtype)
        if key not in self._placed:
            with torch.inference_mode(False):  # they serve gradients later
                mean = None if self.mean is None else self.mean.to(device=x.device, dtype=x.dtype)
                self._placed[key] = self.basis.to(device=x.device, dtype=x.dtype), mean
        return self._placed[key]


def orthonormal(directions: Tensor, source: str = "the basis") -> Tensor:
    """(D, r) float64 on the CPU: an orthonormal basis of the columns' span, r their rank, by a singular value decomposition.

    A column that rounding alone makes independent of the others is none: singular values below max(D, d) units in the last
    place of the largest count as zero, as in `numpy.linalg.matrix_rank`.

    Args:
        directions: (D, d).
        source: of the directions, for messages.

    Raises:
        ArgumentError: it is no matrix, not finite, or zero.

    >>> orthonormal(torch.tensor([[1.0, 2.0], [0.0, 0.0], [1.0, 2.0]])).shape
    torch.Size([3, 1])
    """
    shape = tuple(directions.shape)
    if directions.ndim != 2 or not directions.numel() or not directions.is_floating_point():
        raise ArgumentError(
            f"{source} holds {directions.dtype} of shape {shape}: it must be floating-point numbers (D, d), one direction a "
            "column of D = C H W pixels"
        )
    with torch.inference_mode(False), torch.no_grad():
        matrix = directions.detach().cpu().double()
        if not bool(torch.isfinite(matrix).all()):
            raise ArgumentError(
                f"{source}, of shape {shape}, has values that are NaN or infinite: leave those columns out"
            )
        left, values, _ = torch.linalg.svd(matrix, full_matrices=False)
        kept = values > values[0] * max(shape) * torch.finfo(directions.dtype).eps
        if not bool(kept.any()):
            raise ArgumentError(f"{source}, of shape {shape}, is zero: it must hold at least one direction")
        return left[:, kept].contiguous()


def read_directions(path: str) -> dict[str, Tensor]:
    """`basis`, and `mean` where there is one, of a safetensors file.

    Raises:
        ArgumentError: it cannot be read, or it is not clear which of its tensors are the directions.
    """
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ArgumentError(
            f"{path} could not be read as a safetensors file ({error}): write it with safetensors.torch.save_file"
        ) from error
    mean = {"mean": tensors.pop("mean")} if "mean" in tensors else {}
    if "basis" not in tensors and len(tensors) != 1:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in sorted(tensors.items())) or "none"
        raise ArgumentError(f"{path} holds {len(tensors)} tensors ({shapes}): call the directions (D, d) `basis`")
    basis = tensors["basis"] if "basis" in tensors else next(iter(tensors.values()))
    return {"basis": basis, **mean}
