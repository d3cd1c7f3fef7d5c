"""What section 2.2 of aghdam2017 says of permuted inputs, judged on the table of `frequency`."""

from __future__ import annotations

from typing import Any

import numpy as np

from advlab.lab import Frame
from advlab.statistics import Claim, Interval, judge, median_interval

SECTION = "section 2.2: "


def judge_convolutions(table: Frame, *, identical: float, exponent: float) -> list[Claim]:
    """Whether outputs and spectra of permuted inputs differ, and whether they are alike near zero.

    Args:
        table: rows of one run.
        identical: differences below are zero.
        exponent: "more comparable" near zero: the difference grows with the length to a power above this.
    """
    random, shifted = case(table, "random", "permutation"), case(table, "random", "shift")
    ones, delta = case(table, "ones", "permutation"), case(table, "delta", "permutation")
    pair = case(table, "pair", "stripes")
    provable = SECTION + '"it is provable that K * x1 != K * x2 if" two elements of the kernel are above 0'
    spectra = SECTION + '"their Fourier transform will not be identical"'
    layer = SECTION + '"output of the first convolution layer in a ConvNet will not be similar"'
    near = SECTION + '"if ||x1|| is close to zero, the results of convolution operation becomes more comparable"'
    claims = [
        judge(
            "outputs-differ", median_interval(by_sample(rows[rows["positive"] > 1], "gain")), ">", identical,
            subset=subset, statement=provable, quantity="median of ||a - b|| as a share of the largest possible",
        )
        for rows, subset in (
            (random, "random kernel, permutation"), (ones, "all-ones kernel, permutation"), (pair, "pair kernel, stripes"),
        )
    ]  # fmt: skip
    claims += [
        judge(
            "spectra-differ", median_interval(by_sample(rows, "spectrum")), ">", identical, subset=subset,
            statement=spectra, quantity="median relative distance of the spectra of the inputs",
        )
        for rows, subset in ((random, "random kernel, permutation"), (shifted, "random kernel, shift"))
    ]  # fmt: skip
    claims += [
        judge(
            "values-differ", median_interval(by_sample(rows, "sorted_gain")), ">", identical, subset=subset,
            statement=layer + ": more than in its places", quantity="median difference of the sorted outputs",
        )
        for rows, subset in (
            (random, "random kernel, permutation"), (shifted, "random kernel, shift"), (delta, "delta kernel, permutation"),
        )
    ]  # fmt: skip
    claims += [
        judge(
            f"comparable-near-zero-{quantity}", exponents(random, quantity), ">", exponent,
            subset="random kernel, permutation", statement=near,
            quantity=f"median exponent of {words} in ||x||: 1 linear, 0 constant",
        )
        for quantity, words in (("distance", "||a - b||"), ("relative", "||a - b|| / (||a|| + ||b||)"))
    ]  # fmt: skip
    return claims


def judge_pooling(table: Frame, *, shares: tuple[float, float], growth: float) -> list[Claim]:
    """Whether a and b are more dissimilar after max-pooling, in three measures.

    Args:
        table: rows of one run.
        shares: of the permuted elements, those that are judged.
        growth: "more dissimilar": median of after / before pooling above.
    """
    rows = table[(table["system"] == "random") & (table["change"] == "permutation")]
    measures = {
        "rms": "root mean square difference", "relative": "relative distance", "decorrelation": "1 - correlation",
    }  # fmt: skip
    return [
        judge(
            f"pooling-{measure}", median_interval(by_sample(part, f"pooled_{measure}") / by_sample(part, measure)), ">",
            growth, subset=f"random kernel, {100 * share:g} % permuted",
            statement=SECTION + '"a MAX-pooling layer where the outputs become more dissimilar"',
            quantity=f"median of {words}, after / before pooling",
        )
        for share, part in sorted(rows.groupby("share"), reverse=True)
        if share in shares
        for measure, words in measures.items()
    ]  # fmt: skip


def judge_radial(table: Frame, *, identical: float, directions: int) -> list[Claim]:
    """Whether radial basis function networks are isotropic, around a centre and away from it.

    Args:
        table: rows of one run.
        identical: ranges below are zero.
        directions: T, over which the ranges are.
    """
    statement = SECTION + '"Radial Basis Function networks intrinsically possess this property" (isotropy)'
    return [
        judge(
            "radial-is-isotropic", median_interval(case(table, system, change).groupby("sample")["distance"].max()), "<",
            identical, subset=subset, statement=statement,
            quantity=f"median of the largest range over {directions} directions",
        )
        for system, change, subset in (
            ("rbf-1", "centre", "one radial unit, at its centre"),
            ("rbf-1", "away", "one radial unit, away from its centre"),
            ("rbf-10", "centre", "ten radial units, at a centre"),
        )
    ]  # fmt: skip


def case(table: Frame, system: str, change: str) -> Frame:
    """The rows of one system and change of its input, of permutations those of all elements."""
    return table[(table["share"] == 1) & (table["system"] == system) & (table["change"] == change)]


def by_sample(rows: Frame, quantity: str) -> Any:
    """A quantity that does not depend on the length: its mean over the lengths, a series by sample."""
    return rows.groupby("sample")[quantity].mean()


def exponents(rows: Frame, quantity: str) -> Interval:
    """Median over samples of the slope of log quantity against log length (least squares)."""
    logs = np.log(rows.pivot_table(index="length", columns="sample", values=quantity))
    return median_interval(np.polyfit(np.log(logs.index.to_numpy()), logs.to_numpy(), 1)[0])
