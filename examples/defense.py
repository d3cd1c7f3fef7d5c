"""Two defenses: a median filter, and pixels dropped at random.

advlab --plugin examples/defense.py defense=median experiment=attack_survey attack=fgs run.preset=tiny
advlab --plugin examples/defense.py defense=[dropped_pixels,median] experiment=attack_survey attack=fgs run.preset=tiny
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Le

import advlab

if TYPE_CHECKING:  # a plug-in is loaded to be listed as well, which need not wait for torch
    from torch import Tensor

    from advlab.defenses.draws import Draw


@advlab.defense("median")
def median(images: Tensor, radius: Annotated[int, Ge(1)] = 1) -> Tensor:
    """The median of each channel over a square of 2 radius + 1 pixels (Xu et al. 2018, section 3.2); borders are repeated.

    Its gradient, that of the pixel in the middle of the order, is its own: attacks go through it.

    Args:
        images: (n, C, H, W).
        radius: in pixels.
    """
    from torch.nn.functional import pad

    padded = pad(images, [radius] * 4, mode="replicate")
    side = 2 * radius + 1
    return padded.unfold(2, side, 1).unfold(3, side, 1).flatten(4).median(4).values


@advlab.defense("dropped_pixels", random=True)
def dropped_pixels(
    images: Tensor, draw: Draw, *, bounds: tuple[float, float], share: Annotated[float, Ge(0), Le(1)] = 0.1
) -> Tensor:
    """Each pixel of each channel is set to the lowest value with probability `share`, in every evaluation anew.

    Args:
        images: (n, C, H, W) inside `bounds`.
        draw: gives all random numbers, so that they depend on the seed, the image and the trial, and not on the batch.
        bounds: lowest and highest pixel value.
        share: probability.
    """
    return images.masked_fill(draw.uniform(images.shape[1:]) < share, bounds[0])
