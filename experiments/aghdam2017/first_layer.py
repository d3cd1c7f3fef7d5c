"""Section 2.2 of aghdam2017 on networks: what their first convolution and max-pooling make of permuted perturbations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt

from advlab.lab import Cell, Cost, Experiment, Figure, Frame, InRange, NetworkContext
from advlab.statistics import Claim, Interval, judge, median_interval

from .convolution import check_lengths

CELL_SAMPLES = 25
MEASURES = {"rms": "root mean square difference", "relative": "relative distance", "decorrelation": "1 - correlation"}
SECTION = "section 2.2: "


@dataclass(frozen=True)
class FirstLayerRow:
    """One (sample, kernels, base, length): outputs a and b of the first convolution for base + v and base + permuted v.

    Numbers are over all channels; everything is computed in float64.
    """

    sample: int  # index in the split, and seed of v, of its permutation and of random kernels
    layer: str  # name of the convolution
    kernels: str  # network: its own; random: normal ones, each as long as the network's
    base: str  # what v is added to: the image, or black, of which the paper argues
    length: float  # ||v||, L2, pixels in [0, 1]
    distance: float  # ||a - b||
    #: ||a - b|| / (||a - o|| + ||b - o||), o the output for the base: 0 for equal outputs, 1 for opposite changes
    changes: float
    #: the same with the values of a - o and of b - o sorted: 0 when they are the same values in other places
    sorted_changes: float
    rms: float  # root mean square of a - b
    relative: float  # ||a - b|| / (||a|| + ||b||)
    decorrelation: float  # 1 - Pearson correlation of a and b, mean over the channels
    pool: str  # window and stride of max-pooling
    pooled_rms: float  # the three again after max-pooling a and b
    pooled_relative: float
    pooled_decorrelation: float


class FirstLayer(Experiment[NetworkContext]):
    """Section 2.2: "output of the first convolution layer in a ConvNet will not be similar" for permuted inputs.

    `frequency` shows the argument on single random kernels; here are the networks' own, with their strides, padding and
    biases, on images of the dataset, beside random kernels of the same lengths. v ~ U(-1, 1)^D is scaled to a length, and all
    its elements are permuted (eq 6). Max-pooling has the window of the network's first max-pooling behind the convolution, 2 x 2
    where it has none, and takes the outputs of the convolution as they are, without an activation. "More dissimilar" is
    measured in three ways, as in `frequency`, and judged at the smallest length.
    """

    name: ClassVar[str] = "first_layer"
    paper: ClassVar[str] = "aghdam2017, section 2.2"
    title: ClassVar[str] = "First convolution and max-pooling of a network on permuted perturbations"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = FirstLayerRow
    summary_keys: ClassVar[tuple[str, ...]] = ("kernels", "base")

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """Images and lengths, and thresholds fixed before anything was measured; they are those of `frequency`."""

        samples: Annotated[int, Ge(1)] = 100  # images
        lengths: list[Annotated[float, Gt(0)]] = field(default_factory=lambda: [0.1, 1.0, 2.0, 5.0, 10.0, 20.0])  # eq 4
        identical: Annotated[float, Gt(0)] = 1e-9  # numbers below are zero (they are float64 rounding, some 1e-15)
        #: "more comparable" near zero: the difference grows with length to a power above this
        exponent: Annotated[float, Gt(0)] = 0.5
        growth: Annotated[float, Gt(0)] = 1.05  # "more dissimilar": median of after / before pooling above

        def __post_init__(self) -> None:
            """Refuse values out of range, and lengths that do not rise.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            check_lengths(self.lengths)

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 30 images; `tiny`: 3."""
        return {"tiny": {"experiment.samples": 3}, "laptop": {"experiment.samples": 30}}.get(preset, {})

    def prepare(self, ctx: NetworkContext) -> dict[str, Any]:
        """The images, in a seeded order, and the convolution and the pooling."""
        return self.measurement().prepare(self, ctx)

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """Some images a cell."""
        samples = ctx.prepared["samples"]
        starts = range(0, len(samples), CELL_SAMPLES)
        return [Cell(f"samples-{i:05d}", {"samples": samples[i : i + CELL_SAMPLES]}) for i in starts]

    def cost(self, ctx: NetworkContext) -> Cost:
        """One layer alone, which is next to nothing."""
        return Cost()

    def claims(self, table: Frame) -> list[Claim]:
        """The statements about the first layer, for the network's kernels and for random ones, around images and black."""
        return [
            claim
            for (kernels, base), rows in table.groupby(["kernels", "base"], sort=False)
            for claim in self._statements(rows, f"{kernels} kernels, {base}")
        ]

    def _statements(self, rows: Frame, subset: str) -> list[Claim]:
        params, smallest = self.params, rows["length"].min()
        layer = SECTION + '"output of the first convolution layer in a ConvNet will not be similar"'
        near = SECTION + '"if ||x|| is close to zero, the results of convolution operation becomes more comparable"'
        pooling = SECTION + '"a MAX-pooling layer where the outputs become more dissimilar"'
        first = rows[rows["length"] == smallest]
        claims = [
            judge(
                name, median_interval(first[column]), ">", params.identical, subset=subset,
                statement=layer + more, quantity=f"median {words} at length {smallest:g}",
            )
            for name, column, more, words in (
                ("outputs-differ", "changes", "", "of ||a - b|| / (||a - o|| + ||b - o||)"),
                ("values-differ", "sorted_changes", ": more than in its places", "of the same for sorted values"),
            )
        ]  # fmt: skip
        claims += [
            judge(
                f"comparable-near-zero-{column}", exponents(rows, column), ">", params.exponent, subset=subset,
                statement=near, quantity=f"median exponent of {words} in ||v||: 1 linear, 0 constant",
            )
            for column, words in (("distance", "||a - b||"), ("relative", "||a - b|| / (||a|| + ||b||)"))
        ]  # fmt: skip
        claims += [
            judge(
                f"pooling-{measure}", median_interval(first[f"pooled_{measure}"] / first[measure]), ">", params.growth,
                subset=subset, statement=pooling,
                quantity=f"median of {words}, after / before pooling, at length {smallest:g}",
            )
            for measure, words in MEASURES.items()
        ]  # fmt: skip
        return claims

    def summary(self, table: Frame) -> Frame:
        """Medians over images at the smallest length, with what pooling makes of the three measures."""
        first = table[table["length"] == table["length"].min()]
        growth = {f"{m}_growth": first[f"pooled_{m}"] / first[m] for m in MEASURES}
        columns = ["distance", "changes", "sorted_changes", "relative", *growth]
        groups = first.assign(**growth).groupby(["run", "kernels", "base"], sort=False)
        return groups[columns].median().reset_index()

    def plot(self, table: Frame) -> Figure:
        """Difference against length, and what pooling makes of it."""
        from .figures.first_layer import first_layers

        return first_layers(table)


def exponents(rows: Frame, quantity: str) -> Interval:
    """Median over samples of the slope of log quantity against log length (least squares), of those where it is never 0."""
    positive = rows.pivot_table(index="length", columns="sample", values=quantity, dropna=False)
    logs = np.log(positive.where(positive > 0).dropna(axis=1))
    return median_interval(np.polyfit(np.log(logs.index.to_numpy()), logs.to_numpy(), 1)[0])
