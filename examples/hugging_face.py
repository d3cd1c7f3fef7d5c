"""A model of Hugging Face, saved by `model.save_pretrained(FOLDER)` and `processor.save_pretrained(FOLDER)`.

advlab --plugin examples/hugging_face.py model=hugging_face model.folder=FOLDER dataset=folder dataset.root=/path/to/images

It needs `pip install transformers`. Nothing is fetched: FOLDER holds config.json, model.safetensors and
preprocessor_config.json, which gives input size and normalisation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import advlab
from advlab.errors import ModelError

if TYPE_CHECKING:  # a plug-in is loaded to be listed as well, which need not wait for torch
    from torch import nn


def processing(folder: str) -> dict[str, Any]:
    """What the image processor of a saved model does to images.

    Raises:
        ModelError: the folder does not say.
    """
    path = Path(folder).expanduser() / "preprocessor_config.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} could not be read ({error}): save the processor by .save_pretrained({folder!r})"
        ) from error
    return content


def input_shape(folder: str) -> tuple[int, int, int]:
    """(3, H, W) of the images that the processor hands on: of its crop, if there is one."""
    content = processing(folder)
    size = content["crop_size"] if content.get("do_center_crop") else content["size"]
    height, width = (size.get(side, size.get("shortest_edge")) for side in ("height", "width"))
    return 3, int(height), int(width)


@advlab.model("hugging_face", input_shape=input_shape)
def hugging_face(folder: str) -> nn.Module:
    """An image classifier that was saved into a folder, with the normalisation of its image processor.

    Args:
        folder: with config.json, model.safetensors and preprocessor_config.json.
    """
    import torch
    from torch import Tensor, nn
    from transformers import AutoModelForImageClassification

    class Logits(nn.Module):
        """The logits of (N, 3, H, W) images in [0, 1]."""

        mean: Tensor
        std: Tensor

        def __init__(self, mean: list[float], std: list[float]) -> None:
            super().__init__()
            self.network = AutoModelForImageClassification.from_pretrained(
                Path(folder).expanduser(), local_files_only=True, use_safetensors=True
            )
            self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
            self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.network(pixel_values=(x - self.mean) / self.std).logits
            return logits

    content = processing(folder)
    if content.get("do_normalize", True):
        return Logits(content["image_mean"], content["image_std"])
    return Logits([0.0], [1.0])
