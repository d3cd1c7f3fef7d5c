"""What section 2.2 of gunther2017 says of table 2, and the table itself, from the rows of `preprocessing`."""

from __future__ import annotations

from typing import Any

from advlab.lab import Frame, frame_of
from advlab.statistics import NOT_MEASURED, Claim, Interval, judge, share_interval

from ..aghdam2017.paired_shares import paired_difference
from .adversarial_stages import CLEAN

SINGLE = ("noise", "blur", "shift")  # what `combined` combines
PROCESSED = (*SINGLE, "combined")  # all of the paper's but crops


def claims_of_table_2(params: Any, table: Frame) -> list[Claim]:
    """The statements for each attack, in both arithmetics, and for the clean images.

    Differences are over the same images. The best single technique is the best in these rows.

    Args:
        params: of `Preprocessing`, whose thresholds they are.
        table: of one run.
    """
    claims: list[Claim] = []
    for (images, arithmetic), rows in table[table["images"] != CLEAN].groupby(["images", "arithmetic"], sort=False):
        claims += of_attack(params, f"{images}, float32" if arithmetic == "float32" else str(images), rows)
    clean = table[table["images"] == CLEAN]
    for defense in ("noise", "crops"):
        claims.append(
            judge(
                "clean-loss", difference(clean, "none", defense), "<", params.clean_loss, subset=defense,
                statement='table 2: accuracy 99.09 % without preprocessing, 99.08 % with noise, 99.02 % with crops ("very slightly '
                'reduced")',
                quantity="accuracy without the defense less that with it",
            )
        )  # fmt: skip
    return claims


def of_attack(params: Any, subset: str, rows: Frame) -> list[Claim]:
    """The statements about the images of one attack."""
    claims: list[Claim] = []
    if subset.startswith("FGS"):
        claims += [
            judge(
                "noise-lowest", difference(rows, other, "noise"), ">", 0.0, subset=f"{subset}, {other}",
                statement='section 2.2: "Due to the very noisy nature of FGS adversarial images, adding noise did not help too '
                'much"',
                quantity=f"share of the adversarial images corrected by {other} less that by noise",
            )
            for other in ("blur", "shift", "combined", "crops")
        ]  # fmt: skip
    claims += [
        judge(
            "crops-highest", difference(rows, "crops", other), ">", 0.0, subset=f"{subset}, {other}",
            statement='table 2: crops correct 90.10, 89.47 and 89.76 % of FGS, FGV and HC-1 images, more than any other technique',
            quantity=f"share of the adversarial images corrected by crops less that by {other}",
        )
        for other in PROCESSED
    ]  # fmt: skip
    eradicated = 'section 2.2: with crops "already 90% of the adversarial images are no longer adversarial"'
    for name, relation, threshold in (
        ("crops-at-least", ">", params.crops_least),
        ("crops-at-most", "<", params.crops_most),
    ):
        claims.append(
            judge(
                name, corrected(rows, "crops"), relation, threshold, subset=subset, statement=eradicated,  # type: ignore[arg-type]
                quantity="share of the adversarial images corrected by crops",
            )
        )  # fmt: skip
    best = max(SINGLE, key=lambda defense: corrected(rows, defense).estimate if of(rows, defense) else -1.0)
    claims.append(
        judge(
            "combined-not-better", difference(rows, "combined", best), "<", params.combined_more, subset=subset,
            statement='section 2.2: "Combining the techniques did not improve mitigation further"',
            quantity=f"share of the adversarial images corrected by combined less that by {best}, the best single one",
        )
    )  # fmt: skip
    return claims


def of(rows: Frame, defense: str) -> dict[int, bool]:
    """Sample -> whether it is right behind a defense, of the rows of one kind of images."""
    chosen = rows[rows["defense"] == defense]
    return dict(zip(chosen["sample"].tolist(), (chosen["prediction"] == chosen["label"]).tolist(), strict=True))


def corrected(rows: Frame, defense: str) -> Interval:
    """Share that is right behind a defense."""
    return share_interval(list(of(rows, defense).values()))


def difference(rows: Frame, first: str, second: str) -> Interval:
    """Share that is right behind the first defense less that behind the second, of the same images; without either none."""
    one, other = of(rows, first), of(rows, second)
    if not one or not other:
        return NOT_MEASURED
    pairs = [(one[sample], other[sample]) for sample in one if sample in other]
    return paired_difference(
        *(pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False)))
    )


def correction_rates(table: Frame) -> Frame:
    """A line for each run, kind of images and defense.

    Columns: `number` of images, `right` behind the defense with `low` and `high` (95 %, Clopper-Pearson), `median_l2` as the
    rows give it; of clean images also `natural_errors`, `errors_right` (the share of these that becomes right),
    `median_l2_errors`, and `median_l2` of the right ones.
    """
    lines = []
    for (run, images, arithmetic, defense), rows in table.groupby(
        ["run", "images", "arithmetic", "defense"], sort=False
    ):
        right = share_interval((rows["prediction"] == rows["label"]).tolist())
        line: dict[str, Any] = {
            "run": run, "images": images, "arithmetic": arithmetic, "defense": defense, "number": len(rows),
            "right": right.estimate, "low": right.low, "high": right.high, "median_l2": float(rows["l2"].median()),
        }  # fmt: skip
        if images == CLEAN:
            wrong = rows[rows["plain"] != rows["label"]]
            line["median_l2"] = float(rows.loc[rows["plain"] == rows["label"], "l2"].median())
            line |= {"natural_errors": len(wrong), "median_l2_errors": float(wrong["l2"].median())}
            if len(wrong):
                line["errors_right"] = float((wrong["prediction"] == wrong["label"]).mean())
        lines.append(line)
    return frame_of(lines)
