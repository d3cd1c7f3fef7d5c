"""The sentences of gunther2017's section 2.3 about table 3 and the tail size, as claims."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from advlab.lab import Frame
from advlab.statistics import NOT_MEASURED, Claim, judge, share_interval
from advlab.statistics.intervals import Interval

PAPER_TAILS = (20, 1000)  # that section 2.3 compares
CORRECTED = ("FGV", "HC-1")
NUMBERS = {"FGV": 99.29, "HC-1": 98.90, "F50": 69.06, "F90": 69.28, "F99": 15.46}  # table 3, in %


def open_set_claims(table: Frame, params: Any, networks: int) -> list[Claim]:
    """The claims of one run.

    Args:
        table: its rows.
        params: `OpenSet.Params`.
        networks: of open set networks that are compared; nothing is claimed of tails that are not among them.
    """
    rows = table[(table["network"] == "openmax") & (table["group"] != "aware")]
    paper = rows[rows["varied"] == ""]
    claims = [*corrected(paper, params), *rejected(paper, params)]
    sizes = {params.tail_size, *params.tail_sizes}
    if networks > 1 and set(PAPER_TAILS) <= sizes and min(sizes) == PAPER_TAILS[0]:
        claims += list(tails(rows, params))
    return claims


def corrected(paper: Frame, params: Any) -> list[Claim]:
    """FGV and HC-1 images are corrected, in each arithmetic that was measured."""
    adversarial = paper[paper["group"] == "adversarial"]
    chosen = [n for n in adversarial["images"] if n.split(",")[0] in CORRECTED]
    return [
        judge(
            "corrected", share(adversarial, name, "correct"), ">", params.corrected, subset=name,
            statement="section 2.3: \"For FGV and HC-1 adversarial images, almost all of these images are corrected\" (table 3: "
            f"{NUMBERS[name.split(',')[0]]} %)",
            quantity="share of adversarial images with the smallest weight that OpenMax classifies correctly",
        )
        for name in chosen
    ]  # fmt: skip


def rejected(paper: Frame, params: Any) -> list[Claim]:
    """Fooling images of 50 and 90 % are mostly rejected, those of 99 % mostly not."""
    text = 'section 2.3: "For the F50 and F90 fooling images, OSDN was able to reject around 70 % of the images as unknown"'
    cases: list[tuple[str, str, Literal[">", "<"], float, str]] = []
    for name in ("F50", "F90"):
        said = f"{text} (table 3: {NUMBERS[name]} % of {name})"
        cases.append((name, "rejected-mostly", ">", params.least_rejected, said))
        cases.append((name, "rejected-not-all", "<", params.most_rejected, said))
    said = f"table 3: {NUMBERS['F99']} % of the F99 fooling images are unknown"
    cases.append(("F99", "confident-accepted", "<", params.most_confident_rejected, said))
    fooling = paper[paper["group"] == "fooling"]
    return [
        judge(
            claim, share(fooling, name, "unknown"), relation, threshold, subset=name,
            statement=said,
            quantity=f"share of the fooling images that reach {name[1:]} % of their target which OpenMax rejects",
        )
        for name, claim, relation, threshold, said in cases
        if name in set(fooling["images"])
    ]  # fmt: skip


def tails(rows: Frame, params: Any) -> Iterator[Claim]:
    """What a tail of 1000 does beside one of 20, as the text says and as its numbers say, by the images that differ."""
    small, large = PAPER_TAILS
    is_large = (rows["varied"] == "tail_size") & (rows["value"] == str(large))
    if params.tail_size == large:
        is_large = rows["varied"] == ""
    at_large = rows[is_large]
    pairs = f"of the images that only one of the tail sizes {small} and {large} "
    text = (
        'section 2.3: "Larger tailsizes will result in better accuracy on the clean test set, and smaller tailsizes increase the '
        'adversarial image correction"'
    )
    numbers = f'section 2.3: with {large} "the classification accuracy on the test images drops to 93%", with {small} it is 99 %'
    test = at_large[at_large["group"] == "test"]
    gained = discordant(test, "correct_gained", "correct_lost")
    quantity = f"{pairs}classifies correctly, share of {large}"
    for claim, relation, statement in (("tail-accuracy-text", ">", text), ("tail-accuracy-numbers", "<", numbers)):
        yield judge(claim, gained, relation, 0.5, subset="test set", statement=statement, quantity=quantity)  # type: ignore[arg-type]
    targets = (
        f'section 2.3: {large} "removes all FGS, FGV and HC-1 adversarials from reaching the target", {small} "leaves 51% of the '
        'FGS and 11% of the FGV and HC-1 adversarial images to be classified as the targeted class"'
    )
    for name in at_large.loc[at_large["group"] == "adversarial", "images"]:
        if name.split(",")[0] not in ("FGS", *CORRECTED):
            continue
        row = at_large[at_large["images"] == name]
        yield judge(
            "tail-correction-text", discordant(row, "correct_gained", "correct_lost"), "<", 0.5, subset=name, statement=text,
            quantity=quantity,
        )  # fmt: skip
        yield judge(
            "tail-targets-numbers", discordant(row, "target_gained", "target_lost"), "<", 0.5, subset=name, statement=targets,
            quantity=f"{pairs}leaves at the adversarial class, share of {large}",
        )  # fmt: skip


def share(rows: Frame, name: str, column: str) -> Interval:
    """Share of the images of one kind that a column counts."""
    row = rows[rows["images"] == name]
    if not len(row) or not int(row["total"].iloc[0]):
        return NOT_MEASURED
    hits, total = int(row[column].iloc[0]), int(row["total"].iloc[0])
    return share_interval([True] * hits + [False] * (total - hits))


def discordant(rows: Frame, gained: str, lost: str) -> Interval:
    """Of the images that differ, the share that is gained: one half where neither side is ahead (McNemar's test)."""
    if not len(rows):
        return NOT_MEASURED
    plus, minus = int(rows[gained].iloc[0]), int(rows[lost].iloc[0])
    return share_interval([True] * plus + [False] * minus) if plus + minus else NOT_MEASURED
