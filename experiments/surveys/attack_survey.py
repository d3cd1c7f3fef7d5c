"""One attack on many images of one network: how often it succeeds, how far it goes, what it takes, and what transfers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt

from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Cell, ChoicesOf, Cost, Experiment, Figure, Frame, InRange, NetworkContext, Settings, frame_of
from advlab.statistics import Claim, judge, share_interval

from .survey_summary import SELF, share_by_sample, summarise

CELL_VALUES = 1 << 22  # pixel values of the attacked images of a cell, about
CELL_IMAGES = 250  # images of a cell at most, so that a run that is killed has little to repeat


@dataclass(frozen=True)
class SurveyRow:
    """One adversarial image (sample and target) as one network sees it."""

    sample: int  # index in the split
    attack: str  # name, and the hyperparameters that are not its defaults
    target: int  # class to reach; -1: any other than the label
    victim: str  # who classifies it: self, the attacked network, or one of experiment.transfer (successes of self only)
    label: int  # true class
    minimal: bool  # whether the attack looks for the smallest perturbation; otherwise its length is given
    eligible: bool  # the victim classifies the clean image as its label (uap, fooling: any finite scores)
    status: str  # success, or why there is none; of another victim: success or kept
    success: bool  # eligible, and the victim's prediction is what the attack is after
    prediction: int  # the victim's class of the returned image
    margin: float  # in logits, by which it succeeds (below 0: misses)
    l1: float  # norms of the perturbation, of pixels in [0, 1]; nan where nothing was attacked
    l2: float
    linf: float
    pass_score: float  # perceptual similarity, 1 for equal images (Rozsa et al. 2016); nan where there is no success
    ssim: float  # mean structural similarity; likewise
    epsilon: float  # weight of the direction; nan where the attack has none
    steps: int  # iterations
    forwards: float  # images through the network for each attacked one, mean over the cell; nan for other victims
    backwards: float  # likewise
    #: whether (1, 0) a success against self is one still as an 8-bit image, in whole grey levels; nan: there is none
    survives_rounding: float = math.nan
    #: whether (1, 0) the attacked network's probability of the label is 1 in float32 at the clean image; nan: a table of version
    #: 0.1, which does not say
    saturated: float = math.nan
    #: whether (1, 0) the attacked network classifies the clean image as its label; nan: not known (fooling), or a table that does
    #: not say
    correct: float = math.nan


class AttackSurvey(Experiment[NetworkContext]):
    """How often, how far and at what price an attack succeeds (gunther2017, section 2.1 and table 1, first row).

    Attacks the first images of a seeded order, right or wrong, and shows what succeeds to other networks. Rates come with
    both denominators: the eligible images (classified correctly) and all of them. The summary has a line for each number,
    with 95 % Clopper-Pearson intervals; several runs (`-m attack=fgs,deepfool`) are drawn and listed together. With targets=all the
    unit of success rates is the sample, with its share of targets; those of survival and transfer take images of one
    sample as independent. An attack on the whole set (uap) counts changed predictions, right or wrong before.

    The summary's words: `success_rate` is of the eligible images and `success_of_all` of all, `_low` and `_high` are the bounds of
    their 95 % intervals. `accuracy` is the share of all images that are classified correctly, and `robust_accuracy` that of all
    images that are so and withstand the attack (RobustBench's number, and not 1 - `success_rate`); it is not defined where the
    attack looks for the smallest perturbation or aims at a target. `mean_` and `median_` are over the successes (l1, l2, linf:
    norms of the perturbation of pixels in [0, 1]; pass_score and ssim: similarity, 1 for equal images); `survival_rate` is the
    share of successes that are one still as an 8-bit image, `saturated_share` that of images whose label has probability 1 in
    float32, where fixed steps along the gradient fail; `failures` counts why the others did not succeed. Only `hc`, of which the
    paper makes a statement, is judged.
    """

    name: ClassVar[str] = "attack_survey"
    paper: ClassVar[str] = "gunther2017, section 2.1 and table 1"
    title: ClassVar[str] = "Success, size, price and transfer of an attack"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model", "attack")
    Row: ClassVar[type] = SurveyRow

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """What is attacked; the paper takes all test images."""

        samples: Annotated[int, Ge(1)] = 1000  # images, the first of a seeded order
        targets: Literal["none", "random", "all"] = "none"  # none: any other class; random: one an image; all: each
        #: models, as in model=NAME, that see what succeeds
        transfer: Annotated[list[str], ChoicesOf("model")] = field(default_factory=list)
        #: what is kept in the run's folder `files`: safetensors (images, adversarial images, labels; one file a cell) and png
        #: (successes, in whole grey levels)
        keep: list[Literal["safetensors", "png"]] = field(default_factory=list)
        #: claim "in almost all cases": share of successes above; fixed beforehand
        almost_all: Annotated[float, Gt(0), Lt(1)] = 0.95

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 200 images; `tiny`: 8."""
        return {"tiny": {"experiment.samples": 8}, "laptop": {"experiment.samples": 200}}.get(preset, {})

    def check(self, settings: Settings) -> None:
        """There is an attack, and it takes such targets.

        Raises:
            ConfigError: otherwise.
        """
        name, attack, targets = settings.choice_name("attack"), settings.attack, self.params.targets
        if name == "none":
            raise ConfigError("attack=none: attack_survey needs an attack: type attack=fgs (`advlab list attacks`)")
        if attack.targeted == "always" and targets == "none":
            raise ConfigError(f"the attack {name} needs targets: type experiment.targets=random")
        if targets != "none" and (attack.targeted == "never" or attack.set_level):
            raise ConfigError(f"experiment.targets={targets}: the attack {name} takes no targets: leave it out")
        classes = settings.model.class_count or settings.dataset.class_count
        if classes:  # otherwise the attack looks when the network is there
            try:
                attack.check_classes(classes)
            except ArgumentError as error:
                raise ConfigError(f"attack={name}: {error}") from error

    def prepare(self, ctx: NetworkContext) -> dict[str, Any]:
        """The images, and the weights of the other networks."""
        return self.measurement().prepare(self, ctx)

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """Some images a cell; all of them where the attack finds one perturbation for the set."""
        samples = ctx.prepared["samples"]
        values_per_sample = math.prod(ctx.data.shape) * self.attacks_per_image(len(ctx.data.classes))
        images = max(1, min(CELL_IMAGES, CELL_VALUES // values_per_sample))
        if ctx.settings.attack.set_level:
            images = len(samples)
        return [Cell(f"images-{i:06d}", {"samples": samples[i : i + images]}) for i in range(0, len(samples), images)]

    def attacks_per_image(self, classes: int) -> int:
        """How many targets each image is attacked towards."""
        return classes - 1 if self.params.targets == "all" else 1

    def cost(self, ctx: NetworkContext) -> Cost:
        """An estimate: what each image's attack takes (`Attack.estimated_cost`), three checks, and two forwards of each victim."""
        classes = len(ctx.data.classes)
        forwards, backwards = ctx.settings.attack.estimated_cost(classes)
        images = len(ctx.prepared["samples"]) * self.attacks_per_image(classes)
        return Cost(forwards=images * (forwards + 3 + 2 * len(self.params.transfer)), backwards=images * backwards)

    def targets(self, seed: int, sample: int, label: int, classes: int) -> list[int]:
        """The target classes of one image, which depend on the seed and the sample alone; -1 stands for any other class."""
        if self.params.targets == "none":
            return [-1]
        other_classes = [k for k in range(classes) if k != label]
        if self.params.targets == "all":
            return other_classes
        return [other_classes[int(np.random.default_rng([seed, sample]).integers(len(other_classes)))]]

    def claims(self, table: Frame) -> list[Claim]:
        """What section 2.1 says of Hot/Cold towards every other class; of other attacks it says nothing in general."""
        own = table[(table["victim"] == SELF) & table["eligible"]]
        attack = str(table["attack"].iloc[0]) if len(table) else ""
        if not attack.startswith("hot_cold") or "hot=0" not in attack:
            return []
        return [
            judge(
                "almost-all", share_interval(share_by_sample(own, "success")), ">", self.params.almost_all, subset=attack,
                statement='section 2.1: "HC adversarial images could be generated in almost all cases"',
                quantity="share of the eligible images with an adversarial image",
            )
        ]  # fmt: skip

    def summary(self, table: Frame) -> Frame:
        """Rates with their intervals and denominators, norms and similarity over successes, price, causes, transfer."""
        return frame_of([summarise(rows) for _, rows in table.groupby(["run", "attack"], sort=False)])

    def plot(self, table: Frame) -> Figure:
        """The share of the eligible images that a perturbation of at most some size makes adversarial."""
        from .figures.attack_survey import success_curves

        return success_curves(table[table["victim"] == SELF])
