"""A newcomer's experiment over attacks and defenses, a stage for each attack: one file, written from CONTRIBUTING.md alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

import advlab
from advlab.attacks import Attack
from advlab.errors import ConfigError
from advlab.lab import (
    Arrays,
    Cell,
    ChoicesOf,
    Cost,
    Experiment,
    Figure,
    Frame,
    InRange,
    NetworkContext,
    Settings,
    Stage,
)  # fmt: skip
from advlab.statistics import Claim, judge, share_interval


@dataclass(frozen=True)
class OverlapRow:
    """One image, clean and attacked, behind one defense."""

    attack: str  # as it is typed
    defense: str  # as it is typed
    sample: int  # index in the split
    fooled: bool  # the attack succeeds on the undefended network
    restored: bool  # fooled, and classified as its label behind the defense
    clean: bool  # the clean image is classified as its label behind the defense


@advlab.experiment
class RobustOverlap(Experiment[NetworkContext]):
    """Adversarial images of the undefended network behind defenses that the attack does not know; clean ones beside."""

    name: ClassVar[str] = "robust_overlap"
    paper: ClassVar[str] = "after gunther2017, table 2"
    title: ClassVar[str] = "Adversarial images that defenses make right again"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = OverlapRow

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """What is attacked, and what defends."""

        attacks: Annotated[list[str], ChoicesOf("attack")] = field(default_factory=lambda: ["fgs", "deepfool"])
        defenses: Annotated[list[str], ChoicesOf("defense")] = field(default_factory=lambda: ["blur", "noise"])
        samples: Annotated[int, Ge(1)] = 1000  # images
        undone: Annotated[float, Gt(0), Lt(1)] = 0.5  # claim: share above; fixed beforehand

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 200 images; `tiny`: 20."""
        return {"tiny": {"experiment.samples": 20}, "laptop": {"experiment.samples": 200}}.get(preset, {})

    def check(self, settings: Settings) -> None:
        """The network is undefended; every attack works on single images."""
        if settings.choice_name("defense") != "none":
            raise ConfigError("robust_overlap attacks the undefended network: type defense=none")
        for name, attack in ((name, listed.component) for name, listed in settings.lists["attacks"].items()):
            if not isinstance(attack, Attack) or attack.targeted == "always" or attack.set_level:
                raise ConfigError(f"robust_overlap takes no attack {name}: type experiment.attacks=[fgs,deepfool]")

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """The adversarial images of each attack."""
        samples, stages = ctx.order(self.params.samples), []
        for name, attack in ctx.listed("attacks").items():
            cost = Cost(*(len(samples) * each for each in attack.estimated_cost(len(ctx.data.classes))))
            key = ctx.key(version=1, attack=attack, samples=samples)
            stages.append(Stage(name, key, partial(self._attacked, ctx, attack, samples), cost, kind="robust-overlap"))
        return stages

    def _attacked(self, ctx: NetworkContext, attack: Attack, samples: list[int]) -> tuple[Arrays, dict[str, int]]:
        result = ctx.attack(attack, *ctx.images_and_labels(samples))
        return {"adv": result.adv.cpu().numpy(), "success": result.success.cpu().numpy()}, {}

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One an attack and defense."""
        pairs = product(self.params.attacks, self.params.defenses)
        return [Cell(f"{a}-{d}", {"attack": a, "defense": d}, stages=(a,)) for a, d in pairs]

    def measure(self, ctx: NetworkContext, cell: Cell) -> list[OverlapRow]:
        """The answers behind the defense to the clean images and to those of the stage."""
        attack, defense = cell.payload["attack"], cell.payload["defense"]
        arrays, samples = ctx.stage(attack).arrays, ctx.order(self.params.samples)
        images, labels = ctx.images_and_labels(samples)
        forward = ctx.defended(ctx.listed("defenses")[defense])
        clean, again = (forward(x).argmax(1) == labels for x in (images, images.new_tensor(arrays["adv"])))
        fooled = arrays["success"].tolist()
        columns = zip(samples, fooled, again.tolist(), clean.tolist(), strict=True)
        return [OverlapRow(attack, defense, i, hit, hit and right, first) for i, hit, right, first in columns]

    def cost(self, ctx: NetworkContext) -> Cost:
        """Two forwards an image, attack and defense."""
        return Cost(forwards=2 * len(self.cells(ctx)) * len(ctx.order(self.params.samples)))

    def claims(self, table: Frame) -> list[Claim]:
        """Each defense undoes more than half of the adversarial images of each attack; together (Bonferroni)."""
        claims, level = [], 1 - 0.05 / max(1, len(self.params.attacks) * len(self.params.defenses))
        for a, d in product(self.params.attacks, self.params.defenses):
            hits = table.loc[(table["attack"] == a) & (table["defense"] == d) & table["fooled"], "restored"]
            interval, name, words = (
                share_interval(hits, confidence=level),
                f"undone-{d}",
                f"share right again behind {d}",
            )
            claims.append(
                judge(name, interval, ">", self.params.undone, subset=a, statement="most undone", quantity=words)
            )
        return claims

    def plot(self, table: Frame) -> Figure:
        """The share of each attack's images that each defense undoes, as bars."""
        from matplotlib.figure import Figure as Canvas

        figure = Canvas(layout="constrained")
        shares = table[table["fooled"]].groupby(["attack", "defense", "run"])["restored"].mean()
        axes = figure.subplots()
        axes.bar([" ".join(names) for names in shares.index], shares)
        axes.set(ylim=(0, 1), ylabel="share of images undone")
        return figure
