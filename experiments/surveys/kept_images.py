"""The images of a survey as files: the floats that were attacked and returned, and 8-bit pictures of the successes."""

from __future__ import annotations

import io

from PIL import Image
from safetensors.torch import save
from torch import Tensor

from advlab.attacks.grey_levels import in_grey_levels
from advlab.errors import ConfigError
from advlab.lab import NetworkContext

MODES = {1: "L", 3: "RGB"}  # number of channels -> what Pillow calls such pictures


def keep_images(
    ctx: NetworkContext,
    cell_id: str,
    kinds: list[str],
    *,
    index: Tensor,
    labels: Tensor,
    targets: Tensor,
    x: Tensor,
    adv: Tensor,
    success: Tensor,
) -> None:
    """Keep the images of one cell in the run's folder `files`.

    `CELL.safetensors` holds all of them: `sample`, `label`, `target` (int64, (N,); -1: any other class), `success` (bool),
    `x` and `adv` (float32, (N, C, H, W) in [0, 1]). `SAMPLE.png`, or `SAMPLE-to-TARGET.png`, is the adversarial image of a
    success in whole grey levels; whether it is one still, the column `survives_rounding` says.

    Args:
        ctx: keeps the files.
        cell_id: of the cell.
        kinds: safetensors, png or both.
        index: (N,) samples.
        labels: (N,) classes.
        targets: (N,) classes to reach.
        x: (N, C, H, W) images in [0, 1].
        adv: (N, C, H, W) what the attack returned.
        success: (N,) bool.

    Raises:
        ConfigError: pictures of two, or more than three, channels.
    """
    if "safetensors" in kinds:
        arrays = {
            "sample": index,
            "label": labels,
            "target": targets,
            "success": success,
            "x": x.float(),
            "adv": adv.float(),
        }
        ctx.keep_file(f"{cell_id}.safetensors", save({name: a.cpu().contiguous() for name, a in arrays.items()}))
    if "png" not in kinds:
        return
    if x.shape[1] not in MODES:
        raise ConfigError(f"a png holds one channel or three, not {x.shape[1]}: type experiment.keep=[safetensors]")
    pictures = (in_grey_levels(adv.float(), (0.0, 1.0)) * 255).round().byte().permute(0, 2, 3, 1).cpu()
    for i in success.nonzero()[:, 0].tolist():
        target = int(targets[i])
        name = f"{int(index[i]):06d}" + (f"-to-{target}" if target >= 0 else "")
        ctx.keep_file(f"{name}.png", png(pictures[i]))


def png(picture: Tensor) -> bytes:
    """A picture (H, W, C) of uint8 as the content of a PNG file."""
    content = io.BytesIO()
    channels = picture.shape[2]
    Image.fromarray((picture[:, :, 0] if channels == 1 else picture).numpy(), MODES[channels]).save(content, "PNG")
    return content.getvalue()
