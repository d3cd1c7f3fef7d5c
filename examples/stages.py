"""An experiment with stages: adversarial images are made once, kept for other runs, and shown to several defenses.

advlab --plugin examples/stages.py experiment=undone_attacks run.preset=tiny
advlab --plugin examples/stages.py experiment=undone_attacks experiment.attacks=[fgv,hc1] experiment.defenses=[round]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
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
    frame_of,
)
from advlab.statistics import Claim, judge, share_interval


@dataclass(frozen=True)
class UndoneRow:
    """One adversarial image behind one defense."""

    attack: str  # as it is typed
    defense: str  # as it is typed
    sample: int  # index in the split
    label: int  # true class
    prediction: int  # class behind the defense; the number of classes where the image is rejected
    linf: float  # largest change of a pixel by the attack, of pixels in [0, 1]


@advlab.experiment
class UndoneAttacks(Experiment[NetworkContext]):
    """Share of adversarial images that are classified correctly behind a defense which the attack does not know.

    Each attack runs once on the run's network, on the first images of a seeded order; those that it fools go through each
    defense. The images of an attack are a stage. This says nothing of attacks that know the defense: those are made by
    `ctx.attack(..., network=ctx.defended(defense))`.
    """

    name: ClassVar[str] = "undone_attacks"
    paper: ClassVar[str] = "an example, after gunther2017, table 2"
    title: ClassVar[str] = "Adversarial images that a defense undoes"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = UndoneRow

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """What is attacked, and what defends."""

        attacks: Annotated[list[str], ChoicesOf("attack")] = field(default_factory=lambda: ["fgs", "deepfool"])
        defenses: Annotated[list[str], ChoicesOf("defense")] = field(default_factory=lambda: ["blur", "noise"])
        samples: Annotated[int, Ge(1)] = 1000  # images
        undone: Annotated[float, Gt(0), Lt(1)] = 0.5  # claim "most": share above; fixed beforehand

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 200 images; `tiny`: 20."""
        return {"tiny": {"experiment.samples": 20}, "laptop": {"experiment.samples": 200}}.get(preset, {})

    def check(self, settings: Settings) -> None:
        """Every attack works on single images, towards any class.

        Raises:
            ConfigError: otherwise.
        """
        for name, listed in settings.lists["attacks"].items():
            attack = listed.component
            if not isinstance(attack, Attack) or attack.targeted == "always" or attack.set_level:
                raise ConfigError(
                    f"experiment.attacks={name}: undone_attacks needs attacks on single images towards any class: type "
                    "experiment.attacks=[fgs,deepfool]"
                )

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """The adversarial images of each attack."""
        samples, stages = ctx.order(self.params.samples), []
        for name, attack in ctx.listed("attacks").items():
            forwards, backwards = (len(samples) * each for each in attack.estimated_cost(len(ctx.data.classes)))
            key = ctx.key(version=1, attack=attack, samples=samples)  # with weights and data, without the defenses
            make = partial(self.adversarial, ctx, attack, samples)
            stages.append(Stage(name, key, make, Cost(forwards, backwards), kind="undone-adversarial"))
        return stages

    def adversarial(self, ctx: NetworkContext, attack: Attack, samples: list[int]) -> tuple[Arrays, dict[str, int]]:
        """Arrays and facts of a stage: all (N, C, H, W) images as the attack returned them, and (N,) whether it succeeded."""
        result = ctx.attack(attack, *ctx.images_and_labels(samples))
        return {"adv": result.adv.cpu().numpy(), "success": result.success.cpu().numpy()}, {"forwards": result.forwards}

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One an attack and defense; each needs the images of its attack."""
        pairs = [(attack, defense) for attack in self.params.attacks for defense in self.params.defenses]
        return [Cell(f"{a}-{d}", {"attack": a, "defense": d}, stages=(a,)) for a, d in pairs]

    def measure(self, ctx: NetworkContext, cell: Cell) -> list[UndoneRow]:
        """The answers behind the defense to the images that fooled the network without it."""
        import torch  # a plug-in is loaded to be listed as well, which need not wait for torch

        attack, defense = cell.payload["attack"], cell.payload["defense"]
        arrays, samples = ctx.stage(attack).arrays, ctx.order(self.params.samples)
        images, labels = ctx.images_and_labels(samples)
        adv = torch.as_tensor(arrays["adv"]).to(images)
        forward = ctx.defended(ctx.listed("defenses")[defense])
        predictions = forward(adv).argmax(1).tolist()
        linf = (adv - images).abs().flatten(1).amax(1).tolist()
        return [
            UndoneRow(attack, defense, samples[i], int(labels[i]), predictions[i], linf[i])
            for i in range(len(samples)) if arrays["success"][i]
        ]  # fmt: skip

    def cost(self, ctx: NetworkContext) -> Cost:
        """A forward an image, attack and defense; the stages name their own."""
        pairs = len(self.params.attacks) * len(self.params.defenses)
        return Cost(forwards=pairs * len(ctx.order(self.params.samples)))

    def claims(self, table: Frame) -> list[Claim]:
        """Each defense undoes most images of each attack: one statement, which the run judges by intervals that cover together."""
        pairs = [(attack, defense) for attack in self.params.attacks for defense in self.params.defenses]
        claims = []
        for attack, defense in pairs:
            rows = table[(table["attack"] == attack) & (table["defense"] == defense)]
            interval = share_interval(rows["prediction"] == rows["label"])
            claims.append(
                judge(
                    "undone", interval, ">", self.params.undone, subset=f"{attack}, {defense}",
                    statement="a defense makes most adversarial images right again",
                    quantity="share of the adversarial images that the defense makes right",
                )
            )  # fmt: skip
        return claims

    def summary(self, table: Frame) -> Frame:
        """Share of undone images, with its interval, of each run, attack and defense."""
        return frame_of(
            [
                {"run": run, "attack": a, "defense": d, **share_interval(rows["prediction"] == rows["label"])._asdict()}
                for (run, a, d), rows in table.groupby(["run", "attack", "defense"], sort=False)
            ]
        )

    def plot(self, table: Frame) -> Figure:
        """A point with its interval for each attack and defense, a colour for each run."""
        from matplotlib.figure import Figure as Canvas  # half a second, which listing need not wait for

        from advlab.plotting.style import COLUMN, LINES, literal

        figure = Canvas(figsize=(COLUMN, 2.2), layout="constrained")
        axes = figure.subplots()
        runs = self.summary(table).groupby("run", sort=False) if len(table) else []  # no attack may have succeeded
        for colour, (run, rows) in zip(cycle(LINES), runs, strict=False):
            bars, names = (
                [rows["estimate"] - rows["low"], rows["high"] - rows["estimate"]],
                rows["attack"] + "\n" + rows["defense"],
            )
            axes.errorbar(names, rows["estimate"], bars, fmt="o", capsize=3, color=colour, label=literal(str(run)))
        axes.set_ylabel("share of images undone")
        if len(table):
            figure.legend(loc="outside upper center")
        return figure
