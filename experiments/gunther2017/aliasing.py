"""Figure 5 of gunther2017: are adversarial images of a network that cannot alias fewer, or other ones?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le, Lt

from advlab.attacks import FGV, Attack, DeepFool
from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Cell, Cost, DataContext, Experiment, Figure, Frame, InRange, Settings, frame_of
from advlab.models.builtin import BuiltIn
from advlab.statistics import Claim, mean_interval

from .aliasing_claims import ARITHMETICS, NETWORKS, AliasingThresholds, aliasing_claims
from .aliasing_summary import WITH_INTERVALS, numbers_by_seed, panels_of_figure


@dataclass(frozen=True)
class AliasingRow:
    """One (seed, network, arithmetic, image, layer). Only the three shares depend on the layer."""

    seed: int  # of the training
    network: str  # original or blurred
    arithmetic: str  # of FGV's gradient of the loss: exact, or float32 as the paper's
    sample: int  # index in the split
    label: int  # true class
    layer: str  # whose input the shares are about; image: the network's input; "": of this image none was measured
    correct: bool  # whether the clean image is classified correctly
    saturated: bool  # whether its label has p = 1 in float32
    adversarial: int  # class of the FGV image; -1: none was found, or the clean image is not correct
    length: float  # L2 norm of its perturbation, pixels in [0, 1]; NaN where there is none
    pass_score: float  # PASS of the FGV image; NaN where there is none, or it was not measured
    minimal: float  # L2 norm of refined DeepFool's perturbation; infinite: none was found; NaN: not measured
    clean_high: float  # share of the energy above the next Nyquist frequency, of the clean image; NaN: not measured
    adversarial_high: float  # the same of its FGV image
    change_high: float  # the same of the difference of the two
    weights: str  # beginning of the digest of the network's


class Aliasing(Experiment[DataContext]):
    """Figure 5: the run's network and the same with a fixed Gaussian blur before each layer that samples down, trained alike.

    Each seed trains both by the run's recipe, from the same initial weights and with the images in the same order. FGV images of
    the test set, in whole grey levels, are made of each in the exact arithmetic of the loss's gradient and in the paper's, float32.
    A count of them says little, since a network with smaller margins has more: refined DeepFool's smallest perturbations stand
    beside it. How similar adversarial labels and PASS are is compared with two seeds of one network. At the input of each layer
    that samples down, the share of energy above the Nyquist frequency of its output is measured (`advlab.metrics.spectrum`).

    What counts was fixed beforehand, see the thresholds. Seeds are the units of all claims.
    """

    name: ClassVar[str] = "aliasing"
    paper: ClassVar[str] = "gunther2017, figure 5"
    title: ClassVar[str] = "Adversarial images of a network with and without blur before each down-sampling"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = AliasingRow
    summary_keys: ClassVar[tuple[str, ...]] = ("network", "arithmetic")

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """The blur of section 3, trainings, images and thresholds, which were fixed before anything was measured."""

        blur: Annotated[float, Gt(0), Lt(math.inf)] = 1.25  # section 3: sigma, pixels of the layer's input
        #: before which it is put, and whose inputs are measured; auto: every pooling and convolution with a stride
        layers: list[str] = field(default_factory=lambda: ["auto"])
        seeds: Annotated[int, Ge(1)] = 6  # trainings of each network, run.seed and those that follow
        #: share of the recipe's iterations, where it counts them (`max_steps`) and not epochs
        scale: Annotated[float, Gt(0), Le(1)] = 1.0
        images: Annotated[int, Ge(0)] = 0  # test images that are attacked; 0: all, as the paper
        pass_images: Annotated[int, Ge(0)] = 0  # the first of them, whose PASS is measured; 0: all
        minimal_images: Annotated[int, Ge(0)] = 1000  # the first of them, attacked by refined DeepFool; 0: all
        spectrum_images: Annotated[int, Ge(0)] = 1000  # the first of them, of which spectra are taken; 0: all
        high: Annotated[float, Gt(0), Lt(1)] = (
            0.1  # "significant": share of energy above (white noise: 3/4 at stride 2)
        )
        survives: Annotated[float, Gt(0), Lt(1)] = 0.01  # "basically no": share of energy below
        slight: Annotated[float, Gt(0), Lt(1)] = 0.01  # "only slightly": clean accuracies differ by less
        dramatic: Annotated[float, Gt(0), Lt(1)] = (
            0.5  # "dramatic reduction": the number of images falls by this factor
        )
        alike: Annotated[float, Gt(0), Lt(1)] = 0.8  # "very similar", "very comparable": distributions overlap by more
        margin: Annotated[float, Ge(0), Lt(1)] = 0.05  # and at most so much less than those of two seeds of one network

        def __post_init__(self) -> None:
            """Refuse values out of range, and layers that are none.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if not self.layers or len(set(self.layers)) < len(self.layers):
                raise ArgumentError(f"layers must name at least one, each once, or be auto, got {self.layers}")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: a tenth of the iterations and a fifth of MNIST's test images; `tiny`: next to nothing, two seeds."""
        keys = ("seeds", "scale", "images", "minimal_images", "spectrum_images")
        sizes = {"tiny": (2, 0.002, 40, 6, 6), "laptop": (6, 0.1, 2000, 300, 300)}.get(preset)
        return {} if sizes is None else {f"experiment.{key}": n for key, n in zip(keys, sizes, strict=True)}

    def check(self, settings: Settings) -> None:
        """The networks are trained here, with a blur that this experiment adds.

        Raises:
            ConfigError: otherwise.
        """
        name, model, recipe = settings.nodes["model"]["name"], settings.model, settings.recipe
        if not isinstance(model, BuiltIn) or model.checkpoint:
            raise ConfigError(
                f"aliasing trains a network of advlab's own with and without blur, not {name}: type model=lenet_mnist"
            )
        if model.blur:
            raise ConfigError("model.blur: leave it out, and type experiment.blur=...")
        if not getattr(recipe, "trains", False):
            raise ConfigError(f"recipe=none: aliasing needs a recipe to train {name}: type recipe=lenet_mnist_paper")

    def prepare(self, ctx: DataContext) -> dict[str, Any]:
        """The test images, in a seeded order, and the names of the layers before which is blurred."""
        return self.measurement().prepare(self, ctx)

    def cells(self, ctx: DataContext) -> list[Cell]:
        """One a seed and network: its training, the attacks, and all that is measured of them."""
        first = ctx.settings.run.seed
        return [
            Cell(f"seed-{seed}-{network}", {"seed": seed, "network": network})
            for seed in range(first, first + self.params.seeds)
            for network in NETWORKS
        ]

    def first_samples(self, ctx: DataContext, count: int) -> int:
        """How many of the attacked images a parameter asks for: all, where it is 0."""
        return min(count or len(ctx.prepared["samples"]), len(ctx.prepared["samples"]))

    def cost(self, ctx: DataContext) -> Cost:
        """Trainings, both attacks, and the forwards of the spectra."""
        params, recipe, classes = self.params, ctx.settings.recipe, len(ctx.data.classes)
        steps = recipe.total_steps(len(ctx.load_split("train"))) * (params.scale if recipe.max_steps else 1)
        networks, trained = params.seeds * len(NETWORKS), math.ceil(steps) * recipe.batch_size
        cost = Cost(forwards=networks * trained, backwards=networks * trained)
        images, minimal = len(ctx.prepared["samples"]), self.first_samples(ctx, params.minimal_images)
        attacks: list[tuple[Attack, int]] = [(FGV(discrete=True, arithmetic=name), images) for name in ARITHMETICS]
        for attack, count in [*attacks, (DeepFool(refine=True), minimal)]:
            forwards, backwards = attack.estimated_cost(classes)
            cost += Cost(forwards=networks * count * forwards, backwards=networks * count * backwards)
        return cost + Cost(forwards=2 * networks * self.first_samples(ctx, params.spectrum_images))

    def claims(self, table: Frame) -> list[Claim]:
        """The sentences of section 3, over seeds."""
        params = self.params
        thresholds = AliasingThresholds(
            high=params.high, survives=params.survives, slight=params.slight, dramatic=params.dramatic, alike=params.alike,
            margin=params.margin,
        )  # fmt: skip
        return aliasing_claims(table, thresholds)

    def summary(self, table: Frame) -> Frame:
        """Of each network and arithmetic, means over seeds: accuracy, rate, lengths, similarities, shares of energy."""
        lines = []
        for run, part in table.groupby("run", sort=False):
            for (network, arithmetic), numbers in numbers_by_seed(part).items():
                line = {"run": run, "network": network, "arithmetic": arithmetic, "seeds": part["seed"].nunique()}
                for name, values in numbers.items():
                    mean = mean_interval(values, least=0, most=math.inf if name in ("length", "minimal") else 1)
                    line[name] = mean.estimate
                    if name in WITH_INTERVALS:
                        line |= {f"{name}_low": mean.low, f"{name}_high": mean.high}
                lines.append(line)
        return frame_of(lines)

    def plot(self, table: Frame) -> Figure:
        """Both confusion matrices, the histogram of PASS, smallest perturbations and shares above the Nyquist frequencies."""
        from .figures.aliasing import with_and_without_blur

        return with_and_without_blur(panels_of_figure(table))
