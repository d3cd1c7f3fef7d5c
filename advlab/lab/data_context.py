"""What experiments are handed that compute on a device, and those that look at images or train networks on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from advlab.lab.run_context import RunContext, joined

if TYPE_CHECKING:  # these load torch, and every experiment's module imports this one to be listed and described
    import torch
    from torch import Tensor

    from advlab.data.images import ImageData
    from advlab.models.base import Model
    from advlab.models.classifier import Classifier
    from advlab.training.recipe import Recipe


@dataclass(kw_only=True)
class DeviceContext(RunContext):
    """A run that computes with torch, on networks and data of its own making.

    Attributes:
        device: where everything runs.
    """

    device: torch.device


@dataclass(kw_only=True)
class DataContext(DeviceContext):
    """A run on the images of a dataset.

    Attributes:
        data: the measured split, on the device.
        load_split: reads another split of the dataset, such as train; on the CPU.
    """

    data: ImageData
    load_split: Callable[[str], ImageData]
    splits: dict[str, ImageData] = field(default_factory=dict)

    def split(self, name: str) -> ImageData:
        """A split of the run's dataset, loaded once, where `data` is: on the run's device."""
        if name not in self.splits:
            self.splits[name] = self.data if name == self.data.split else self.load_split(name).to(self.device)
        return self.splits[name]

    def images_and_labels(self, samples: Sequence[int]) -> tuple[Tensor, Tensor]:
        """(n, C, H, W) images in [0, 1] and (n,) true classes of n samples of the measured split, on the run's device."""
        return self.data.images_and_labels(samples)

    def order(self, count: int = 0) -> list[int]:
        """Indices of the measured split in the run's seeded order; the first `count` of them, 0: all."""
        from advlab.probes.selection import order  # loads torch

        return [int(i) for i in order(self.data, self.settings.run.seed)[: count or None]]

    @property
    def values_per_image(self) -> int:
        """D, numbers of an image."""
        return math.prod(self.data.shape)

    def key(self, *, images: ImageData | None = None, **fields: Any) -> dict[str, Any]:
        """The key of an artifact made from images: the fields (see `RunContext.key`), and the digest of the images.

        Args:
            images: None: the measured split.
            fields: what else determines the artifact.
        """
        images = images or self.data
        return joined(super().key(**fields), {"data": images.digest, "split": f"{images.name}/{images.split}"})

    def train(
        self,
        recipe: Recipe | None = None,
        *,
        data: ImageData | None = None,
        initial: Classifier | None = None,
        seed: int | None = None,
        model: Model | None = None,
    ) -> Classifier:
        """The run's network trained by a recipe, from the cache where it was trained before.

        Args:
            recipe: an `advlab.training.recipe.Recipe`; None: the run's.
            data: what it is trained on; None: the training split.
            initial: a network of the same kind whose weights training starts from (fine-tuning), with its input
                normalisation; None: from random weights of the seed. Its digest is part of the cache's key.
            seed: of the initial weights and of the order of the images; None: the run's.
            model: the run's with other parameters (`dataclasses.replace(ctx.settings.model, ...)`); None: as it is.

        Raises:
            ModelError: `initial` has other weights than the run's network, or training diverged.
            DataError: an image file is corrupt (named).
        """
        from advlab.lab.network_loading import trained_variant  # loads torch

        return trained_variant(
            self.settings, recipe or self.settings.recipe, data or self.load_split("train"), artifacts=self.artifacts,
            device=self.device, initial=initial, seed=self.settings.run.seed if seed is None else seed,
            model=model,
        )  # fmt: skip
