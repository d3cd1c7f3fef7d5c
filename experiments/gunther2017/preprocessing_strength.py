"""Section 2.2 and 4 of gunther2017: stronger preprocessing, less than minimal adversarial images, attacks that know the defense."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

from advlab.defenses.combined import Integers
from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Cell, ChoicesOf, Cost, Experiment, Figure, Frame, InRange, NetworkContext, Settings, Stage
from advlab.statistics import Claim

from .adversarial_gallery import PAPER_NAMES
from .adversarial_stages import (
    ADAPTIVE,
    CLEAN,
    Arithmetic,
    Variant,
    adversarial_stages,
    check_attacks,
    refuse_doubled,
    variants,
)
from .preprocessing import TABLE_2
from .strength_settings import settings_of_sweeps

CHUNK = 25  # images of a cell that attacks through a defense


@dataclass(frozen=True)
class StrengthRow:
    """One image, clean or adversarial, behind one defense."""

    images: (
        str  # clean; the attack on the plain network (FGS, FGV, HC-1, ...); or adaptive: attacks that know the defense
    )
    arithmetic: str  # of the loss's gradient: exact or float32; empty where the attack follows none
    sweep: str  # what changes: shift, blur, noise, crops or half-pixel crops; beyond: the weight; or adaptive
    defense: str  # as it is typed; of a sweep, the one that is made stronger
    strength: (
        float  # pixels of the shift, sigma in pixels, noise in grey levels, number of crops; 0 where nothing is swept
    )
    factor: float  # weight of the image in units of the smallest that flips the class
    sample: int  # index in the split
    label: int  # true class
    plain: int  # class of the image without the defense; of adaptive images not known: -1
    prediction: int  # class behind the defense; of adaptive images -1
    #: of adaptive images: norm of the smallest perturbation found, of pixels in [0, 1]; inf: none was found; nan: the image is
    #: not right behind the defense. Of the defense none, the same of attacks on the plain network
    l2: float


class PreprocessingStrength(Experiment[NetworkContext]):
    """How correction by preprocessing depends on its strength, on how minimal the images are, and on what the attack knows.

    The sweeps make one technique of table 2 stronger at a time. `beyond` takes the adversarial images at 1, 1.05, 1.25 and 1.5
    times the smallest weight that flips the class: what corrects images at the boundary alone is not a defense. Then several
    attacks, averaged over draws and straight through what has no gradient, know the defense; the smallest perturbation that
    one of them finds is compared with the smallest that the same attacks find without the defense. For random defenses an
    image counts as adversarial by the mean of the logits over further draws.
    """

    name: ClassVar[str] = "preprocessing_strength"
    paper: ClassVar[str] = "gunther2017, sections 2.2 and 4"
    title: ClassVar[str] = "Preprocessing by its strength, and against attacks that know it"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = StrengthRow
    summary_keys: ClassVar[tuple[str, ...]] = ("images", "arithmetic", "sweep", "defense", "strength", "factor")

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """Strengths, factors and attacks; the paper gives none beyond table 2. Thresholds were fixed beforehand."""

        attacks: Annotated[list[str], ChoicesOf("attack")] = field(default_factory=lambda: list(PAPER_NAMES))
        #: against which images beyond the smallest weight, and attacks that know the defense, are measured
        defenses: Annotated[list[str], ChoicesOf("defense")] = field(
            default_factory=lambda: [*TABLE_2[1:], "binarize", "rescale_crops", "jpeg", "bit_depth"]
        )
        adaptive: Annotated[list[str], ChoicesOf("attack")] = field(
            default_factory=lambda: ["deepfool_refined", "fgv", "hc1"]
        )
        samples: Annotated[int, Ge(1)] = 2000  # images, the first of a seeded order
        adaptive_samples: Annotated[int, Ge(0)] = 200  # of them, attacked through each defense
        draws: Annotated[int, Ge(1)] = 10  # of random defenses, over which attacks average
        arithmetic: list[Arithmetic] = field(default_factory=lambda: ["exact", "float32"])
        integers: Integers = "nearest"  # how results become whole grey levels
        shifts: list[int] = field(default_factory=lambda: [1, 2, 3, 4])  # pixels
        sigmas: list[float] = field(default_factory=lambda: [0.5, 1.0, 1.5, 2.0, 3.0])  # pixels
        noises: list[float] = field(default_factory=lambda: [1.0, 2.0, 4.0, 8.0, 16.0, 32.0])  # grey levels
        grids: list[int] = field(
            default_factory=lambda: [2, 3, 5, 8, 12]
        )  # crops along each axis; 12 gives section 4's 144
        factors: list[float] = field(default_factory=lambda: [1.0, 1.05, 1.25, 1.5])  # of the smallest weight
        survivors: Annotated[float, Gt(0), Lt(1)] = 0.01  # "any [...] would survive" 144 crops: share below
        far_fewer: Annotated[float, Gt(0), Lt(1)] = (
            0.2  # corrected at the smallest weight, less at the largest factor: above
        )
        no_farther: Annotated[float, Gt(1)] = 1.5  # ratio of minimal norms, behind the defense to without: below

        def __post_init__(self) -> None:
            """Refuse values out of range, factors that are none, and what is named twice.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if not self.attacks or not self.defenses or not self.arithmetic:
                raise ArgumentError("attacks, defenses and arithmetic must name at least one")
            if min(self.factors, default=0) < 1:
                raise ArgumentError(f"factors must be at least 1, got {self.factors}")
            if min([*self.shifts, *self.grids], default=1) < 1 or min([*self.sigmas, *self.noises], default=1) <= 0:
                raise ArgumentError("shifts and grids must be at least 1, sigmas and noises above 0")
            refuse_doubled(self, "arithmetic", "shifts", "sigmas", "noises", "grids", "factors")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 500 images, 50 of them attacked through each defense; `tiny`: 12 and 2, and few strengths."""
        if preset == "laptop":
            return {"experiment.samples": 500, "experiment.adaptive_samples": 50}
        few = {
            "shifts": [1, 2],
            "sigmas": [0.5, 1.0],
            "noises": [1.0, 8.0],
            "grids": [2, 3],
            "factors": [1.0, 1.5],
            "draws": 2,
        }
        sizes = {"samples": 12, "adaptive_samples": 2}
        return {f"experiment.{key}": value for key, value in (few | sizes).items()} if preset == "tiny" else {}

    def check(self, settings: Settings) -> None:
        """The attacks go along one direction, and those that know the defense work on single images.

        Raises:
            ConfigError: otherwise.
        """
        from advlab.attacks.gradient_search.params import GradientSearch

        for parameter in ("attacks", "adaptive"):
            check_attacks(settings, self.name, parameter)
        for name, listed in settings.lists["attacks"].items():
            if not isinstance(listed.component, GradientSearch) or listed.component.epsilon:
                raise ConfigError(
                    f"experiment.attacks={name}: preprocessing_strength needs attacks with a smallest weight, to go beyond it: "
                    "type experiment.attacks=[fgs,fgv,hc1]"
                )

    def kinds(self, ctx: NetworkContext) -> list[Variant]:
        """The attacks on the plain network, in each arithmetic."""
        return variants(ctx.listed("attacks"), self.params.arithmetic)

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """The adversarial images of each attack; the same that `preprocessing` makes of as many images."""
        return adversarial_stages(ctx, self.kinds(ctx), ctx.order(self.params.samples))

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """The sweeps and the defenses for each kind of images, then some images a cell attacked through each defense."""
        cells = []
        sweeps = list(dict.fromkeys(setting.sweep for setting in settings_of_sweeps(self.params)))
        for images, arithmetic, stage in [
            (CLEAN, "", ""),
            *((k.images, k.arithmetic, k.id) for k in self.kinds(ctx)),
        ]:
            payload = {"images": images, "arithmetic": arithmetic, "stage": stage}
            needs = (stage,) if stage else ()
            cells += [
                Cell(f"{stage or CLEAN}-{sweep.replace(' ', '_')}", {**payload, "sweep": sweep}, needs)
                for sweep in sweeps
            ]
            cells += [
                Cell(f"{stage or CLEAN}-beyond-{defense}", {**payload, "sweep": "beyond", "defense": defense}, needs)
                for defense in ("none", *self.params.defenses)
            ]
        known = min(self.params.adaptive_samples, len(ctx.order(self.params.samples)))
        for defense in ("none", *self.params.defenses):
            for first in range(0, known, CHUNK):
                chunk = {"sweep": ADAPTIVE, "defense": defense, "first": first, "last": min(first + CHUNK, known)}
                cells.append(Cell(f"{ADAPTIVE}-{defense}-{first:05d}", chunk))
        return cells

    def cost(self, ctx: NetworkContext) -> Cost:
        """An estimate: each image behind each setting, crops by their number; and the attacks with their draws."""
        params, samples = self.params, len(ctx.order(self.params.samples))
        crops = sum(setting.forwards for setting in settings_of_sweeps(params))
        shown = crops + 2 * len(params.factors) * (1 + len(params.defenses))
        known, classes = min(params.adaptive_samples, samples), len(ctx.data.classes)
        forwards, backwards = (
            known * (1 + len(params.defenses)) * params.draws // 2 * sum(each)
            for each in zip(
                *(attack.estimated_cost(classes) for attack in ctx.listed("adaptive").values()), strict=True
            )
        )
        return Cost(samples * shown * (1 + len(self.kinds(ctx))) + forwards, backwards)

    def claims(self, table: Frame) -> list[Claim]:
        """What sections 2.2 and 4 expect of stronger preprocessing, and what its minimal images and its attacks leave of it."""
        from .strength_claims import strength_claims

        return strength_claims(self.params, table)

    def summary(self, table: Frame) -> Frame:
        """A line for each kind of images and setting: the share that is right, or the ratio of minimal norms."""
        from .strength_claims import strength_summary

        return strength_summary(table)

    def plot(self, table: Frame) -> Figure:
        """Correction against each strength and against the weight, and the ratios of minimal norms."""
        from .figures.preprocessing_strength import correction_curves

        return correction_curves(self.summary(table))
