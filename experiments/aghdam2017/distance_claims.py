"""Claims of section 2.3 about distances beside Mantel's test: nearest neighbours, alpha of eq 7, and what depth does."""

from __future__ import annotations

from typing import Any

from advlab.lab import Frame
from advlab.statistics import (
    NOT_MEASURED,
    Claim,
    Interval,
    judge,
    mean_interval,
    median_interval,
    rank_correlation,
    share_interval,
)

from .spheres import rows_by_reading

STACKS = ("random layers", "random layers, relu")


def neighbour_claims(rows: Frame, subset: str, *, below: float) -> list[Claim]:
    """Whether the nearest neighbour of a perturbed image changes, and beside chance and the controls.

    Args:
        rows: of one layer, reading and direction; a sample is the mean over its radii.
        subset: their name.
        below: share of points whose nearest neighbour stays, at most.
    """
    kept = _by_source(rows, "nearest_kept")
    network = kept.get("network")
    chance = 1 / (rows["trials"].iloc[0] - 1) if len(rows) else 0.0
    section = 'section 2.3: "if the closest point to A is point C in the original space, the closest point to A might be point B"'
    return [
        judge(
            "nearest-changes", _share(network), "<", below, subset=subset,
            statement=section + ": for most points it is another one",
            quantity="share of points whose nearest neighbour stays the nearest",
        ),
        judge(
            "nearest-above-chance", _mean(None if network is None else network - chance), ">", 0, subset=subset,
            statement=section + ", control: more nearest neighbours stay than by chance",
            quantity=f"share of points whose nearest neighbour stays less 1 / (T - 1) = {chance:.3g}",
        ),
        judge(
            "nearest-changes-linearly", _share(kept.get("linearisation")), "<", below, subset=subset,
            statement=section + ", control: for the linearisation it is another one as well",
            quantity="share of points whose nearest neighbour stays the nearest after J(x) v",
        ),
        judge(
            "nearest-more-than-random", _mean(_excess(kept, "random map", "network")), ">", 0, subset=subset,
            statement=section + ", control: a random linear map of the network's dimensions keeps more of them",
            quantity="share that stays after a random map less share that stays after the network",
        ),
    ]  # fmt: skip


def alpha_claims(rows: Frame, subset: str, *, above: float) -> list[Claim]:
    """Whether alpha of eq 7 is far from a multiple of the identity, which it is exactly for a scaled isometry.

    Args:
        rows: of one layer, reading and direction; a sample is the mean over its radii.
        subset: their name.
        above: ||alpha - c I|| / ||alpha||, at least.
    """
    deviation = _by_source(rows, "deviation")
    section = 'section 2.3, eq 7: "if [the topology is not changed], alpha will be diagonal with identical values"'
    return [
        judge(
            "alpha-not-diagonal", _median(deviation.get("network")), ">", above, subset=subset,
            statement=section + ": it is not",
            quantity="median of ||alpha - c I|| / ||alpha||",
        ),
        judge(
            "alpha-of-random-map", _median(deviation.get("random map")), ">", above, subset=subset,
            statement=section + ", control: nor is it after a random linear map",
            quantity="median of ||alpha - c I|| / ||alpha|| of a random map",
        ),
        judge(
            "alpha-more-than-linear", _median(_excess(deviation, "network", "linearisation")), ">", 0, subset=subset,
            statement=section + ", control: the network's alpha is further from it than its linearisation's",
            quantity="median of the deviation of the network - that of J(x) v",
        ),
        judge(
            "alpha-more-than-random", _median(_excess(deviation, "network", "random map")), ">", 0, subset=subset,
            statement=section + ", control: the network's alpha is further from it than a random linear map's",
            quantity="median of the deviation of the network - that of a random map",
        ),
    ]  # fmt: skip


def depth_claims(table: Frame, *, below: float) -> list[Claim]:
    """Whether |r| falls from layer to layer, in the network and in stacks of random layers; nothing for a single layer.

    Args:
        table: of one run.
        below: Spearman's correlation over layers of depth and a sample's median |r| over its radii, at most.
    """
    if table["depth"].nunique() < 3 if len(table) else True:  # two layers have the correlation 1 or -1
        return []
    claims = []
    for subset, rows in rows_by_reading(table.drop(columns="layer")):
        r = {source: _by_depth(of_source) for source, of_source in rows.groupby("source")}
        last = {source: by_depth.iloc[:, -1] for source, by_depth in r.items()}
        section = 'section 2.3: "multiple affine transformations which greatly changes the topology of inputs"'
        words = {
            "network": ("lost-with-depth", ": the more layers, the less is left"),
            STACKS[0]: ("lost-with-depth-linear", ", control: random linear maps, one after the other, do it alone"),
            STACKS[1]: ("lost-with-depth-relu", ", control: random linear maps with a ReLU after each do it alone"),
        }
        claims += [
            judge(
                name, _median(_falls(r[source]) if source in r else None), "<", below, subset=subset,
                statement=section + what,
                quantity=f"median over samples of the rank correlation of depth and |r|, {source}",
            )
            for source, (name, what) in words.items()
        ]  # fmt: skip
        claims += [
            judge(
                f"lost-more-than-{name}", _median(_excess(last, stack, "network")), ">", 0, subset=subset,
                statement=section + f", control: the network loses more than {stack} of its dimensions",
                quantity=f"median of |r| after {stack} - |r| of the network, deepest layer",
            )
            for name, stack in zip(("linear-layers", "relu-layers"), STACKS, strict=True)
        ]  # fmt: skip
    return claims


def _by_source(rows: Frame, column: str) -> dict[str, Any]:
    """Each source's mean of a column over the radii, by sample."""
    means = rows.groupby(["source", "sample"])[column].mean().dropna()
    return {str(source): of_source.droplevel("source") for source, of_source in means.groupby(level="source")}


def _by_depth(rows: Frame) -> Any:
    """(samples, layers) median of |r| over the radii."""
    return rows.assign(r=rows["mantel_r"].abs()).groupby(["sample", "depth"])["r"].median().unstack()


def _falls(by_depth: Any) -> Any:
    """Spearman's correlation of depth and |r| for each row of (samples, layers)."""
    return [rank_correlation(by_depth.columns, r, resamples=1).estimate for r in by_depth.to_numpy()]


def _excess(numbers: dict[str, Any], source: str, other: str) -> Any:
    """The number of one source less that of another, by sample; None where one of them was not measured."""
    return numbers[source] - numbers[other] if source in numbers and other in numbers else None


def _share(values: Any) -> Interval:
    return NOT_MEASURED if values is None else share_interval(values)


def _mean(values: Any) -> Interval:
    return NOT_MEASURED if values is None else mean_interval(values)


def _median(values: Any) -> Interval:
    return NOT_MEASURED if values is None else median_interval(values)
