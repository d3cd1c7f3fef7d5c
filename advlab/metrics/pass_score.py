"""Perceptual adversarial similarity score (PASS): alignment by a homography, then structural similarity."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from advlab.errors import MissingPackageError
from advlab.metrics.ssim import check_image_pairs, ssim

Border = Literal["replicate", "constant"]

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as OpenCV turns red, green, blue into grey
PIXELS_AT_ONCE = 1 << 22  # that are warped


def pass_score(
    x: Tensor,
    x_adv: Tensor,
    *,
    data_range: float = 1.0,
    iterations: int = 100,
    eps: float = 1e-5,
    blur: int = 5,
    border: Border = "replicate",
    threads: int = 0,
) -> Tensor:
    """PASS(x_adv, x) = SSIM(psi(x_adv, x), x) (Rozsa et al. 2016): the similarity that is left after the best alignment.

    psi warps the adversarial image onto the original by the homography that maximises the enhanced correlation
    coefficient (Evangelidis & Psarakis 2008; OpenCV's findTransformECC, from the identity). Where that fails, or does
    not raise the correlation of the images themselves, nothing is warped. The paper leaves the options below open.
    SSIM is as in `advlab.metrics.ssim.ssim`, over all pixels: none are masked.

    Args:
        x: (N, C, H, W) originals, from 0 (black) to `data_range`.
        x_adv: (N, C, H, W) adversarial images.
        data_range: length of the pixel range: 1 for images in [0, 1], 255 for grey levels.
        iterations: most iterations of the alignment (OpenCV's default is 50).
        eps: the alignment ends when an iteration raises the correlation by less (OpenCV's default is 1e-3).
        blur: width in pixels, odd, of the Gaussian filter on both images during the alignment; 1: none. OpenCV always
            took 5 when the score was published.
        border: what a warp takes from outside the image: "replicate", the nearest pixel, or "constant", 0, which is the
            default of OpenCV's warps.
        threads: how many threads align; 0: as many as torch computes with.

    Returns:
        (N,) in [-1, 1], 1 for equal images, in the dtype of the images.

    Raises:
        ValueError: names the argument and the remedy.
        MissingPackageError: OpenCV cannot be imported; an ImportError, too.

    Examples:
        Equal images are similar already; nothing is warped.

        >>> x = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> [round(score, 6) for score in pass_score(x, x).tolist()]
        [1.0, 1.0]
    """
    check_image_pairs(x, x_adv)
    warps = homographies(x, x_adv, data_range=data_range, iterations=iterations, eps=eps, blur=blur, threads=threads)
    aligned = x_adv.detach().clone()
    moved = (warps != torch.eye(3, dtype=warps.dtype)).flatten(1).any(1).nonzero()[:, 0].to(x.device)
    for index in moved.split(max(1, PIXELS_AT_ONCE // max(1, x[:1].numel()))):
        before = x_adv[index].detach()
        after = warp(before, warps[index.cpu()], border)
        raised = _correlation(_grey(after), _grey(x[index])) > _correlation(_grey(before), _grey(x[index]))
        aligned[index] = torch.where(raised[:, None, None, None], after, before)
    return ssim(x, aligned, data_range=data_range)


def homographies(
    x: Tensor,
    x_adv: Tensor,
    *,
    data_range: float = 1.0,
    iterations: int = 100,
    eps: float = 1e-5,
    blur: int = 5,
    threads: int = 0,
) -> Tensor:
    """(N, 3, 3) float64 on the CPU: each takes pixels (column, row, 1) of an original to those of its adversarial image.

    The arguments are those of `pass_score`. The result is the identity where the images are equal, one of them has a single
    grey level, or the alignment fails. The images are aligned by their grey levels: three channels are weighted as red,
    green and blue, any other number of channels evenly.

    Raises:
        ValueError: names the argument and the remedy.
        MissingPackageError: OpenCV cannot be imported; an ImportError, too.

    Examples:
        >>> x = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> homographies(x, x)[0].tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if iterations < 1 or eps <= 0 or blur < 1 or blur % 2 == 0 or threads < 0:
        raise ValueError(
            "the alignment needs iterations >= 1, eps > 0, an odd blur and threads >= 0, "
            f"got {iterations}, {eps}, {blur} and {threads}"
        )
    cv2 = _opencv()
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, iterations, eps)
    # from 0 to 255: on smaller numbers the determinants of OpenCV's normal equations would underflow in float32
    originals, adversarials = (
        (_grey(images.detach()) * (255 / data_range)).float().cpu().numpy() for images in (x, x_adv)
    )
    warps = np.broadcast_to(np.eye(3), (len(x), 3, 3)).copy()
    alignable = [
        i for i, (a, b) in enumerate(zip(originals, adversarials, strict=True))
        if np.ptp(a) and np.ptp(b) and (a != b).any()
    ]  # fmt: skip

    def align(i: int) -> None:
        identity = np.eye(3, dtype=np.float32)
        try:
            _, homography = cv2.findTransformECC(
                originals[i], adversarials[i], identity, cv2.MOTION_HOMOGRAPHY, criteria, None, blur
            )
        except cv2.error:  # no convergence, or a singular system
            return
        if np.isfinite(homography).all():
            warps[i] = homography

    with ThreadPoolExecutor(threads or torch.get_num_threads()) as pool:  # OpenCV releases the interpreter's lock
        list(pool.map(align, alignable, chunksize=1))
    return torch.from_numpy(warps)


def warp(images: Tensor, warps: Tensor, border: Border = "replicate") -> Tensor:
    """(N, C, H, W) images warped by homographies, with bilinear interpolation.

    Args:
        images: (N, C, H, W).
        warps: (N, 3, 3), each from pixels (column, row, 1) of the result to the pixels of `images` that they show.
        border: what stands outside of `images`, as for `pass_score`.

    Raises:
        ValueError: there is no such border.

    Examples:
        A shift by one column, after which each pixel shows its right neighbour:

        >>> row = torch.tensor([[[[1.0, 2.0, 3.0]]]])
        >>> shift = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
        >>> [value + 0.0 for value in warp(row, shift)[0, 0, 0].round(decimals=4).tolist()]
        [2.0, 3.0, 3.0]
    """
    modes: dict[str, Any] = {"replicate": "border", "constant": "zeros"}
    if border not in modes:
        raise ValueError(f"border must be replicate or constant, got {border!r}")
    height, width = images.shape[2:]
    device = images.device
    pixels = torch.stack(
        torch.meshgrid(
            torch.arange(width, dtype=torch.float64), torch.arange(height, dtype=torch.float64), indexing="xy"
        )
    )
    points = warps.double() @ torch.cat([pixels.flatten(1), torch.ones(1, height * width, dtype=torch.float64)])
    sources = points[:, :2] / points[:, 2:]
    # The sampler's coordinates are -1 and 1 at the outer edges of an image of L pixels, (2 k + 1) / L - 1 at pixel k. What is
    # further away than 6, three image lengths, is outside anyhow.
    sizes = torch.tensor([width, height], dtype=torch.float64)[:, None]
    sources = ((2 * sources + 1) / sizes - 1).nan_to_num(nan=6.0).clamp(-6, 6)
    field = sources.mT.reshape(-1, height, width, 2).to(device=device, dtype=images.dtype)
    return F.grid_sample(images, field, mode="bilinear", padding_mode=modes[border], align_corners=False)


def _grey(images: Tensor) -> Tensor:
    """(N, H, W) float64 grey levels of (N, C, H, W) images."""
    channels = images.shape[1]
    weights = LUMA if channels == 3 else (1 / channels,) * channels
    return torch.einsum(
        "nchw,c->nhw", images.double(), torch.tensor(weights, dtype=torch.float64, device=images.device)
    )


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """(N,) enhanced correlation coefficient of (N, H, W) images: Pearson's; -1 where one of the two is constant."""
    a, b = (images.flatten(1) - images.flatten(1).mean(1, keepdim=True) for images in (a, b))
    coefficient = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    return coefficient.nan_to_num(nan=-1.0)


def _opencv() -> Any:
    """The module cv2, which takes long to import and serves this score alone.

    Raises:
        MissingPackageError: it cannot be imported.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingPackageError(
            f"PASS aligns images with OpenCV, which cannot be imported ({error}): pip install opencv-python-headless"
        ) from error
    return cv2
