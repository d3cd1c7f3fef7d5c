"""Section 2.2 of jetley2018: random vectors in the subspace of shared high-curvature directions as universal perturbations."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt

from advlab.attacks import UAP
from advlab.lab import Cell, Cost, Experiment, Figure, Frame, NetworkContext, Settings, Stage, frame_of
from advlab.statistics import NOT_MEASURED, Claim, judge, mean_interval
from advlab.statistics.claims import Networks

from .chosen_basis import BasisParams, basis_ids, basis_stages, is_curved, tiny_basis
from .curvature_params import CurvedBasis, SingularBasis
from .curvature_stages import TargetParams, measured_samples, source_images
from .missing_classes import of_known_classes

CURVED, NEGATIVE, HI, LO, RANDOM, UNIVERSAL = "curved", "negative", "hi", "lo", "random", "uap"

LEAST_FOOLED = 0.05  # share of the images that a UAP fools at a length, above which others are compared with it


@dataclass(frozen=True)
class UniversalRow:
    """One perturbation at one length."""

    #: curved, negative: of the most positively, most negatively curved directions; hi, lo: of the first, last singular vectors;
    #: random; uap
    perturbation: str
    draw: int  # of the random vector; 0 for uap
    share: float  # length over the mean norm of the training images
    length: float  # l2 of [0, 1] pixels
    dimensions: int  # of the subspace that it was drawn from
    images: int  # measured
    fooled: float  # share whose prediction changes
    classes: int = 0  # whose directions span the subspaces; 0: an earlier version did not say
    without: str = ""  # names of the classes that have no boundary points, and of which no directions are taken


def drawn_kinds(params: BasisParams) -> tuple[str, str, str]:
    """The kinds of random vectors, those of all image space last."""
    return (CURVED, NEGATIVE, RANDOM) if is_curved(params) else (HI, LO, RANDOM)


class CurvedUniversal(Experiment[NetworkContext]):
    """Fooling rates of random vectors of the high-curvature subspace, of a UAP and of random vectors of equal norm.

    The subspace is that of the `top` most positively curved directions of all classes together; those of the most negatively curved
    ones stand beside it. By `basis` it is that of the first singular vectors, beside that of the last ones. Images are not clipped,
    as the paper perturbs. The UAP is made on training images for each length.
    """

    name: ClassVar[str] = "curved_universal"
    paper: ClassVar[str] = "jetley2018, section 2.2"
    title: ClassVar[str] = "Random vectors of high-curvature subspaces as universal perturbations"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    one_draw: ClassVar[bool] = True
    Row: ClassVar[type] = UniversalRow
    summary_keys: ClassVar[tuple[str, ...]] = ("perturbation", "share")

    @dataclass(frozen=True, kw_only=True)
    class Params(TargetParams, BasisParams):
        """What is drawn, and the threshold of the claim, which was fixed before anything was measured."""

        basis: Literal[CurvedBasis, SingularBasis] = "auto"  # random vectors of all image space stand beside each
        top: Annotated[int, Ge(1)] = 5  # directions of each class; of singular vectors so many times the classes
        draws: Annotated[int, Ge(1)] = 20  # random vectors of each kind
        shares: list[Annotated[float, Gt(0)]] = field(default_factory=lambda: [0.1, 0.2, 0.3, 0.4, 0.6])
        samples: Annotated[int, Ge(1)] = 1000  # measured images
        uap_images: Annotated[int, Ge(1)] = 500  # training images of the UAP
        uap_passes: Annotated[int, Ge(1)] = 5
        of_uap: Annotated[float, Gt(0), Lt(1)] = 0.5  # "an alternative": mean rate over the UAP's above

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 50 points, 500 images; `tiny`: two classes, 4 points, 2 draws of one length."""
        tiny: dict[str, Any] = {
            "classes": [0, 1], "points": 4, "draws": 2, "shares": [0.3], "samples": 10, "uap_images": 8, "uap_passes": 1,
        }  # fmt: skip
        laptop: dict[str, Any] = {"points": 50, "samples": 500, "uap_images": 300}
        sizes = {"tiny": tiny, "laptop": laptop}.get(preset, {})
        return tiny_basis(preset) | {f"experiment.{name}": size for name, size in sizes.items()}

    def check(self, settings: Settings) -> None:
        """The classes exist.

        Raises:
            ConfigError: one does not.
        """
        self.params.targets(settings.dataset.class_count)

    def targets(self, ctx: NetworkContext) -> list[int]:
        """The classes whose directions are taken."""
        targets: list[int] = self.params.targets(len(ctx.data.classes))
        return targets

    def uap(self, length: float) -> UAP:
        """The universal perturbation of a length, in l2."""
        return UAP(norm="l2", epsilon=length, passes=self.params.uap_passes, fooling=1.0)

    def prepare(self, ctx: NetworkContext) -> dict[str, Any]:
        """The mean norm of the images that bases and UAP are made of."""
        return self.measurement().prepare(self, ctx)

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """Points and basis of each class, and a UAP for each length."""
        from .universal_stage_measure import make_uap  # loads torch

        stages = basis_stages(ctx, self.params, self.targets(ctx))
        images, samples = source_images(ctx)
        # a split that is measured, of which UAPs are made of a half, may be another run's training split
        half: dict[str, Any] = {} if len(samples) == len(images) else {"half": True}
        for i, share in enumerate(self.params.shares):
            attack = self.uap(share * ctx.prepared["norm"])
            key = ctx.key(
                images=images, version=1, seed=ctx.settings.run.seed, attack=attack, count=self.params.uap_images, **half
            )  # fmt: skip
            make = partial(make_uap, ctx, attack, self.params.uap_images)
            count = self.params.uap_images * self.params.uap_passes
            stages.append(Stage(f"uap-{i}", key, make, Cost(10 * count, 20 * count), kind="jetley2018_uap"))
        return stages

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One a length."""
        bases = basis_ids(self.params, self.targets(ctx))
        return [
            Cell(f"share-{i}", {"place": i, "share": share}, stages=(*bases, f"uap-{i}"))
            for i, share in enumerate(self.params.shares)
        ]

    def cost(self, ctx: NetworkContext) -> Cost:
        """A forward for each image and perturbation."""
        samples = len(measured_samples(ctx, self.params.samples))
        return Cost(forwards=samples * len(self.params.shares) * (3 * self.params.draws + 2))

    def claims(self, table: Frame) -> list[Claim]:
        """At each length: curved vectors fool more often than random ones, and about as often as a UAP."""
        statement = 'section 2.2: universal adversaries "can be constructed as random vectors in the subspace of shared ' \
            'high-curvature dimensions"'  # fmt: skip
        drawn, claims = drawn_kinds(self.params), []
        networks: Networks = "all" if is_curved(self.params) else ""
        if not networks:
            statement += ", taken to singular vectors of perturbations or gradients"
        for share, rows in table.groupby("share", sort=False) if len(table) else []:
            rates = {kind: rows.loc[rows["perturbation"] == kind, "fooled"].to_numpy() for kind in (*drawn, UNIVERSAL)}
            for kind in drawn[:2]:
                subset = f"{kind}, {share:g} of the norm"
                claims.append(
                    judge(
                        "above-random", mean_interval(rates[kind] - rates[RANDOM], least=-1, most=1), ">", 0,
                        subset=subset, networks=networks,
                        statement=statement + ": control, random vectors of equal norm",
                        quantity="mean over draws of the share fooled, less that of a random vector",
                    )
                )  # fmt: skip
                best = float(rates[UNIVERSAL].max())
                interval = (
                    mean_interval(rates[kind] / best, least=0, most=1 / best) if best > LEAST_FOOLED else NOT_MEASURED
                )
                claims.append(
                    judge(
                        "near-uap", interval, ">", self.params.of_uap, subset=subset, networks=networks,
                        statement=statement + ' "as an alternative to" UAP',
                        quantity="mean over draws of the share fooled, over that of the UAP of equal norm",
                    )
                )  # fmt: skip
        return of_known_classes(claims, table)

    def summary(self, table: Frame) -> Frame:
        """Mean, smallest and largest share fooled of each kind and length."""
        groups = table.groupby(["run", "perturbation", "share"], sort=False) if len(table) else []
        return frame_of(
            [
                {
                    "run": run, "perturbation": kind, "share": share, "length": rows["length"].iloc[0],
                    "dimensions": int(rows["dimensions"].iloc[0]), "fooled": float(np.mean(rows["fooled"])),
                    "least": rows["fooled"].min(), "most": rows["fooled"].max(),
                }
                for (run, kind, share), rows in groups
            ]
        )  # fmt: skip

    def plot(self, table: Frame) -> Figure:
        """Share fooled against the length, a panel a run."""
        from .figures.curved_universal import curved_universal

        return curved_universal(table)
