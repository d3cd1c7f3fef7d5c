"""Makes the adversarial images of a stage, and reads them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from advlab.attacks import Attack
from advlab.data.exact_division import divisor
from advlab.lab import Arrays, NetworkContext
from advlab.models.forward import Forward


def make_adversarial(ctx: NetworkContext, attack: Attack, samples: list[int]) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and facts of a stage, see `adversarial_stages`."""
    result = ctx.attack(attack, *ctx.images_and_labels(samples))
    levels = (result.adv * 255).round()
    whole = torch.equal(levels / divisor(255, levels), result.adv)
    arrays = {"adv": levels.byte() if whole else result.adv.float(), "weight": result.epsilon.double()}
    arrays |= {name: getattr(result, name) for name in ("success", "prediction", "saturated", "status")}
    return {name: array.cpu().numpy() for name, array in arrays.items()}, {"forwards": result.forwards}


def adversarial_images(ctx: NetworkContext, stage: str) -> Tensor:
    """(N, C, H, W) float32 images in [0, 1] of a stage, on the run's device; to the bit as the attack returned them."""
    adv = torch.as_tensor(ctx.stage(stage).arrays["adv"]).to(ctx.device)
    if adv.dtype != torch.uint8:
        return adv
    adv = adv.float()
    return adv / divisor(255, adv)


def predictions(forward: Forward, x: Tensor) -> list[int]:
    """The class of each of (N, C, H, W) images; the number of classes where it is rejected."""
    if not len(x):
        return []
    with torch.inference_mode():
        found: list[int] = torch.cat([forward(part).argmax(1) for part in x.split(forward.limit)]).tolist()
    return found
