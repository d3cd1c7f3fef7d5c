"""Perceptual adversarial similarity score (PASS): alignment by a homography, then structural similarity."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from advlab.metrics.ssim import check_pair, ssim

Border = Literal["replicate", "constant"]

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as OpenCV turns red, green, blue into grey
CHUNK = 1 << 22  # pixels warped at a time


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
    """PASS(x_adv, x) = SSIM(psi(x_adv, x), x) (Rozsa et al. 2016): what is left after the best alignment.

    psi warps the adversarial image onto the original by the homography that maximises the enhanced correlation
    coefficient (Evangelidis & Psarakis 2008; OpenCV's findTransformECC, from the identity). Where that fails, or does
    not raise the correlation of the images themselves, nothing is warped. The paper leaves the options below open.
    SSIM is as in `advlab.metrics.ssim.ssim`, over all pixels: none are masked.

    Args:
        x: (N, C, H, W) originals, from 0 (black) to `data_range`.
        x_adv: (N, C, H, W) adversarial images.
        data_range: length of the pixel range: 1 for images in [0, 1], 255 for grey levels.
        iterations: of the alignment, at most.
        eps: it ends when the correlation grows by less; OpenCV's own defaults are 50 and 1e-3.
        blur: size of the Gaussian filter on both images while aligning, odd, 1: none; OpenCV always took 5 when the
            score was published.
        border: what is drawn in from outside the image: its nearest pixel, or 0 (as OpenCV's warps by default).
        threads: that align; 0: as many as torch computes with.

    Returns:
        (N,) in [-1, 1], 1 for equal images, in the dtype of the images.

    Raises:
        ValueError: names the argument and the remedy.
        ImportError: OpenCV is not installed.
    """
    check_pair(x, x_adv)
    warps = homographies(x, x_adv, data_range=data_range, iterations=iterations, eps=eps, blur=blur, threads=threads)
    aligned = x_adv.detach().clone()
    moved = (warps != torch.eye(3, dtype=warps.dtype)).flatten(1).any(1).nonzero()[:, 0].to(x.device)
    for index in moved.split(max(1, CHUNK // max(1, x[:1].numel()))):
        before = x_adv[index].detach()
        after = warp(before, warps[index.cpu()], border)
        raised = correlation(grey(after), grey(x[index])) > correlation(grey(before), grey(x[index]))
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
    """(N, 3, 3) float64 on the CPU: pixel coordinates (column, row, 1) of an original to those of its adversarial image.

    The arguments are those of `pass_score`. The identity where the images are equal, one of them has a single grey level
    or the alignment fails. Colours are weighted to one grey level, three channels as red, green, blue, others evenly.

    Raises:
        ValueError: names the argument and the remedy.
        ImportError: OpenCV is not installed.
    """
    if iterations < 1 or eps <= 0 or blur < 1 or blur % 2 == 0 or threads < 0:
        raise ValueError(
            "the alignment needs iterations >= 1, eps > 0, an odd blur and threads >= 0, "
            f"got {iterations}, {eps}, {blur} and {threads}"
        )
    cv2 = opencv()
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, iterations, eps)
    # grey levels: determinants of the normal equations would underflow in float32 on smaller numbers
    pairs = [(grey(v.detach()) * (255 / data_range)).float().cpu().numpy() for v in (x, x_adv)]
    warps = np.broadcast_to(np.eye(3), (len(x), 3, 3)).copy()
    todo = [i for i, (a, b) in enumerate(zip(*pairs, strict=True)) if np.ptp(a) and np.ptp(b) and (a != b).any()]

    def align(i: int) -> None:
        start = np.eye(3, dtype=np.float32)
        try:
            found = cv2.findTransformECC(pairs[0][i], pairs[1][i], start, cv2.MOTION_HOMOGRAPHY, criteria, None, blur)[
                1
            ]
        except cv2.error:  # no convergence, or a singular system
            return
        if np.isfinite(found).all():
            warps[i] = found

    with ThreadPoolExecutor(threads or torch.get_num_threads()) as pool:  # OpenCV lets go of the interpreter's lock
        list(pool.map(align, todo, chunksize=1))
    return torch.from_numpy(warps)


def warp(images: Tensor, warps: Tensor, border: Border = "replicate") -> Tensor:
    """(N, C, H, W) images whose pixel (column, row) is taken, bilinearly, from where `warps` (N, 3, 3) sends it.

    Args:
        images: (N, C, H, W).
        warps: (N, 3, 3) homographies from pixels of the result to pixels of `images`.
        border: of `pass_score`.

    Raises:
        ValueError: there is no such border.
    """
    modes: dict[str, Any] = {"replicate": "border", "constant": "zeros"}
    if border not in modes:
        raise ValueError(f"border must be replicate or constant, got {border!r}")
    height, width = images.shape[2:]
    device = images.device
    at = torch.stack(
        torch.meshgrid(
            torch.arange(width, dtype=torch.float64), torch.arange(height, dtype=torch.float64), indexing="xy"
        )
    )
    points = warps.double() @ torch.cat([at.flatten(1), torch.ones(1, height * width, dtype=torch.float64)])
    places = points[:, :2] / points[:, 2:]
    # pixel centres 0 .. L - 1 are -1 .. 1 of the sampler; far outside is far enough at three image lengths
    sizes = torch.tensor([width, height], dtype=torch.float64)[:, None]
    places = ((2 * places + 1) / sizes - 1).nan_to_num(nan=6.0).clamp(-6, 6)
    field = places.mT.reshape(-1, height, width, 2).to(device=device, dtype=images.dtype)
    return F.grid_sample(images, field, mode="bilinear", padding_mode=modes[border], align_corners=False)


def grey(images: Tensor) -> Tensor:
    """(N, H, W) float64 grey levels of (N, C, H, W) images."""
    channels = images.shape[1]
    weights = LUMA if channels == 3 else (1 / channels,) * channels
    return torch.einsum(
        "nchw,c->nhw", images.double(), torch.tensor(weights, dtype=torch.float64, device=images.device)
    )


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """(N,) zero-mean normalised correlation, the ECC, of (N, H, W) images; -1 where one is constant."""
    a, b = (v.flatten(1) - v.flatten(1).mean(1, keepdim=True) for v in (a, b))
    value = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    return value.nan_to_num(nan=-1.0)


def opencv() -> Any:
    """The module cv2.

    Raises:
        ImportError: says what to install.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "PASS aligns images with OpenCV, which cannot be imported: pip install opencv-python-headless"
        ) from error
    return cv2
