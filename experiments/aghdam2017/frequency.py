"""Section 2.2 of aghdam2017: what a convolution, max-pooling and a radial basis function make of permuted inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Interval, Le

from advlab.errors import ArgumentError
from advlab.lab import Cell, Cost, Experiment, Figure, Frame, InRange, RunContext
from advlab.statistics import Claim

from .convolution import check_lengths, compare, permute, radial
from .frequency_claims import judge_convolutions, judge_pooling, judge_radial

CELL_SAMPLES = 25
RADIAL_UNITS = (1, 10)  # numbers of units of the radial basis function networks


@dataclass(frozen=True)
class FrequencyRow:
    """One (sample, system, change, share, length): a system and two inputs x1, x2 of the same length.

    With a = K * x1 and b = K * x2, circular. Of the radial basis function networks only `distance` is measured. What
    compares outputs that do not vary (the all-ones kernel) or are zero (stripes) is nan.
    """

    sample: int  # seed of the kernel, of x1 and of the change
    system: str  # kernel: random, delta, ones (full size), pair; or rbf-1, rbf-10: a network of so many units
    change: str  # x2 of x1: permutation, shift, stripes; of an rbf: directions around its `centre`, or `away` from it
    share: float  # of the elements that are permuted
    length: float  # ||x1|| = ||x2||
    positive: int  # elements of the kernel above 0
    distance: float  # ||a - b||; of an rbf, the range of its output over the directions
    predicted: float = math.nan  # N^(-1/2) ||K^ (x1^ - x2^)||, which must be the same
    gain: float = math.nan  # ||a - b|| / (max |K^| ||x1 - x2||), 0 to 1
    #: the same with the values of a and of b sorted: 0 when they are the same values in other places
    sorted_gain: float = math.nan
    spectrum: float = math.nan  # ||x1^ - x2^|| / (||x1^|| + ||x2^||)
    amplitudes: float = math.nan  # || |x1^| - |x2^| || / (||x1^|| + ||x2^||)
    dc: float = math.nan  # |sum x1 - sum x2| / (N^(1/2) ||x1||)
    energy: float = math.nan  # | ||x1^||^2 - ||x2^||^2 | / ||x1^||^2
    rms: float = math.nan  # root mean square of a - b
    relative: float = math.nan  # ||a - b|| / (||a|| + ||b||)
    decorrelation: float = math.nan  # 1 - Pearson correlation of a and b
    pooled_rms: float = math.nan  # the three again after max-pooling a and b
    pooled_relative: float = math.nan
    pooled_decorrelation: float = math.nan


class Frequency(Experiment[RunContext]):
    """Section 2.2: "convolving the same filter with permuted inputs does not produce identical results".

    Its argument in numbers, and the cases for which its statements do not hold. x1 ~ U(-1, 1)^N scaled to a length, N
    pixels on a ring in both directions. "More dissimilar" after pooling is measured in three ways, since the paper names
    none: root mean square difference (per value: pooling leaves fewer), relative distance ||a-b|| / (||a||+||b||), and
    1 - correlation, the only one that a shift of the mean, which every maximum brings, leaves alone.
    """

    name: ClassVar[str] = "frequency"
    paper: ClassVar[str] = "aghdam2017, section 2.2"
    title: ClassVar[str] = "Convolution, max-pooling and radial basis functions on permuted inputs"
    uses: ClassVar[tuple[str, ...]] = ()
    Row: ClassVar[type] = FrequencyRow
    summary_keys: ClassVar[tuple[str, ...]] = ("system", "change", "share")

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """Sizes, and thresholds fixed before anything was measured; the paper gives neither."""

        samples: Annotated[int, Ge(1)] = 100  # kernels, each with an x1 and its changes
        #: pixels a side, even: stripes of alternating sign must close on the ring
        size: Annotated[int, Interval(ge=4, le=128)] = 28
        kernel: Annotated[int, Ge(2)] = 5  # elements a side of the random kernel
        window: Annotated[int, Ge(2)] = 2  # of max-pooling, which does not overlap
        #: epsilon to R (eq 4)
        lengths: list[Annotated[float, Gt(0)]] = field(default_factory=lambda: [0.1, 1.0, 2.0, 5.0, 10.0, 20.0])
        #: of the elements permuted
        shares: list[Annotated[float, Gt(0), Le(1)]] = field(default_factory=lambda: [0.1, 0.25, 0.5, 1.0])
        directions: Annotated[int, Ge(2)] = 100  # T, around a point of a radial basis function network
        #: sigma of exp(-||x - c||^2 / (2 sigma^2)), norm of the centres, and distance of `away`
        width: Annotated[float, Gt(0)] = 10.0
        identical: Annotated[float, Gt(0)] = 1e-9  # numbers below are zero (they are float64 rounding, some 1e-15)
        #: "more comparable" near zero: the difference grows with length to a power above this
        exponent: Annotated[float, Gt(0)] = 0.5
        growth: Annotated[float, Gt(0)] = 1.05  # "more dissimilar": median of after / before pooling above

        def __post_init__(self) -> None:
            """Refuse values out of range, and sizes, lengths and shares that do not fit each other.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if self.size % 2:
                raise ArgumentError(f"size must be even, got {self.size}")
            if self.kernel > self.size:
                raise ArgumentError(f"kernel must be at most size, got {self.kernel} of {self.size}")
            if self.size % self.window or self.size == self.window:
                raise ArgumentError(f"window must divide size into several, got {self.window} of {self.size}")
            check_lengths(self.lengths)
            if not self.shares or self.shares != sorted(set(self.shares)) or self.shares[-1] != 1:
                raise ArgumentError(f"shares must be ascending and end with 1, got {self.shares}")
            if round(self.shares[0] * self.size**2) < 2:
                raise ArgumentError(
                    f"shares: {self.shares[0]:g} of {self.size**2} elements are fewer than two to permute"
                )

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`tiny`: 6 samples."""
        return {"tiny": {"experiment.samples": 6}}.get(preset, {})

    def cells(self, ctx: RunContext) -> list[Cell]:
        """Some samples a cell."""
        starts = range(0, self.params.samples, CELL_SAMPLES)
        return [
            Cell(f"samples-{i:05d}", {"samples": list(range(self.params.samples))[i : i + CELL_SAMPLES]})
            for i in starts
        ]

    def cost(self, ctx: RunContext) -> Cost:
        """No network."""
        return Cost()

    def measure(self, ctx: RunContext, cell: Cell) -> list[FrequencyRow]:
        """The rows of the cell's samples, each drawn from (seed, sample) alone."""
        seed = ctx.settings.run.seed
        rows = []
        for sample in cell.payload["samples"]:
            rows += self._convolutions(sample, np.random.default_rng([seed, sample, 0]))
            rows += self._radial(sample, np.random.default_rng([seed, sample, 1]))
        return rows

    def _convolutions(self, sample: int, rng: np.random.Generator) -> list[FrequencyRow]:
        """Rows of the four kernels, each with the inputs x1 and x2 of its cases, at every length."""
        params = self.params
        side = (params.size, params.size)
        lengths = np.array(params.lengths)[:, None, None]
        noise = rng.uniform(-1, 1, side)
        x = lengths * noise / np.linalg.norm(noise)
        permuted = {share: permute(x, share, rng) for share in params.shares}
        rows, columns = rng.integers(1, params.size, 2)
        stripes = lengths * np.broadcast_to((-1.0) ** np.arange(params.size), side) / params.size
        kernels = {
            "random": rng.standard_normal((params.kernel, params.kernel)), "delta": np.ones((1, 1)), "ones": np.ones(side),
            "pair": np.ones((1, 2)),
        }  # fmt: skip
        cases = [("random", "permutation", share, x, permuted[share]) for share in params.shares]
        cases += [
            ("random", "shift", 1.0, x, np.roll(x, (rows, columns), (-2, -1))),
            ("delta", "permutation", 1.0, x, permuted[1.0]),
            ("ones", "permutation", 1.0, x, permuted[1.0]),
            ("pair", "stripes", 1.0, stripes, np.roll(stripes, 1, -1)),
        ]
        return [
            FrequencyRow(
                sample=sample, system=system, change=change, share=share, length=length,
                positive=int((kernels[system] > 0).sum()), **measured,
            )
            for system, change, share, x1, x2 in cases
            for length, measured in zip(params.lengths, compare(kernels[system], x1, x2, params.window), strict=True)
        ]  # fmt: skip

    def _radial(self, sample: int, rng: np.random.Generator) -> list[FrequencyRow]:
        """Rows of the radial basis function networks, around a centre and away from it, at every length."""
        params = self.params
        size = params.size**2
        centres = rng.uniform(-1, 1, (max(RADIAL_UNITS), size))
        centres *= params.width / np.linalg.norm(centres, axis=1, keepdims=True)
        aside, v = rng.uniform(-1, 1, size), rng.uniform(-1, 1, (params.directions, size))
        away = centres[0] + params.width * aside / np.linalg.norm(aside)
        v /= np.linalg.norm(v, axis=1, keepdims=True)
        # the first unit, of weight 1, is the one whose centre is looked at
        weights = np.concatenate([[1.0], rng.standard_normal(max(RADIAL_UNITS) - 1)])
        rows = []
        for units in RADIAL_UNITS:
            for change, point in (("centre", centres[0]), ("away", away)):
                for length in params.lengths:
                    out = radial(point + length * v, centres[:units], weights[:units], params.width)
                    rows.append(
                        FrequencyRow(
                            sample=sample, system=f"rbf-{units}", change=change, share=1.0, length=length, positive=0,
                            distance=float(np.ptp(out)),
                        )
                    )  # fmt: skip
        return rows

    def claims(self, table: Frame) -> list[Claim]:
        """The statements of section 2.2's last paragraphs, each with the cases that decide it."""
        params = self.params
        return [
            *judge_convolutions(table, identical=params.identical, exponent=params.exponent),
            *judge_pooling(table, shares=(params.shares[0], 1.0), growth=params.growth),
            *judge_radial(table, identical=params.identical, directions=params.directions),
        ]

    def summary(self, table: Frame) -> Frame:
        """Medians over samples at the largest length; `error`: |distance - predicted| / ||x||."""
        last = table[(table["length"] == table["length"].max()) & table["predicted"].notna()]
        error = (last["distance"] - last["predicted"]).abs() / last["length"]
        columns = ["error", "gain", "sorted_gain", "spectrum", "amplitudes", "dc", "energy"]
        groups = last.assign(error=error).groupby(["run", "system", "change", "share"], sort=False)
        return groups[columns].median().reset_index()

    def plot(self, table: Frame) -> Figure:
        """Difference against length, the counterexamples, pooling, and the radial basis functions."""
        from .figures.frequency import permuted_inputs

        return permuted_inputs(table)
