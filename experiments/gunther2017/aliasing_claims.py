"""What gunther2017 concludes about aliasing in section 3, over seeds, with the same network of other seeds as control."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from advlab.lab import Frame
from advlab.statistics import Claim, judge, mean_interval

from .aliasing_similarity import (
    Array,
    against_seeds,
    between,
    confusion,
    even_rows,
    overlap_of_histograms,
    overlap_of_rows,
    pass_histogram,
    pseudo_values,
)

Arithmetic = Literal["exact", "float32"]
ORIGINAL, BLURRED = "original", "blurred"
NETWORKS = (ORIGINAL, BLURRED)
ARITHMETICS: tuple[Arithmetic, ...] = ("exact", "float32")
IMAGE = "image"  # the network's input, beside the names of layers
SECTION = "section 3: "


class AliasingThresholds(NamedTuple):
    """What was fixed before anything was measured; see the parameters of `aliasing`."""

    high: float
    survives: float
    slight: float
    dramatic: float
    alike: float
    margin: float


class AliasingNumbers:
    """Numbers of one run by seed.

    Args:
        table: rows of one run.

    Attributes:
        classes: K.
        layers: names of the layers whose inputs were measured, the image first.
    """

    def __init__(self, table: Frame) -> None:
        self.table = table.assign(layer=table["layer"].fillna(""))
        images = self.table.drop_duplicates(["seed", "network", "arithmetic", "sample"])
        self.groups = dict(list(images.groupby(["seed", "network", "arithmetic"])))
        self.seeds = sorted(set(table["seed"]))
        self.classes = int(max(table["label"].max(), table["adversarial"].max())) + 1 if len(table) else 0
        self.layers = [name for name in dict.fromkeys(self.table["layer"]) if name]

    def each(self, network: str, arithmetic: str, number: Callable[[Frame], Any]) -> list[Any]:
        """A number of the rows of each seed, one row an image; NaN where a seed has none."""
        rows = [self.groups.get((seed, network, arithmetic)) for seed in self.seeds]
        return [np.nan if part is None else number(part) for part in rows]

    def accuracy(self, network: str) -> Array:
        """(S,) share of the images that are classified correctly."""
        return np.array(self.each(network, "exact", lambda part: part["correct"].mean()))

    def rate(self, network: str, arithmetic: str) -> Array:
        """(S,) share of the images classified correctly that have an adversarial image."""
        found = self.each(
            network, arithmetic, lambda part: (part["adversarial"] >= 0).sum() / max(1, part["correct"].sum())
        )
        return np.array(found)

    def found(self, network: str, arithmetic: str) -> Array:
        """(S,) share of all images that have an adversarial image: the paper's 8811 and 9483 of 10000."""
        return np.array(self.each(network, arithmetic, lambda part: (part["adversarial"] >= 0).mean()))

    def median(self, network: str, arithmetic: str, column: str) -> Array:
        """(S,) median over the images of which it is known."""
        return np.array(self.each(network, arithmetic, lambda part: part[column].median()), dtype=float)

    def labels(self, network: str, arithmetic: str) -> list[Array]:
        """(K, K) confusion matrix of each seed."""
        empty = np.zeros((self.classes, self.classes), dtype=int)
        found = self.each(network, arithmetic, lambda part: confusion(part["label"], part["adversarial"], self.classes))
        return [empty if isinstance(matrix, float) else matrix for matrix in found]

    def histograms(self, network: str, arithmetic: str) -> list[Array]:
        """(20,) histogram of PASS of each seed."""
        found = self.each(network, arithmetic, lambda part: pass_histogram(part["pass_score"]))
        return [pass_histogram([]) if isinstance(counts, float) else counts for counts in found]

    def high(self, network: str, layer: str, column: str) -> Array:
        """(S,) mean over images of a share of energy at a layer's input, of `clean_high`, `adversarial_high`, `change_high`."""
        rows = self.table[(self.table["network"] == network) & (self.table["layer"] == layer)]
        means: Array = rows.groupby("seed")[column].mean().reindex(self.seeds).to_numpy(dtype=float)
        return means


def aliasing_claims(table: Frame, thresholds: AliasingThresholds) -> list[Claim]:
    """The sentences of section 3, each a mean over seeds; in both arithmetics where FGV is in them."""
    of = AliasingNumbers(table)
    claims = spectrum_claims(of, thresholds)
    cost = of.accuracy(ORIGINAL) - of.accuracy(BLURRED)
    claims.append(
        judge(
            "accuracy-alike", mean_interval(cost, least=-1, most=1), "<", thresholds.slight, subset="blurred network",
            statement=SECTION + '"classification accuracies [...] differ only slightly" (99.17 % and 98.84 %)',
            quantity="clean accuracy of the original network, less that of the blurred one, mean over seeds",
        )
    )  # fmt: skip
    for arithmetic in ARITHMETICS:
        claims += count_claims(of, arithmetic, thresholds) + similarity_claims(of, arithmetic, thresholds)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = of.median(BLURRED, "exact", "minimal") / of.median(ORIGINAL, "exact", "minimal")
    claims.append(
        judge(
            "norm-falls", mean_interval(ratio, least=0), "<", 1.0, subset="blurred network",
            statement=SECTION + '"anti-aliasing may actually increase susceptibility to adversarial generation"',
            quantity="median smallest L2 perturbation (refined DeepFool), of the blurred over that of the original network, "
            "mean over seeds",
        )
    )  # fmt: skip
    return claims


def spectrum_claims(of: AliasingNumbers, thresholds: AliasingThresholds) -> list[Claim]:
    """High frequencies where the networks sample down: of clean and adversarial images, without and with the blur."""
    claims = []
    for layer in of.layers:
        if layer != IMAGE:
            blurred = np.fmax(of.high(BLURRED, layer, "clean_high"), of.high(BLURRED, layer, "adversarial_high"))
            claims += [
                judge(
                    "high-frequencies-within", mean_interval(of.high(ORIGINAL, layer, "clean_high"), least=0, most=1), ">",
                    thresholds.high,
                    subset=layer,
                    statement=SECTION + 'the FFT "shows significant high-frequency information within each layer of the network"',
                    quantity="share of energy above the next Nyquist frequency, clean images, original network, mean over seeds",
                ),
                judge(
                    "blur-removes-them", mean_interval(blurred, least=0, most=1), "<", thresholds.survives, subset=layer,
                    statement=SECTION + '"so that basically no high-frequency information survived"',
                    quantity="share of energy above the next Nyquist frequency behind the blur, the larger one of clean and "
                    "adversarial images, mean over seeds",
                ),
            ]  # fmt: skip
        for network in NETWORKS:
            added = of.high(network, layer, "adversarial_high") - of.high(network, layer, "clean_high")
            claims.append(
                judge(
                    "perturbation-adds-them", mean_interval(added, least=-1, most=1), ">", 0.0,
                    subset=f"{network} network, {layer}",
                    statement=SECTION + '"Adversarial perturbations tend to add high frequency information to the image"',
                    quantity="share of energy above the next Nyquist frequency, adversarial less clean images, mean over seeds",
                )
            )  # fmt: skip
    return claims


def count_claims(of: AliasingNumbers, arithmetic: str, thresholds: AliasingThresholds) -> list[Claim]:
    """How many adversarial images there are with the blur and without."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = of.found(BLURRED, arithmetic) / of.found(ORIGINAL, arithmetic)
    more = of.rate(BLURRED, arithmetic) - of.rate(ORIGINAL, arithmetic)
    return [
        judge(
            "no-dramatic-reduction", mean_interval(ratio, least=0), ">", thresholds.dramatic, subset=arithmetic,
            statement=SECTION + '"If aliasing causes adversarial images, we would expect to see dramatic reduction in the number"',
            quantity="number of FGV images, of the blurred over that of the original network, mean over seeds",
        ),
        judge(
            "even-more", mean_interval(more, least=-1, most=1), ">", 0.0, subset=arithmetic,
            statement=SECTION + '"using the anti-aliased network (9483) is even higher than using the original network (8811)"',
            quantity="success rate of FGV, of the blurred less that of the original network, mean over seeds",
        ),
    ]  # fmt: skip


def similarity_claims(of: AliasingNumbers, arithmetic: str, thresholds: AliasingThresholds) -> list[Claim]:
    """How similar labels and PASS are in the two networks, and whether as similar as in two seeds of one network."""
    labels = [of.labels(network, arithmetic) for network in NETWORKS]
    histograms = [of.histograms(network, arithmetic) for network in NETWORKS]
    even = even_rows(of.classes)
    beyond = between(overlap_of_rows, *labels) - between(lambda a, _: overlap_of_rows(a, even), *labels)
    label_words = "overlap of the rows of the confusion matrices, original and blurred network of different seeds"
    pass_words = "overlap of the histograms of PASS, original and blurred network of different seeds"
    label_statement = SECTION + '"the distribution of adversarial labels [...] is very comparable"'
    pass_statement = SECTION + '"the distribution of PASS values is very similar"'
    less_seeds, control = ", less that of two seeds of one network", ": as two trainings of one network are"
    judged: list[tuple[str, Array, float, str, str]] = [
        ("pass-alike", between(overlap_of_histograms, *histograms), thresholds.alike, pass_statement, pass_words),
        (
            "pass-as-in-seeds", against_seeds(overlap_of_histograms, *histograms), -thresholds.margin,
            pass_statement + control, pass_words + less_seeds,
        ),
        ("labels-alike", between(overlap_of_rows, *labels), thresholds.alike, label_statement, label_words),
        (
            "labels-as-in-seeds", against_seeds(overlap_of_rows, *labels), -thresholds.margin,
            label_statement + control, label_words + less_seeds,
        ),
        (
            "labels-beyond-even", beyond, 0.0, "control: more than with a matrix that reaches all labels alike",
            label_words + ", less that of the original one with even rows",
        ),
    ]  # fmt: skip
    return [
        judge(name, mean_interval(pseudo_values(pairs)), ">", threshold, subset=arithmetic, statement=s, quantity=q)
        for name, pairs, threshold, s, q in judged
    ]
