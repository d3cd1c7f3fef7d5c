"""What experiments share that follow class scores along curvature directions: parameters, the plan, the range of s."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Lt

from advlab.errors import ConfigError
from advlab.lab import Cell, Cost, Experiment, NetworkContext, Settings, Stage

from .curvature_stages import TargetParams, curvature_stages, is_dense, measured_samples, stage_id
from .saturation import DOUBLINGS, range_id

KINDS = ("positive", "negative", "flat", "random")  # directions; flat ones that are not known are called complement
RANGE_IMAGES = 500  # on which the range of s is sought, at most


@dataclass(frozen=True, kw_only=True)
class DirectionParams(TargetParams):
    """Which scores are followed along which directions, and how far.

    Lengths are those of images with pixels in [0, 1]; the paper's CIFAR has pixels in 0..255, where they are 255 times as long.
    """

    directions: Annotated[int, Ge(1)] = 2  # of each kind and class; figure 2 draws two as images
    samples: Annotated[int, Ge(1)] = 10000  # images of the measured split, in the run's seeded order
    steps: Annotated[int, Ge(2)] = 20  # lengths on either side of 0
    range: Annotated[float, Ge(0)] = 0.0  # the longest |s|; 0: up to saturation
    #: the longest |s| that is tried, as a root-mean-square change of the pixels: s = cap sqrt(D)
    cap: Annotated[float, Gt(0)] = 0.5
    saturation: Annotated[float, Gt(0), Lt(1)] = 0.05  # shares of samples that differ by less are the same
    drawn: Annotated[int, Ge(1)] = 1  # classes in the figure, the first of the run's seeded order: the paper draws one
    most: Annotated[float, Gt(0), Lt(1)] = (
        0.5  # "similar directions exist for all other classes": share of classes above
    )


class AlongDirections(Experiment[NetworkContext]):
    """A cell for each target class and direction: most positively and most negatively curved, flattest, and random."""

    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    one_draw: ClassVar[bool] = True

    def check(self, settings: Settings) -> None:
        """The classes exist.

        Raises:
            ConfigError: one does not.
        """
        super().check(settings)
        self.params.targets(settings.dataset.class_count)

    def targets(self, ctx: NetworkContext) -> list[int]:
        """The target classes."""
        targets: list[int] = self.params.targets(len(ctx.data.classes))
        return targets

    def stages(self, ctx: NetworkContext) -> list[Stage]:
        """The curvature bases of all classes, and the range of s of each.

        Raises:
            ConfigError: a basis has fewer directions of a kind than are asked for.
        """
        targets, size = self.targets(ctx), ctx.values_per_image
        known = size if is_dense(self.params, size) else self.params.pairs
        if self.params.directions > known:
            raise ConfigError(
                f"experiment.directions={self.params.directions}: a basis has {known} directions of either end: "
                f"type experiment.directions={known}, or experiment.pairs={self.params.directions} of a Lanczos basis"
            )
        stages = curvature_stages(ctx, self.params, targets)
        return stages if self.params.range else [*stages, *(self._range_stage(ctx, c) for c in targets)]

    def _range_stage(self, ctx: NetworkContext, target: int) -> Stage:
        """Shares of samples at doubled lengths along the most positive and the most negative direction."""
        from .along_directions_measure import shares_at_doubled_lengths  # loads torch

        samples = measured_samples(ctx, min(self.params.samples, RANGE_IMAGES))
        key = ctx.key(version=1, target=target, samples=samples, cap=self.params.cap)
        make = partial(shares_at_doubled_lengths, ctx, target, samples, self.params.cap)
        cost = Cost(forwards=len(samples) * (4 * (DOUBLINGS + 1) + 1))
        return Stage(range_id(target), key, make, cost, kind="score_range", stages=(stage_id(target),))

    def samples(self, ctx: NetworkContext) -> list[int]:
        """Indices of the images that are moved."""
        return measured_samples(ctx, self.params.samples)

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One a class and direction."""
        cells = []
        for target in self.targets(ctx):
            needed = (stage_id(target),) if self.params.range else (stage_id(target), range_id(target))
            for kind in KINDS:
                for index in range(1, 2 if kind == "random" else self.params.directions + 1):
                    payload = {"target": target, "kind": kind, "index": index}
                    cells.append(Cell(f"{target}-{kind}-{index}", payload, stages=needed))
        return cells

    def drawn_classes(self, ctx: NetworkContext) -> set[int]:
        """The classes in the figure: drawn by the run's seed, as the paper's are randomly selected."""
        import numpy as np  # the plan needs none

        targets = list(self.targets(ctx))
        return set(
            np.random.default_rng([ctx.settings.run.seed, 2018]).permutation(targets)[: self.params.drawn].tolist()
        )
