"""What experiments share that follow class scores along curvature directions: parameters, the plan, the range of s."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt

from advlab.errors import ConfigError
from advlab.lab import Cell, Cost, Experiment, NetworkContext, Settings, Stage

from .chosen_basis import BasisParams, basis_ids, basis_stages, directions_of_a_kind, is_curved, singular_source
from .curvature_stages import TargetParams, measured_samples
from .missing_classes import row_without_points
from .saturation import DOUBLINGS, range_id

RANGE_IMAGES = 500  # on which the range of s is sought, at most


@dataclass(frozen=True, kw_only=True)
class DirectionParams(TargetParams, BasisParams):
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


def kinds_of(params: BasisParams) -> tuple[str, ...]:
    """The kinds of directions along which scores are followed; random ones stand last, the most active first.

    Flat ones that are not known are called complement. Singular vectors and random directions belong to no class: hi and lo are
    those of the largest and the smallest singular values.
    """
    if is_curved(params):
        return ("positive", "negative", "flat", "random")
    return ("hi", "lo", "random") if singular_source(params) else ("random",)


class AlongDirections(Experiment[NetworkContext]):
    """A cell for each target class and direction: most positively and most negatively curved, flattest, and random.

    Of another basis than one of curvature: the first and the last singular vectors, or random directions alone.
    """

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
        known = directions_of_a_kind(self.params, size)
        if self.params.directions > known:
            name = "pairs" if is_curved(self.params) else "basis_images"
            raise ConfigError(
                f"experiment.directions={self.params.directions}: a basis has {known} directions of either end: "
                f"type experiment.directions={known}, or experiment.{name}={self.params.directions}"
                f"{' of a Lanczos basis' if name == 'pairs' else ' where images have more values'}"
            )
        stages = basis_stages(ctx, self.params, targets)
        return stages if self.params.range else [*stages, *(self._range_stage(ctx, c) for c in targets)]

    def _range_stage(self, ctx: NetworkContext, target: int) -> Stage:
        """Shares of samples at doubled lengths along the most positive and the most negative direction, or hi and lo, or random."""
        from .along_directions_measure import shares_at_doubled_lengths  # loads torch

        samples = measured_samples(ctx, min(self.params.samples, RANGE_IMAGES))
        kinds, ids = kinds_of(self.params)[:2], basis_ids(self.params, [target])
        basis = {} if is_curved(self.params) else {"basis": self.params.basis, "seed": ctx.settings.run.seed}
        key = ctx.key(version=1, target=target, samples=samples, cap=self.params.cap, **basis)
        make = partial(shares_at_doubled_lengths, ctx, self.params, target, kinds, samples, self.params.cap)
        cost = Cost(forwards=len(samples) * len(kinds) * (2 * (DOUBLINGS + 1) + 1))
        return Stage(range_id(target), key, make, cost, kind="score_range", stages=ids)

    def samples(self, ctx: NetworkContext) -> list[int]:
        """Indices of the images that are moved."""
        return measured_samples(ctx, self.params.samples)

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One a class and direction."""
        cells = []
        for target in self.targets(ctx):
            ids = basis_ids(self.params, [target])
            needed = ids if self.params.range else (*ids, range_id(target))
            for kind in kinds_of(self.params):
                control = kind == "random" and self.params.basis != "random"
                for index in range(1, 2 if control else self.params.directions + 1):
                    payload = {"target": target, "kind": kind, "index": index}
                    cells.append(Cell(f"{target}-{kind}-{index}", payload, stages=needed))
        return cells

    def rows_without_points(self, ctx: NetworkContext, cell: Cell) -> list[Any]:
        """The row of a class without boundary points, in the first of its cells; the others have none."""
        target = cell.payload["target"]
        if (cell.payload["kind"], cell.payload["index"]) != (kinds_of(self.params)[0], 1):
            return []
        return [row_without_points(self.Row, target=target, target_name=ctx.data.classes[target])]

    def drawn_classes(self, ctx: NetworkContext) -> set[int]:
        """The classes in the figure: drawn by the run's seed, as the paper's are randomly selected."""
        import numpy as np  # the plan needs none

        targets = list(self.targets(ctx))
        return set(
            np.random.default_rng([ctx.settings.run.seed, 2018]).permutation(targets)[: self.params.drawn].tolist()
        )
