"""One attack on many images of one network: how often it succeeds, how far it goes, what it takes, and what transfers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from advlab.lab.experiment import Cell, Cost, Experiment
from advlab.statistics.claims import Claim, judge
from advlab.statistics.intervals import share_interval

from .survey_summary import SELF, attack_label, summarise

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from advlab.attacks.results import AttackResult
    from advlab.lab.context import Context

CELL_VALUES = 1 << 22  # pixel values a cell, about
CELL_IMAGES = 250  # and at most so many images, so that a run that is killed has little to repeat


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


class AttackSurvey(Experiment):
    """How often, how far and at what price an attack succeeds (gunther2017, section 2.1 and table 1, first row).

    Attacks the first images of a seeded order, right or wrong, and shows what succeeds to other networks. Rates come with
    both denominators: the eligible images (classified correctly) and all of them. The summary has a line for each number,
    with 95 % Wilson intervals; several runs (`-m attack=fgs,deepfool`) are drawn and listed together. With
    targets=all the images of one sample are not independent, and the intervals are narrower than they should be. An
    attack on the whole set (uap) counts changed predictions, right or wrong before.
    """

    name: ClassVar[str] = "attack_survey"
    paper: ClassVar[str] = "gunther2017, section 2.1 and table 1"
    title: ClassVar[str] = "Success, size, price and transfer of an attack"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model", "attack")
    gradients: ClassVar[bool] = True
    Row: ClassVar[type] = SurveyRow

    @dataclass(frozen=True, kw_only=True)
    class Params:
        """What is attacked; the paper takes all test images."""

        samples: int = 1000  # images, the first of a seeded order
        targets: Literal["none", "random", "all"] = "none"  # none: any other class; random: one an image; all: each
        transfer: list[str] = field(default_factory=list)  # models, as in model=NAME, that see what succeeds
        almost_all: float = 0.95  # claim "in almost all cases": share of successes above; fixed beforehand

        def __post_init__(self) -> None:
            """Refuse values out of range.

            Raises:
                ValueError: names the field.
            """
            if self.samples < 1:
                raise ValueError(f"samples must be at least 1, got {self.samples}")
            if not 0 < self.almost_all < 1:
                raise ValueError(f"almost_all is a share between 0 and 1, got {self.almost_all}")
            if SELF in self.transfer or len(set(self.transfer)) < len(self.transfer):
                raise ValueError(f"transfer must name other models, each once, got {self.transfer}")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 200 images; `tiny`: 8."""
        return {"tiny": {"experiment.samples": 8}, "laptop": {"experiment.samples": 200}}.get(preset, {})

    def check(self, settings: Any) -> None:
        """There is an attack, it takes such targets, and the other networks take such images.

        Raises:
            ConfigError: otherwise.
        """
        from advlab.errors import ConfigError

        name, attack, targets = settings.chosen_name("attack"), settings.attack, self.params.targets
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
            except ValueError as error:
                raise ConfigError(f"attack={name}: {error}") from error
        for choice in self.params.transfer:
            self.victim(settings, choice)

    def victim(self, settings: Any, choice: str) -> Any:
        """The settings of another network."""
        from .transfer_networks import victim_settings

        return victim_settings(settings, choice)

    def prepare(self, ctx: Context) -> dict[str, Any]:
        """The images, and the weights of the other networks."""
        from advlab.probes.selection import order

        settings = ctx.settings
        assert ctx.data is not None
        chosen = [int(i) for i in order(ctx.data, settings.run.seed)]
        victims = {}
        if not settings.run.dry:
            assert ctx.load_network is not None
            for choice in self.params.transfer:
                victims[choice] = ctx.load_network(self.victim(settings, choice)).classifier.digest()
        count = self.params.samples
        held_out = chosen[count : 2 * count] if "held_out" in settings.attack.extra_inputs else []
        return {"samples": chosen[:count], "held_out": held_out, "victims": victims}

    def cells(self, ctx: Context) -> list[Cell]:
        """Some images a cell; all of them where the attack finds one perturbation for the set."""
        samples = ctx.prepared["samples"]
        assert ctx.data is not None
        each = math.prod(ctx.data.shape) * self.targets_each(len(ctx.data.classes))
        size = max(1, min(CELL_IMAGES, CELL_VALUES // each))
        if ctx.settings.attack.set_level:
            size = len(samples)
        return [Cell(f"images-{i:06d}", {"samples": samples[i : i + size]}) for i in range(0, len(samples), size)]

    def targets_each(self, classes: int) -> int:
        """Attacks an image."""
        return classes - 1 if self.params.targets == "all" else 1

    def cost(self, ctx: Context) -> Cost:
        """An estimate: what each image's attack takes (`Attack.estimated_cost`), two checks, and two forwards of each victim."""
        assert ctx.data is not None
        classes = len(ctx.data.classes)
        forwards, backwards = ctx.settings.attack.estimated_cost(classes)
        images = len(ctx.prepared["samples"]) * self.targets_each(classes)
        return Cost(forwards=images * (forwards + 2 + 2 * len(self.params.transfer)), backwards=images * backwards)

    def measure(self, ctx: Context, cell: Cell) -> list[SurveyRow]:
        """Attacks the cell's images, and shows what succeeds to the other networks."""
        import torch

        data, forward = ctx.data, ctx.forward
        assert data is not None
        assert forward is not None
        attack = ctx.settings.attack
        samples = cell.payload["samples"]
        classes = len(data.classes)
        truth = data.labels[torch.tensor(samples).to(data.device)].tolist()
        pairs = [
            (sample, label, target)
            for sample, label in zip(samples, truth, strict=True)
            for target in self.targets(ctx.settings.run.seed, sample, label, classes)
        ]
        index, labels, wanted = (torch.tensor(column) for column in zip(*pairs, strict=True))
        x = data.images(index)
        labels, wanted = labels.to(x.device), wanted.to(x.device)
        targets = None if self.params.targets == "none" else wanted
        reference = labels
        if attack.set_level:  # counts changed predictions
            with torch.inference_mode():
                reference = torch.cat([forward(part).argmax(1) for part in x.split(forward.limit)]).clone()
        extra = {"held_out": data.images(torch.tensor(ctx.prepared["held_out"]))} if ctx.prepared["held_out"] else {}
        result = ctx.attack(attack, x, reference, targets=targets, **extra)
        rows = self._rows(ctx, pairs, x, result)
        for choice, weights in ctx.prepared["victims"].items():
            rows += self._transferred(ctx, choice, weights, rows[: len(pairs)], x, result.adv)
        return rows

    def targets(self, seed: int, sample: int, label: int, classes: int) -> list[int]:
        """The targets of one image: a function of the seed and the sample alone."""
        import numpy as np

        if self.params.targets == "none":
            return [-1]
        others = [k for k in range(classes) if k != label]
        if self.params.targets == "all":
            return others
        return [others[int(np.random.default_rng([seed, sample]).integers(len(others)))]]

    def _rows(
        self, ctx: Context, pairs: list[tuple[int, int, int]], x: Tensor, result: AttackResult
    ) -> list[SurveyRow]:
        """One row a pair, as the attacked network sees it."""
        from advlab.attacks.norms import norms_of_each
        from advlab.attacks.status import Status

        attack = ctx.settings.attack
        name = attack_label(ctx.settings.nodes["attack"]["name"], attack)
        minimal = attack.minimal and not getattr(attack, "epsilon", 0)
        won = result.success
        likeness = {key: [math.nan] * len(pairs) for key in ("pass_score", "ssim")}
        hits = won.nonzero()[:, 0]
        if len(hits):
            places = hits.tolist()
            for key, values in similarities(x[hits], result.adv[hits]).items():
                for i, value in zip(places, values, strict=True):
                    likeness[key][i] = value
        moved = (result.adv - x).cpu().double()
        norms = {norm: norms_of_each(moved, norm).tolist() for norm in ("l1", "l2", "linf")}
        columns = {
            key: getattr(result, key).tolist()
            for key in ("eligible", "status", "success", "prediction", "margin", "epsilon", "steps")
        }
        rows = []
        for i, (sample, label, target) in enumerate(pairs):
            eligible = columns["eligible"][i]
            rows.append(
                SurveyRow(
                    sample=sample, attack=name, target=target, victim=SELF, label=label, minimal=minimal,
                    eligible=eligible, status=Status(columns["status"][i]).name.lower(),
                    success=columns["success"][i], prediction=columns["prediction"][i], margin=columns["margin"][i],
                    **{norm: values[i] if eligible else math.nan for norm, values in norms.items()},
                    **{key: values[i] for key, values in likeness.items()},
                    epsilon=columns["epsilon"][i], steps=columns["steps"][i],
                    forwards=result.forwards / len(pairs), backwards=result.backwards / len(pairs),
                )
            )  # fmt: skip
        return rows

    def _transferred(
        self, ctx: Context, choice: str, weights: str, own: list[SurveyRow], x: Tensor, adv: Tensor
    ) -> list[SurveyRow]:
        """What another network makes of the images that succeeded."""
        import dataclasses

        import torch

        from advlab.attacks.logits import margin
        from advlab.errors import ResultError

        assert ctx.load_network is not None
        victim = ctx.load_network(self.victim(ctx.settings, choice))
        if victim.classifier.digest() != weights:
            raise ResultError(f"the weights of {choice} are not those that this run began with: start a new run")
        hits = [i for i, row in enumerate(own) if row.success]
        if not hits:
            return []
        index = torch.tensor(hits, device=x.device)
        device = x.device
        labels = torch.tensor([own[i].label for i in hits], device=device)
        targets = torch.tensor([own[i].target for i in hits], device=device)
        targeted = None if self.params.targets == "none" else targets
        before = victim.images
        with torch.inference_mode():
            clean, seen = (
                torch.cat([victim(part) for part in images[index].split(victim.limit)]) for images in (x, adv)
            )
        ctx.count(forwards=victim.images - before)
        clean_class, seen_class = clean.argmax(1), seen.argmax(1)
        right = (clean_class == labels).tolist()
        attack = ctx.settings.attack
        margins = margin(seen, labels, attack.goal(targeted)).tolist()
        achieved = attack.achieved(seen, labels, targeted).tolist()  # Hot/Cold's targets only aim
        rows = []
        for k, i in enumerate(hits):
            success = right[k] and achieved[k]
            rows.append(
                dataclasses.replace(
                    own[i], victim=choice, eligible=right[k], success=success, margin=margins[k],
                    status="success" if success else "kept" if right[k] else "ineligible",
                    prediction=int(seen_class[k]), forwards=math.nan, backwards=math.nan,
                )
            )  # fmt: skip
        return rows

    def claims(self, table: pd.DataFrame) -> list[Claim]:
        """What section 2.1 says of Hot/Cold towards every other class; of other attacks it says nothing in general."""
        own = table[(table["victim"] == SELF) & table["eligible"]]
        attack = str(table["attack"].iloc[0]) if len(table) else ""
        if not attack.startswith("hot_cold") or "hot=0" not in attack:
            return []
        return [
            judge(
                "almost-all", share_interval(own["success"]), ">", self.params.almost_all,
                subset=attack,
                statement='section 2.1: "HC adversarial images could be generated in almost all cases"',
                quantity="share of the eligible images with an adversarial image", of_samples=True,
            )
        ]  # fmt: skip

    def summary(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rates with their intervals and denominators, norms and similarity over successes, price, causes, transfer."""
        import pandas as pd

        lines = [summarise(rows) for _, rows in table.groupby(["run", "attack"], sort=False)]
        return pd.DataFrame(lines)

    def plot(self, table: pd.DataFrame) -> Figure:
        """The share of the eligible images that a perturbation of at most some size makes adversarial."""
        from .figures.attack_survey import success_curves

        return success_curves(table[table["victim"] == SELF])


def similarities(x: Tensor, adv: Tensor) -> dict[str, list[float]]:
    """PASS and SSIM of (n, C, H, W) images in [0, 1] with their adversarial images."""
    from advlab.metrics.pass_score import pass_score
    from advlab.metrics.ssim import ssim

    return {"pass_score": pass_score(x, adv).tolist(), "ssim": ssim(x, adv).tolist()}
