"""The statements of section 4.2 of jetley2018 about accuracy in subspaces, judged on a table of `subspace_accuracy`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from advlab.lab import Frame
from advlab.statistics import NOT_MEASURED, Claim, Interval, judge

from ..aghdam2017.paired_shares import paired_difference
from .chosen_basis import is_curved
from .joined_intervals import absolute, counted_share, difference, largest
from .subspace_family import CURVED, contrasted, leading, only

SECTION = "section 4.2: "
DECIDED = (
    SECTION
    + '"classification decisions have effectively already been made based on a relatively small number of features, '
    'corresponding to the most curved directions"'
)
EQUAL = SECTION + '"it essentially does not matter whether positively or negatively curved directions are chosen"'
GENERALISES = SECTION + 'the sensitivity along these directions "does largely generalise in testing"'
FLAT = (
    'figure 3: "Note the relationship between the ordering of curvature magnitudes and classification accuracy by comparing '
    'the S_flat curves to the others"'
)
DISREGARD = (
    'section 4.1: "it should be possible to disregard the flat directions of near-zero curvature without any noticeable '
    "change in the network's class predictions\""
)


def accuracy_claims(table: Frame, params: Any) -> list[Claim]:
    """Whether curved directions decide, flat ones do not, and the sign of the curvature does not matter.

    A basis of Lanczos may hold far fewer directions than "a relatively small number" or half of all. What falls short of its
    threshold with less than half of that number is not refuted, since more could reach it, and is not measured. And where the
    network recognises little in any of the curved subspaces, that they agree is by chance: that is not measured either.

    Args:
        table: of one run.
        params: of `SubspaceAccuracy`, with the thresholds.
    """
    if params.basis == "random":
        return []  # a control of the others, of which nothing is claimed
    test, train = only(table, split="test"), only(table, split="train")
    first, last = contrasted(params, table)
    curved, flattest = ("curved", "flat") if is_curved(params) else ("first singular", "last singular")
    few, d = few_directions(test, params.small, 1)
    random, most, flat = (accuracy(only(few, subspace=kind)) for kind in ("random", first, last))
    decides = recognises(test, leading(params))
    claims = [
        judge(
            "equal-signs", largest([absolute(i) for i in signs_apart(rows)] if decides else []), "<", params.equal, subset=split,
            statement=EQUAL, networks="all",
            quantity="largest |accuracy in S_pos less in S_neg| over d, where neither is 0 or all dimensions",
        )
        for split, rows in (("test", test), ("train", train))
        if is_curved(params)
    ]  # fmt: skip
    for kind in leading(params):
        times = 2 if kind == "neg+pos" else 1
        rows, own_d = few_directions(test, params.small, times)
        same = unless_too_few(unchanged(only(rows, subspace=kind)), params.decided, rows, params.small, times)
        claims.append(
            judge(
                "decided", same, ">", params.decided, subset=f"{kind}, {own_d}",
                statement=DECIDED, networks="most",
                quantity=f"share of test images whose prediction is the same in S_{kind}",
            )
        )  # fmt: skip
    half, half_d = few_directions(test, 0.5, 1)
    unnoticed = unless_too_few(unchanged(only(half, subspace=first)), params.unnoticed, half, 0.5)
    apart = unless_too_few(difference(most, flat), params.apart, few, params.small)
    return [
        *claims,
        judge(
            "disregard-flat", unnoticed, ">", params.unnoticed, subset=half_d,
            statement=DISREGARD,
            quantity="share of test images whose prediction is the same without half of the directions or more",
        ),
        judge(
            "flat-apart", apart, ">", params.apart, subset=d, statement=FLAT,
            quantity=f"test accuracy in S_{first} less in S_{last}",
        ),
        judge(
            "curved-above-random", difference(most, random), ">", 0, subset=d,
            statement=f"control: {curved} directions decide more than random ones of equal number",
            quantity=f"test accuracy in S_{first} less in a random subspace",
        ),
        judge(
            "flat-below-random", difference(random, flat), ">", 0, subset=d,
            statement=f"control: {flattest} directions decide less than random ones of equal number",
            quantity=f"test accuracy in a random subspace less in S_{last}",
        ),
        judge(
            "generalises", largest(generalisation_gaps(train, test, leading(params)) if decides else []), "<", params.equal,
            subset="all d",
            statement=GENERALISES, quantity="largest training less test accuracy, over d and "
            + ("the curved subspaces" if is_curved(params) else "in S_hi"),
        ),
    ]  # fmt: skip


def few_directions(rows: Frame, share: float, times: int) -> tuple[Frame, str]:
    """The rows of the largest d above 0 at which `times` d directions of each class are at most a share of D, and d in words."""
    few = rows[(rows["d"] > 0) & (times * rows["d"] * rows["classes"] <= share * rows["dimension"])]
    return (few[few["d"] == few["d"].max()], f"d = {few['d'].max()}") if len(few) else (few, "no small d")


def unless_too_few(found: Interval, threshold: float, rows: Frame, share: float, times: int = 1) -> Interval:
    """What was found in `times` d directions of each class, unless it falls short with less than half of `share` of all."""
    if not len(rows) or found.low > threshold:
        return found
    taken = times * rows["d"].iloc[0] * rows["classes"].iloc[0]
    return found if 2 * taken >= share * rows["dimension"].iloc[0] else NOT_MEASURED


def recognises(rows: Frame, kinds: Sequence[str]) -> bool:
    """Whether one of these subspaces leaves at least half of the accuracy on whole images."""
    of = rows[rows["subspace"].isin(kinds)]
    return bool((2 * of["correct"] >= of["correct_whole"]).any())


def accuracy(rows: Frame) -> Interval:
    """Share of the images that are classified correctly in one subspace, of random ones in their mean."""
    return counted_share(rows["correct"].mean(), int(rows["images"].iloc[0])) if len(rows) else NOT_MEASURED


def unchanged(rows: Frame) -> Interval:
    """Share of the images that are classified in one subspace as they are as a whole."""
    return counted_share(rows["same"].mean(), int(rows["images"].iloc[0])) if len(rows) else NOT_MEASURED


def signs_apart(rows: Frame) -> list[Interval]:
    """Accuracy in S_neg less in S_pos, on the same images, for each d at which one of them has some dimensions and not all."""
    found = []
    for d in sorted(rows["d"].unique()):
        pos, neg = (only(rows, d=d, subspace=kind) for kind in ("pos", "neg"))
        if (
            not len(pos)
            or not len(neg)
            or d == 0
            or (pos["rank"].iloc[0] == neg["rank"].iloc[0] == neg["dimension"].iloc[0])
        ):
            continue
        row = neg.iloc[0]
        both = int(row["correct"] - row["only_here"])
        only_neg, only_pos = int(row["only_here"]), int(row["only_pos"])
        found.append(paired_difference(both, only_neg, only_pos, int(row["images"]) - both - only_neg - only_pos))
    return found


def generalisation_gaps(train: Frame, test: Frame, kinds: Sequence[str] = CURVED) -> list[Interval]:
    """Training less test accuracy for each of these subspaces and d above 0."""
    keys = ["subspace", "d"]
    parts = [
        dict(list(frame[frame["subspace"].isin(kinds) & (frame["d"] > 0)].groupby(keys))) for frame in (train, test)
    ]
    return [
        difference(accuracy(rows), accuracy(parts[1][values]))
        for values, rows in parts[0].items()
        if values in parts[1]
    ]
