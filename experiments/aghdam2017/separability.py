"""Section 2.3 of aghdam2017: are the classes separable in the features, and less so in the pixels?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Lt

from advlab.errors import ArgumentError
from advlab.lab import Cell, Cost, Experiment, Figure, Frame, InRange, NetworkContext, frame_of
from advlab.statistics import NOT_MEASURED, Claim, Interval, judge, lower_bound, share_interval

from .paired_shares import paired_difference

#: spaces in which points are classified, with their names in figures; the first is Phi_L
SPACES = {
    "network": "features",
    "pixels": "pixels",
    "random_network": "features, random weights",
    "random_map": "random linear map",
}
CLASSIFIERS = {"linear": "linear probe", "nearest": "nearest neighbour"}


@dataclass(frozen=True)
class SeparabilityRow:
    """One (layer, space, classifier): a classifier of points in that space, trained on some images and tested on others."""

    layer: str  # whose output is Phi_L; auto: the input of the classification layer
    space: str  # a key of SPACES: Phi_L, the pixels, or a control with as many dimensions as Phi_L
    classifier: str  # linear: multinomial logistic regression; nearest: one nearest neighbour
    dimensions: int  # of the space
    source: str  # of the training images: the split `train`, or a `half` of the measured one
    train_images: int
    train_correct: float  # of them, classified correctly by the linear probe; nan for the nearest neighbour
    test_images: int
    correct: int  # of them
    only_here: int  # test images that are classified correctly here, and not in Phi_L
    only_network: int  # test images that are classified correctly in Phi_L, and not here
    gradient: float  # largest |derivative| of the linear probe's objective where its training ended; nan for the other


class Separability(Experiment[NetworkContext]):
    """Section 2.3: "the classes become linearly separable" in Phi_L, and "accuracy of raw points [...] is usually much lower".

    Two classifiers of points say how separable the classes are: a linear probe (multinomial logistic regression with an L2
    penalty, on features of mean 0 and deviation 1 over the training images), and the nearest neighbour in the Euclidean
    distance of the features as they are. Both are trained on some images and tested on others, which are the same in every
    space. The network has seen the images of the split `train` in its own training; `source=half` takes two halves of the
    measured split instead, of which it has seen neither.

    The controls have as many dimensions as Phi_L: the layer of the same network with random weights, which tells what the
    architecture does without training, and a random linear map of the pixels. Intervals are over test images: one training
    set, one network, one draw of each control.
    """

    name: ClassVar[str] = "separability"
    paper: ClassVar[str] = "aghdam2017, section 2.3"
    title: ClassVar[str] = "Accuracy of a linear probe and of the nearest neighbour in pixels and in features"
    uses: ClassVar[tuple[str, ...]] = ("dataset", "model")
    Row: ClassVar[type] = SeparabilityRow
    summary_keys: ClassVar[tuple[str, ...]] = ("layer", "space", "classifier")

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        """Images, classifiers and thresholds; the paper gives none. Thresholds were fixed before anything was measured."""

        layers: list[str] = field(
            default_factory=lambda: ["auto"]
        )  # Phi_L; all: each in front of the classification layer
        source: Literal["auto", "train", "half"] = (
            "auto"  # of training images; auto: `train` where there is such a split
        )
        train_images: Annotated[int, Ge(0)] = 10_000  # 0: all
        test_images: Annotated[int, Ge(0)] = 10_000  # 0: all
        #: of the linear probe: weight of half the squared weights beside the mean cross-entropy
        penalty: Annotated[float, Gt(0), Lt(math.inf)] = 1e-3
        steps: Annotated[int, Ge(1)] = 500  # of L-BFGS, at most
        separable: Annotated[float, Gt(0), Lt(1)] = 0.99  # "linearly separable": share of training images above
        much_lower: Annotated[float, Gt(0), Lt(1)] = 0.1  # "much lower": difference of accuracies above

        def __post_init__(self) -> None:
            """Refuse values out of range, and layers that are named twice or not at all.

            Raises:
                ArgumentError: names the field.
            """
            super().__post_init__()
            if not self.layers or len(set(self.layers)) < len(self.layers):
                raise ArgumentError(f"layers must name at least one, each once, got {self.layers}")

    @classmethod
    def presets(cls, preset: str, dataset: Any, model: Any) -> dict[str, Any]:
        """`laptop`: 5000 training and 2000 test images; `tiny`: 200 and 100."""
        sizes = {"tiny": (200, 100), "laptop": (5000, 2000)}.get(preset)
        return (
            {}
            if sizes is None
            else dict(zip(("experiment.train_images", "experiment.test_images"), sizes, strict=True))
        )

    def prepare(self, ctx: NetworkContext) -> dict[str, Any]:
        """The layers, and where the training images come from."""
        return self.measurement().prepare(self, ctx)

    def cells(self, ctx: NetworkContext) -> list[Cell]:
        """One a layer."""
        return [Cell(f"layer-{i:03d}", {"layer": layer}) for i, layer in enumerate(ctx.prepared["layers"])]

    def cost(self, ctx: NetworkContext) -> Cost:
        """Every image through the network and through the one with random weights, once a layer."""
        images = (self.params.train_images or len(ctx.data)) + min(
            self.params.test_images or len(ctx.data), len(ctx.data)
        )
        return Cost(forwards=2 * len(ctx.prepared["layers"]) * images)

    def claims(self, table: Frame) -> list[Claim]:
        """What section 2.3 says of pixels and features, for each layer and classifier, and whether controls say the same."""
        return [claim for _, rows in table.groupby("layer", sort=False) for claim in self._statements(rows)]

    def _statements(self, rows: Frame) -> list[Claim]:
        params, layer = self.params, str(rows["layer"].iloc[0])
        of = "" if layer == "auto" else f", {layer}"
        separable = 'section 2.3: in the features "the classes become linearly separable"'
        unsuitable = (
            'section 2.3: the "topology of points in" the pixels "is not suitable for the task of classification"'
        )
        lower = 'section 2.3: "classification accuracy of raw points [...] is usually much lower than points in" the features'
        claims = []
        for space, relation, statement in (("network", ">", separable), ("pixels", "<", unsuitable)):
            claims += [
                judge(
                    f"separable-{space}", trained_share(row), relation, params.separable,  # type: ignore[arg-type]
                    subset=f"{CLASSIFIERS['linear']}{of}", statement=statement,
                    quantity=f"share of training images that a linear probe of the {SPACES[space]} classifies correctly",
                )
                for row in rows_of(rows, space, "linear")
            ]  # fmt: skip
        for classifier, words in CLASSIFIERS.items():
            for space, threshold, name, statement in (
                ("pixels", 0.0, "above-pixels", lower.replace("much ", "")),
                ("pixels", params.much_lower, "much-above-pixels", lower),
                (
                    "random_network",
                    0.0,
                    "above-random-network",
                    "control: training, and not the architecture, separates",
                ),
                (
                    "random_map",
                    0.0,
                    "above-random-map",
                    "control: as many random linear features as there are in the layer",
                ),
            ):
                claims += [
                    judge(
                        name, against_network(row), ">", threshold, subset=f"{words}{of}", statement=statement,
                        quantity=f"accuracy in the features less that in {SPACES[space]}",
                    )
                    for row in rows_of(rows, space, classifier)
                ]  # fmt: skip
        return claims

    def summary(self, table: Frame) -> Frame:
        """Accuracy in every space with its interval, and what the features have more."""
        lines = []
        for row in table.to_dict("records"):
            accuracy = share_interval([True] * row["correct"] + [False] * (row["test_images"] - row["correct"]))
            more = against_network(row) if row["space"] != "network" else NOT_MEASURED
            lines.append(
                {key: row[key] for key in ("run", "layer", "space", "classifier", "dimensions")}
                | {"train_accuracy": row["train_correct"] / row["train_images"]}
                | {"accuracy": accuracy.estimate, "accuracy_low": accuracy.low, "accuracy_high": accuracy.high}
                | {"features_more": more.estimate, "more_low": more.low, "more_high": more.high}
            )
        return frame_of(lines)

    def plot(self, table: Frame) -> Figure:
        """Accuracy of both classifiers in every space."""
        from .figures.separability import accuracies

        return accuracies(self.summary(table))


def rows_of(rows: Frame, space: str, classifier: str) -> list[dict[str, Any]]:
    """The row of a space and a classifier; none where the space was not measured."""
    chosen = rows[(rows["space"] == space) & (rows["classifier"] == classifier)]
    found: list[dict[str, Any]] = chosen.to_dict("records")
    return found


def trained_share(row: dict[str, Any]) -> Interval:
    """Share of the training images that the linear probe classifies correctly; not measured in as many dimensions as images.

    Other hyperplanes may separate more of them, so that it is a lower bound of what is separable. Any points in general
    position are linearly separable from N - 1 dimensions on, whatever their classes (Cover 1965).
    """
    if row["dimensions"] >= row["train_images"] - 1:
        return NOT_MEASURED
    return lower_bound(int(row["train_correct"]) / row["train_images"])


def against_network(row: dict[str, Any]) -> Interval:
    """Accuracy in Phi_L less that in the space of the row, over the same test images."""
    both = row["correct"] - row["only_here"]
    neither = row["test_images"] - both - row["only_here"] - row["only_network"]
    return paired_difference(both, row["only_network"], row["only_here"], neither)
