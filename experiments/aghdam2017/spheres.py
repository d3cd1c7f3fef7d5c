"""What the experiments on spheres share: which samples, how they are cut into cells, and presets (section 2.1, eq 4)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from advlab.lab.experiment import Cell, Experiment

if TYPE_CHECKING:
    from torch import Tensor

    from advlab.lab.context import Context
    from advlab.models.classifier import Classifier

CELL_VALUES = 1 << 24  # perturbed pixel values a cell, about: a second of a small network, a minute of a large one


class SphereExperiment(Experiment):
    """An experiment on the perturbations of eq 4 around images that are classified with confidence.

    Cells are the same for all of them, so that one cached sweep serves all (`advlab.lab.neighbourhood`).
    """

    uses: ClassVar[tuple[str, ...]] = ("dataset", "model", "probe")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 30 samples, 10 from 200 pixels on; `tiny`: 3. Radii and T stay: the range grows with T."""
        shape = dataset.shape(model.shape) if hasattr(model, "shape") else (3, 224, 224)
        return {
            "tiny": {"probe.samples": 3},
            "laptop": {"probe.samples": 10 if max(shape[1:]) >= 200 else 30},
        }.get(preset, {})

    def check(self, settings: Any) -> None:
        """The probe must be one of spheres.

        Raises:
            ConfigError: it is another.
        """
        from advlab.errors import ConfigError

        if getattr(settings.probe, "radii", None) is None:
            raise ConfigError(
                f"{self.name} needs a probe of spheres: type probe=sphere, not {settings.nodes['probe']['name']}"
            )

    def prepare(self, ctx: Context) -> dict[str, Any]:
        """The samples that qualify."""
        return {"samples": ctx.qualified()}

    def cells(self, ctx: Context) -> list[Cell]:
        """Some samples a cell, as many as make a fixed amount of work."""
        probe, samples = ctx.settings.probe, ctx.prepared["samples"]
        assert ctx.data is not None
        work = len(probe.readings) * len(probe.radii) * probe.trials * math.prod(ctx.data.shape)
        size = max(1, CELL_VALUES // work)
        starts = range(0, len(samples), size)
        return [Cell(f"samples-{i:05d}", {"first": i, "samples": samples[i : i + size]}) for i in starts]


def sweep_forwards(ctx: Context) -> int:
    """Forwards of the shared sweep: readings x radii x T a sample, and its clean image."""
    probe = ctx.settings.probe
    return len(ctx.prepared["samples"]) * (len(probe.readings) * len(probe.radii) * probe.trials + 1)


def direction_cost(ctx: Context) -> tuple[int, int]:
    """Forwards and backwards that finding the directions takes, about; none for random ones."""
    probe, samples = ctx.settings.probe, len(ctx.prepared["samples"])
    if probe.direction == "random":
        return 0, 0
    if probe.direction == "fgv":
        return samples * probe.trials, samples * probe.trials
    from advlab.attacks import DeepFool

    assert ctx.classifier is not None
    forwards, backwards = DeepFool(clip="none").estimated_cost(ctx.classifier.classes)
    return samples * probe.trials * forwards, samples * probe.trials * backwards


def images_and_labels(ctx: Context, samples: list[int]) -> tuple[Tensor, Tensor]:
    """(n, C, H, W) images in [0, 1] and (n,) labels of some samples."""
    import torch

    assert ctx.data is not None
    index = torch.tensor(samples, dtype=torch.int64)
    return ctx.data.images(index), ctx.data.labels[index.to(ctx.data.device)]


def refuse_low_precision(name: str, settings: Any) -> None:
    """Distances of features are compared in float32.

    Raises:
        ConfigError: the run is in bfloat16, whose rounding would pass for what the network does.
    """
    from advlab.errors import ConfigError

    if settings.run.precision == "bf16":
        raise ConfigError(
            f"run.precision=bf16: {name} compares distances that bfloat16 rounds away: take float32 or tf32"
        )


def features_of(classifier: Classifier, layer: str, x: Tensor) -> Tensor:
    """(n, R) output Phi_L(x) of a layer."""
    return classifier.features(x, layer)[1]


def reading_name(norm: str, pixel_scale: float, direction: str) -> str:
    """What claims call a reading of the radius, and the directions where they are not random."""
    return f"{norm}, 0..{pixel_scale:g}" + ("" if direction == "random" else f", {direction}")
