"""Table 1 of jetley2018: resampled images, the fooling rate of longer perturbations, and attacks on the resampling network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from advlab.attacks import DeepFool
from advlab.errors import ConfigError
from advlab.lab import Cell, Cost, Experiment, Figure, Frame, NetworkContext, Settings, Stage
from advlab.statistics import Claim

from .downsampling_params import DownsamplingParams
from .downsampling_summary import summarised, verdicts

PAPER_SIDE = 227
PAPER_SIZES = (200, 150, 120, 100)  # d_low of table 1, of images of 227 pixels
CELL_VALUES, CELL_IMAGES = 1 << 22, 250  # pixel values, and images, of a cell at most
SPANNING_VALUES, SPANNING_IMAGES = 1 << 24, 1000  # likewise, of the perturbations that span a subspace by default
DEEPFOOL_STEPS = 3  # of an untargeted attack on an undefended network, about, for the estimate of the cost


@dataclass(frozen=True)
class DownsamplingRow:
    """One perturbation of one image, as the network sees both when they are resampled; lengths of pixels in [0, 1]."""

    sample: int  # index in the split
    size: int  # d_low, pixels along the shorter side of the small image; that of the image itself: not resampled
    #: transfer: DeepFool's perturbation of the network without resampling, times the factor; random: a random one as long after
    #: resampling, times the factor; white_box: DeepFool's of the network with resampling; confined: the same in the span of
    #: resampled perturbations of other images; confined_original: in that span, of the network without resampling
    attack: str
    factor: float  # f
    label: int  # true class
    clean_prediction: int  # class of the resampled image
    prediction: int  # class of the resampled sum of image and perturbation
    found: bool  # DeepFool fooled the network that it attacked; of a random one: that which gives its length did
    image_norm: float  # L2, of the resampled image without the training mean
    norm: float  # L2, of the perturbation before resampling, with its factor
    resampled_norm: float  # L2, of the perturbation after resampling, with its factor
    dimensions: int  # values of the small image: of the space that resampled images span
    directions: int  # dimension of the subspace that the attack is confined to; 0: it is not


class Downsampling(Experiment[NetworkContext]):
    """Downsampling as a defense: what resampled perturbations still do, and what attacks do that know it (section 4.4).

    Every image is resampled to d_low pixels and back, without the training mean. DeepFool's perturbations of the network as it is
    are added before the resampling, f times as long. DeepFool then attacks the network with the resampling in front, freely and
    confined to the span of resampled perturbations of other images; and in that span the network without. All attacks leave
    the predicted class, right or wrong, so that the fooling rate at full size and f = 1 is that of DeepFool.
    """

    name: ClassVar[str] = "downsampling"
    paper: ClassVar[str] = "jetley2018, table 1"
    title: ClassVar[str] = "Fooling rate and minimal norms behind a resampling of the images"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model", "attack")
    Params: ClassVar[type] = DownsamplingParams
    Row: ClassVar[type] = DownsamplingRow
    summary_keys: ClassVar[tuple[str, ...]] = ("size",)
    one_draw: ClassVar[bool] = True

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 200 images; `tiny`: 8, and as many that span."""
        return {
            "tiny": {"experiment.samples": 8, "experiment.spanning": 8},
            "laptop": {"experiment.samples": 200},
        }.get(preset, {})

    def check(self, settings: Settings) -> None:
        """The attack is DeepFool in the L2 norm without clipping, as the confinement needs it.

        Raises:
            ConfigError: otherwise, or a defense rejects images.
        """
        attack = settings.attack
        if not isinstance(attack, DeepFool) or attack.norm != "l2" or attack.clip != "none" or attack.refine:
            raise ConfigError(
                f"attack={settings.choice_name('attack')}: downsampling needs DeepFool in the L2 norm without clipping: type "
                "attack=deepfool_unclipped"
            )
        if getattr(settings.defense, "rejects", False):
            raise ConfigError(
                f"defense={settings.choice_name('defense')} rejects images: downsampling needs one that does not"
            )

    def prepare(self, ctx: NetworkContext) -> dict[str, Any]:
        """The images that are measured, the other ones, and the sizes."""
        return self.measurement().prepare(self, ctx)

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """The mean, the perturbations of other images, and what they span at each size."""
        from .downsampling_stages_measure import downsampling_stages  # loads torch

        return downsampling_stages(
            ctx, mean=self.params.mean, sizes=self.confined_sizes(ctx), cost=self.deepfool_cost(ctx)
        )

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """Some images a cell, at all sizes."""
        samples = ctx.prepared["samples"]
        images = max(1, min(CELL_IMAGES, CELL_VALUES // math.prod(ctx.data.shape)))
        needed = ("mean", *(f"span-{size}" for size in self.confined_sizes(ctx)))
        return [
            Cell(f"images-{start:06d}", {"samples": samples[start : start + images]}, stages=needed)
            for start in range(0, len(samples), images)
        ]

    def confined_sizes(self, ctx: NetworkContext) -> list[int]:
        """The sizes at which DeepFool is also confined; none without other images."""
        sizes: list[int] = ctx.prepared["sizes"][1:]
        return sizes[max(0, len(sizes) - self.params.confined) :] if ctx.prepared["others"] else []

    def deepfool_cost(self, ctx: NetworkContext) -> tuple[int, int]:
        """Forwards and backwards of DeepFool on an image, about."""
        rivals = min(ctx.settings.attack.candidates or 10, len(ctx.data.classes) - 1)
        return DEEPFOOL_STEPS + 2, 2 * DEEPFOOL_STEPS + rivals

    def cost(self, ctx: NetworkContext) -> Cost:
        """An estimate: DeepFool on the network as it is, at each size and confined; two forwards a factor and size."""
        images, sizes = len(ctx.prepared["samples"]), len(ctx.prepared["sizes"])
        attacks = sizes + 2 * len(self.confined_sizes(ctx))
        forwards, backwards = self.deepfool_cost(ctx)
        seen = sizes * (2 * len(self.params.factors) + 1) + attacks
        return Cost(forwards=images * (attacks * forwards + seen), backwards=images * attacks * backwards)

    def claims(self, table: Frame) -> list[Claim]:
        """What section 4.4 says, at each size, and the control."""
        return verdicts(table, self.params)

    def summary(self, table: Frame) -> Frame:
        """Table 1, and the minimal norms of the attacks side by side."""
        return summarised(table)

    def plot(self, table: Frame) -> Figure:
        """The fooling rate over f at each size, and the median norms over the sizes."""
        from .figures.downsampling import rates_and_norms

        return rates_and_norms(table)
