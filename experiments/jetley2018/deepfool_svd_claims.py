"""What the caption of figure 4 and section 4.3 say of the table of `deepfool_svd`, and its summary."""

from __future__ import annotations

from typing import Any

import numpy as np

from advlab.lab import Frame, frame_of
from advlab.statistics import NOT_MEASURED, Claim, Interval, judge, share_interval

CAPTION = (
    "figure 4: S_hi represents the high-to-low ordering, S_lo the low-to-high, and d the number of vectors retained"
)
TRENDS = 'section 4.3: "neatly replicate the previously seen classification accuracy trends" of figure 3'
CONTROL = "control: the singular vectors and not their number make the accuracy"
SATURATES = (
    "figure 4: \"the classification accuracy of images projected onto the singular vectors' subspace saturates to the same "
    'performance as that yielded when the net is tested directly on the downsampled images"'
)

NEAR = 0.1  # of all directions: so far from a quarter or a half of them d may be


def verdicts(table: Frame, *, above: float, early: float, late: float, lost: float) -> list[Claim]:
    """The claims of one run.

    Args:
        table: its rows.
        above: share of the images that are right on one of two subspaces alone, above which S_hi is the better.
        early: share of the right images that S_hi of a quarter of the directions keeps, above.
        late: the same of S_lo, below.
        lost: share of the right images that all directions lose, below.
    """
    if not len(table):
        return []
    claims = [
        judge(
            f"hi-above-{row.subspace}", share(row.only_hi, row.only_hi + row.only_here), ">", above,
            subset=f"d={row.d}", statement=statement,
            quantity=f"of the images that are right on one of S_hi and {called} alone, the share that is right on S_hi",
        )
        for subspace, called, statement in (("lo", "S_lo", f"{TRENDS}; {CAPTION}"), ("random", "a random subspace", CONTROL))
        for row in rows_of(table, subspace)
        if row.d < row.rank
    ]  # fmt: skip
    for name, subspace, relation, threshold in (("early", "hi", ">", early), ("late", "lo", "<", late)):
        row = nearest(table, subspace, 0.25)
        part = row.d / row.rank if row else 0.25
        claims.append(
            judge(
                name, share(row.kept, row.whole) if row else NOT_MEASURED, relation, threshold,  # type: ignore[arg-type]
                subset=f"S_{subspace}, d={row.d}" if row else f"S_{subspace}, no d near it",
                statement=f'{TRENDS}, of which section 4.2 says: "classification decisions have effectively already been made '
                'based on a relatively small number of features"',
                quantity=f"share of the images that are right without projection which are right on {part:.2f} of the directions",
            )
        )  # fmt: skip
    return claims + saturation(table, lost)


def saturation(table: Frame, lost: float) -> list[Claim]:
    """S_hi against images without projection: of all directions, and of half of them.

    It is judged only where there are more perturbations than dimensions. With all dimensions a projection changes nothing, and the
    first of the two holds by construction; it says something where perturbations leave dimensions out.
    """
    claims = []
    first = table.iloc[0]
    spanning = first["perturbations"] > first["dimensions"]
    note = "" if spanning else f"; {first['perturbations']} perturbations cannot span {first['dimensions']} dimensions"
    for name, part in (("all", 1.0), ("half", 0.5)):
        row = nearest(table, "hi", part)
        words = (
            name if row is None or abs(row.d - part * row.rank) < 1 else f"{row.d}"
        )  # d near the half, of those typed
        claims.append(
            judge(
                "saturates", share(row.whole - row.kept, row.whole) if row and spanning else NOT_MEASURED, "<", lost,
                subset=f"{words} of {first['rank']} directions", statement=SATURATES,
                quantity=f"share of the images that are right without projection which S_hi gets wrong{note}",
            )
        )  # fmt: skip
    return claims


def share(hits: int, of: int) -> Interval:
    """The share of a count in another, with its interval."""
    return share_interval(np.arange(of) < hits)


def rows_of(table: Frame, subspace: str) -> list[Any]:
    """The rows of a subspace, by ascending d."""
    return list(table[table["subspace"] == subspace].sort_values("d").itertuples())


def nearest(table: Frame, subspace: str, part: float) -> Any | None:
    """The row of a subspace whose d is nearest to a part of all directions; of two the smaller d.

    None where it is further from it than a tenth of all directions, and would say nothing of that part.
    """
    row = min(rows_of(table, subspace), key=lambda row: abs(row.d - part * row.rank))
    return row if abs(row.d - part * row.rank) <= NEAR * row.rank else None


def summarised(table: Frame) -> Frame:
    """Accuracy on each subspace and without projection, and the perturbations' energy, of each run and number of directions."""
    rows = []
    for (run, d), part in table.groupby(["run", "d"], sort=False):
        first = part.iloc[0]
        accuracy = {row.subspace: row.correct / row.images for row in part.itertuples()}
        energy = {f"energy_{row.subspace}": row.energy for row in part.itertuples() if row.subspace != "random"}
        rows.append(
            {
                "run": run, "d": d, "dimensions": first["dimensions"], "rank": first["rank"],
                "perturbations": first["perturbations"], **accuracy, "whole": first["whole"] / first["images"],
                "unchanged": first["unchanged"] / first["images"], **energy,
            }
        )  # fmt: skip
    return frame_of(rows)
