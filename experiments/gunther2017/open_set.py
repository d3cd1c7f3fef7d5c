"""Table 3 of gunther2017: what an open set network makes of test, adversarial and fooling images."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le, Lt

from advlab.errors import ConfigError
from advlab.lab import Cell, ChoicesOf, Cost, Experiment, Figure, Frame, NetworkContext, Settings, Stage, frame_of
from advlab.statistics import Claim, share_interval

from .adversarial_stages import Arithmetic, Variant, adversarial_stages, check_attacks, refuse_doubled, variants
from .open_set_stages import FOOLING, THRESHOLD, activation_stages, activations_id, fooling_stage, threshold_stage
from .open_set_variants import LISTS, LOGITS, OpenSetParams, layers_and_distances
from .open_set_variants import variants as open_set_networks

OUTCOMES = ("correct", "unknown", "same_target", "other")


@dataclass(frozen=True)
class OpenSetRow:
    """How many images of one kind are classified how, by one network.

    Correct, unknown, same target and other add up to `total`. Of test images no class is a target, of fooling images none is
    correct. The numbers of images that differ from what the network with the smallest tail makes of the same images:
    `correct_gained` are correct here and not there, and so on.
    """

    images: str  # test set, FGS, FGS x 1.25 (longer), FGS p >= 0.9 (stronger), F50, random starts
    group: (
        str  # test, adversarial, longer, confident, fooling, starts, aware: made by an attack that knows this network
    )
    arithmetic: str  # of the loss's gradient; empty for images along no loss
    network: str  # openmax; softmax: a threshold with the paper's open set network's clean accuracy; plain: none
    varied: str  # parameter of openmax that is not the paper's; empty: all are
    value: str  # of that parameter; where all are the paper's, the tail size
    total: int  # images
    correct: int  # classified as the label
    unknown: int  # rejected
    same_target: int  # classified as the plain network does, which of an adversarial or fooling image is its target
    other: int  # any other class
    missing: int  # images that were tried, and of which there is none: the attack failed, or cannot be made so strong
    already: int  # random starts that are at the lowest level before the first step, and left out
    correct_gained: int
    correct_lost: int
    target_gained: int
    target_lost: int
    pass_score: (
        float  # mean over the first of them (`experiment.pass_images`); NaN of other images than adversarial ones
    )
    l2: float  # median norm of the perturbation, of pixels in [0, 1]; NaN where there is none
    l2_plain: float  # the same of the attack on the plain network, for the same images; of group aware alone
    usual_class: int  # most frequent class by the plain network
    usual_share: float  # of the images that are of it
    threshold: float  # on softmax; NaN of other networks


class OpenSet(Experiment[NetworkContext]):
    """OpenMax on LeNet's ip1 (gunther2017, section 2.3): are adversarial images corrected and fooling images rejected?

    Adversarial images are of those test images that the network classifies correctly, and are made without the defense; they
    are shown with the smallest weight, longer, and with more confidence; and made once more by attacks that know the open set
    network. Fooling images start from random pixels, and lie between a level and .02 above it.
    """

    name: ClassVar[str] = "open_set"
    paper: ClassVar[str] = "gunther2017, table 3"
    title: ClassVar[str] = "Adversarial and fooling images before an open set network"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = OpenSetRow
    summary_keys: ClassVar[tuple[str, ...]] = ("images", "network", "varied", "value")

    @dataclass(frozen=True, kw_only=True)
    class Params(OpenSetParams):
        """Images, networks and thresholds."""

        attacks: Annotated[list[str], ChoicesOf("attack")] = field(
            default_factory=lambda: ["fgs", "fgv", "hc1", "deepfool", "pgd_mnist"]
        )
        arithmetic: list[Arithmetic] = field(
            default_factory=lambda: ["exact", "float32"]
        )  # of attacks with the smallest weight
        samples: Annotated[int, Ge(1)] = 1000  # test images that are attacked: the paper's fractions are of about 990
        test_images: Annotated[int, Ge(0)] = 0  # of the row of the test set; 0: all
        starts: Annotated[int, Ge(1)] = 100  # random starts of each class (section 2.3)
        classes: Annotated[int, Ge(1)] = 10  # of fooling images, the first ones
        levels: list[Annotated[float, Gt(0), Lt(1)]] = field(default_factory=lambda: [0.5, 0.9, 0.99])
        #: multiples of the smallest weight
        lengths: list[Annotated[float, Gt(1)]] = field(default_factory=lambda: [1.05, 1.25, 1.5])
        #: probabilities of the wrong class; section 4: "e.g., a minimum probability of 50%"
        confidences: list[Annotated[float, Gt(0), Lt(1)]] = field(default_factory=lambda: [0.5, 0.9])
        aware: Annotated[int, Ge(0)] = 200  # images that are attacked by one who knows the open set network
        pass_images: Annotated[int, Ge(0)] = 200  # of each kind, whose PASS is computed
        # thresholds of claims, fixed beforehand
        corrected: Annotated[float, Gt(0), Lt(1)] = 0.98  # of FGV and HC-1: "almost all"; table 3: 99.29 % and 98.90 %
        least_rejected: Annotated[float, Gt(0), Lt(1)] = 0.6  # of F50 and F90: "around 70 %"
        most_rejected: Annotated[float, Gt(0), Lt(1)] = 0.8
        most_confident_rejected: Annotated[float, Gt(0), Le(1)] = 0.25  # of F99; table 3: 15.46 %

        def __post_init__(self) -> None:
            """Refuse values out of range, and what is named twice.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            refuse_doubled(self, "arithmetic", "lengths", "confidences", *LISTS.values())

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 500 attacked images, 20 starts a class; `tiny`: 20 and 1."""
        tiny: dict[str, Any] = {
            "samples": 20, "test_images": 100, "starts": 1, "aware": 5, "pass_images": 2, "lengths": [1.5], "confidences": [0.5],
        }  # fmt: skip
        laptop: dict[str, Any] = {"samples": 500, "starts": 20, "aware": 50, "pass_images": 50}
        chosen = {"tiny": tiny, "laptop": laptop}.get(preset, {})
        return {f"experiment.{key}": value for key, value in chosen.items()}

    def check(self, settings: Settings) -> None:
        """Attacks are on single images, towards any class; the network is the plain one.

        Raises:
            ConfigError: otherwise.
        """
        check_attacks(settings, self.name)
        if settings.choice_name("defense") != "none":
            raise ConfigError(
                f"defense={settings.choice_name('defense')}: open_set puts its open set networks in front of the plain network: "
                "leave defense out"
            )
        if self.params.layer == LOGITS and self.params.aware:
            raise ConfigError(
                "experiment.layer=logits: attacks that know the open set network look at a layer: type the name of the "
                "classification layer, which gives the same, or experiment.aware=0"
            )
        if not self.params.levels or sorted(set(self.params.levels)) != self.params.levels:
            raise ConfigError(f"experiment.levels={self.params.levels}: name ascending probabilities, at least one")

    def kinds(self, ctx: NetworkContext) -> list[Variant]:
        """The attacks in each arithmetic; those of a given length in the exact one alone."""
        every = variants(ctx.listed("attacks"), self.params.arithmetic)
        return [kind for kind in every if kind.attack.minimal or kind.arithmetic in ("", self.params.arithmetic[0])]

    def test_samples(self, ctx: NetworkContext) -> list[int]:
        """Indices of the images of the test set's row."""
        return ctx.order(self.params.test_images)

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """Activations of each layer, the softmax threshold, adversarial images of each attack, and fooling images."""
        params = self.params
        fooling = fooling_stage(
            ctx, classes=range(min(params.classes, len(ctx.data.classes))), starts=params.starts, levels=params.levels,
            one_start_for_all=False,
        )  # fmt: skip
        adversarial = adversarial_stages(ctx, self.kinds(ctx), ctx.order(params.samples))
        return [
            *activation_stages(ctx, params), threshold_stage(ctx, params, self.test_samples(ctx)), *adversarial, fooling,
        ]  # fmt: skip

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """The test set, each attack, fooling images, and each attack that knows the open set network."""
        needed = [activations_id(layer) for layer in layers_and_distances(self.params)[0]] + [THRESHOLD]
        kinds = [{"kind": k} for k in range(len(self.kinds(ctx)))]
        names = [kind.id for kind in self.kinds(ctx)]
        cells = [Cell("test", {}, stages=tuple(needed))]
        cells += [Cell(f"adversarial-{n}", p, stages=(*needed, n)) for n, p in zip(names, kinds, strict=True)]
        cells.append(Cell("fooling", {}, stages=(*needed, FOOLING)))
        if self.params.aware:
            cells += [Cell(f"aware-{n}", p, stages=(*needed, n)) for n, p in zip(names, kinds, strict=True)]
        return cells

    def cost(self, ctx: NetworkContext) -> Cost:
        """One forward of each image that is shown, and the attacks that know the network; the stages name their own."""
        params, kinds = self.params, self.kinds(ctx)
        strengths = 1 + len(params.lengths) + 20 * len(params.confidences)
        shown = len(self.test_samples(ctx)) + len(kinds) * strengths * params.samples
        shown += (1 + len(params.levels)) * params.starts * params.classes
        costs = [kind.attack.estimated_cost(len(ctx.data.classes)) for kind in kinds]
        return Cost(
            forwards=shown + params.aware * sum(f for f, _ in costs), backwards=params.aware * sum(b for _, b in costs)
        )

    def claims(self, table: Frame) -> list[Claim]:
        """The sentences of section 2.3, each with the number of table 3 beside it."""
        from .open_set_claims import open_set_claims

        return open_set_claims(table, self.params, len(open_set_networks(self.params)))

    def summary(self, table: Frame) -> Frame:
        """Shares of each kind of images and network with the interval of those that are right: corrected, or rejected."""
        summary = []
        for row in table.to_dict("records"):
            total = max(row["total"], 1)
            right = "unknown" if row["group"] in ("fooling", "starts") else "correct"
            hits = [True] * row[right] + [False] * (row["total"] - row[right])
            interval = share_interval(hits) if hits else None
            summary.append(
                {key: row[key] for key in ("run", "images", "network", "varied", "value", "total", "missing")}
                | {outcome: row[outcome] / total if row["total"] else math.nan for outcome in OUTCOMES}
                | {"low": interval.low if interval else math.nan, "high": interval.high if interval else math.nan}
                | {key: row[key] for key in ("pass_score", "l2", "l2_plain", "usual_class", "usual_share", "threshold")}
            )
        return frame_of(summary)

    def plot(self, table: Frame) -> Figure:
        """Shares of each kind beside the paper's, and what tail, offset and length of the perturbation do."""
        from .figures.open_set import open_set

        return open_set(table)
