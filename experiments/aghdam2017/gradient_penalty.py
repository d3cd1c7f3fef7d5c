"""End of section 2.2 of aghdam2017: do networks become more stable when gradient and Hessian are regularised?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Interval, Lt

from advlab.attacks import Attack
from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Cell, Cost, DataContext, Experiment, Figure, Frame, InRange, Settings, frame_of
from advlab.lab.trained_here import check_trains
from advlab.statistics import Claim, median_interval
from advlab.training.recipe_text import parse_penalty

from .gradient_penalty_claims import PLAIN, against_plain, penalty_claims


@dataclass(frozen=True)
class GradientPenaltyRow:
    """One (seed, penalty, sample, radius): a network around an image. Only the ranges depend on the radius."""

    seed: int  # of the training, and of the choice of its images
    penalty: str  # what was added to the loss, as a recipe writes it, joined by +; none: nothing
    sample: int  # index in the split
    label: int  # true class
    radius: float  # r, L2, pixels in [0, 1]
    trials: int  # T
    range: float  # max - min of the score over T
    logit_range: float  # the same of log(score / (1 - score)), which does not shrink as the score nears 1
    clean_error_probability: float  # 1 - score of the clean image
    correct: bool  # whether the clean image is classified correctly
    attack: str  # registered name of the attack that looks for the smallest perturbation
    length: (
        float  # L2 norm of what it found, pixels in [0, 1]; nan where the image is not correct, or nothing was found
    )
    test_images: int  # on which the clean accuracy was measured
    test_correct: int
    nonfinite: int  # of T, left out of the ranges
    weights: str  # beginning of the digest of the network's


class GradientPenalty(Experiment[DataContext]):
    """Section 2.2: "regularizing by the aforementioned terms might not improve the stability significantly".

    The terms are the norms of gradient and Hessian at each training image. Networks are trained by the run's recipe with and
    without them, on the same images, from the same initial weights and in the same order; each seed has its own. The gradient
    is that of the cross-entropy, since the score's own vanishes where the score is near 0 or 1; the Hessian's norm is
    estimated by differences of gradients (`advlab.training.penalty`). Stability is the smallest perturbation that an attack
    finds, and how far scores range over perturbations of one length (the range of `isotropy`). Images are compared that
    both networks of a pair classify correctly; seeds are the units of the claims.

    What counts was fixed beforehand: the stability improves significantly if the median image's smallest perturbation grows by
    more than a factor `improves`; the function becomes more isotropic in a small region alone if the range falls at epsilon, and
    at 10 not by that factor.
    """

    name: ClassVar[str] = "gradient_penalty"
    paper: ClassVar[str] = "aghdam2017, section 2.2"
    title: ClassVar[str] = (
        "Smallest perturbations and ranges of the score of networks trained with penalties on derivatives"
    )
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model", "attack")
    Row: ClassVar[type] = GradientPenaltyRow
    summary_keys: ClassVar[tuple[str, ...]] = ("penalty",)

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """Penalties, images and thresholds; the paper gives none. Eight seeds are the fewest that decide for four penalties."""

        #: as in `recipe.penalty`, several terms of one training joined by +; the training without any comes with them
        penalties: list[str] = field(
            default_factory=lambda: [
                "gradient:0.1",
                "gradient:1",
                "hessian:0.001,0.1",
                "gradient:1+hessian:0.001,0.1",
            ]
        )
        seeds: Annotated[int, Ge(1)] = 8  # trainings of each, run.seed and those that follow
        train_images: Annotated[int, Ge(0)] = 6000  # 0: all
        images: Annotated[int, Ge(1)] = 100  # test images around which is measured
        test_images: Annotated[int, Ge(0)] = 0  # of the clean accuracy; 0: all
        radii: list[Annotated[float, Gt(0)]] = field(default_factory=lambda: [0.1, 1.0, 10.0])  # epsilon, 1 and 10
        trials: Annotated[int, Interval(ge=2, le=1_000_000)] = 100  # T
        noise: Literal["device", "portable"] = "device"  # as in `probe.noise`
        #: "improve the stability significantly": smallest perturbation, with the penalty over without, above; "in a very small
        #: region": range(10), with over without, above 1 / improves
        improves: Annotated[float, Gt(1), Lt(math.inf)] = 1.1
        comparable: Annotated[float, Gt(0), Lt(1)] = (
            0.02  # clean accuracy, without less with the penalty: comparable below
        )

        def __post_init__(self) -> None:
            """Refuse values out of range, penalties that are none, and radii that do not rise.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if not self.penalties or len(set(self.penalties)) < len(self.penalties):
                raise ArgumentError(f"penalties must name at least one, each once, got {self.penalties}")
            for penalty in self.penalties:
                names = [parse_penalty(term)[0] for term in penalty.split("+")]
                if len(set(names)) < len(names):
                    raise ArgumentError(f"penalties: each term of one training once, got {penalty!r}")
            if not self.radii or sorted(set(self.radii)) != self.radii:
                raise ArgumentError(f"radii must be ascending and different, at least one, got {self.radii}")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: a third of the training images, 60 images around which is measured; `tiny`: next to nothing, two seeds."""
        sizes = {"tiny": (200, 4, 50, 2), "laptop": (2000, 60, 2000, 8)}.get(preset)
        keys = ("train_images", "images", "test_images", "seeds")
        return {} if sizes is None else {f"experiment.{key}": n for key, n in zip(keys, sizes, strict=True)}

    def check(self, settings: Settings) -> None:
        """The networks are trained here, by a recipe without penalty, and attacked by a smallest perturbation.

        Raises:
            ConfigError: otherwise.
        """
        recipe, attack = settings.recipe, settings.attack
        check_trains(settings, "gradient_penalty", recipe="lenet_adam")
        if recipe.penalty:
            raise ConfigError("recipe.penalty: leave it out, and type experiment.penalties=[...]")
        if not isinstance(attack, Attack) or not attack.minimal or attack.set_level or attack.targeted == "always":
            raise ConfigError(
                "gradient_penalty needs an attack that looks for each image's smallest perturbation: type attack=deepfool_refined"
            )

    def prepare(self, ctx: DataContext) -> dict[str, Any]:
        """The test images, in a seeded order: the first are those around which is measured."""
        return {"samples": ctx.order(max(self.params.images, self.params.test_images or len(ctx.data)))}

    def cells(self, ctx: DataContext) -> list[Cell]:
        """One a seed and penalty: its training, and all that is measured of it."""
        first, penalties = ctx.settings.run.seed, [PLAIN, *self.params.penalties]
        return [
            Cell(f"seed-{seed}-penalty-{i}", {"seed": seed, "penalty": penalty})
            for seed in range(first, first + self.params.seeds)
            for i, penalty in enumerate(penalties)
        ]

    def cost(self, ctx: DataContext) -> Cost:
        """Trainings (of 60,000 images where their number is not given), the attack, ranges and clean accuracies.

        A penalty takes gradients of gradients: a term counts as two forwards and four backwards.
        """
        params, recipe = self.params, ctx.settings.recipe
        train_images = params.train_images or 60_000
        epochs = recipe.epochs or recipe.max_steps * recipe.batch_size / train_images
        terms = sum(len(penalty.split("+")) for penalty in params.penalties)
        networks, trained = params.seeds * (len(params.penalties) + 1), int(params.seeds * train_images * epochs)
        images = len(ctx.prepared["samples"]) + params.images * len(params.radii) * params.trials
        forwards, backwards = ctx.settings.attack.estimated_cost(len(ctx.data.classes))
        return Cost(
            forwards=trained * (len(params.penalties) + 1 + 2 * terms) + networks * (images + params.images * forwards),
            backwards=trained * (len(params.penalties) + 1 + 4 * terms) + networks * params.images * backwards,
        )

    def claims(self, table: Frame) -> list[Claim]:
        """The statements of section 2.2's last paragraph, for each penalty, over seeds."""
        return penalty_claims(table, improves=self.params.improves, comparable=self.params.comparable)

    def summary(self, table: Frame) -> Frame:
        """Of each training: clean accuracy, and medians over seeds of what becomes of perturbation and ranges."""
        lines = []
        for (run, penalty), part in table.groupby(["run", "penalty"], sort=False):
            plain = table[(table["run"] == run) & (table["penalty"] == PLAIN)]
            by_seed = part.groupby("seed").first()
            line = {"run": run, "penalty": penalty, "seeds": len(by_seed)}
            series = {"accuracy": by_seed["test_correct"] / by_seed["test_images"]}
            series["length"] = part[part["radius"] == part["radius"].min()].groupby("seed")["length"].median()
            if penalty != PLAIN:
                series |= against_plain(plain, part)
            for key, values in series.items():
                median = median_interval(values)
                line |= {key: median.estimate, f"{key}_low": median.low, f"{key}_high": median.high}
            lines.append(line)
        return frame_of(lines)

    def plot(self, table: Frame) -> Figure:
        """Smallest perturbation against clean accuracy, and the ratio of the ranges against the radius."""
        from .figures.gradient_penalty import penalised_networks

        return penalised_networks(table, self.summary(table))
