"""Table 1 of jetley2018 from the rows of `downsampling`, and what its section 4.4 says as claims."""

from __future__ import annotations

import math
from typing import Any

from advlab.lab import Frame, frame_of
from advlab.statistics import NOT_MEASURED, Claim, Interval, judge, mean_interval, share_interval

from .downsampling_params import DownsamplingParams
from .figures.downsampling_rows import fooled, minimal_norms, perturbed
from .median_ratio import median_ratio

KNOWING = ("white_box", "confined", "confined_original")  # attacks that know the resampling


def summarised(table: Frame) -> Frame:
    """A line for each run and size, as in table 1: means over all images, then medians of the minimal norms."""
    lines = []
    for run, rows in table.groupby("run", sort=False):
        original = minimal_norms(perturbed(rows[rows["size"] == rows["size"].max()], "transfer"))
        for size, part in rows.groupby("size", sort=False):
            clean = perturbed(part, "transfer")
            line = {
                "run": run, "size": size, "images": len(clean), "image_norm": clean["image_norm"].mean(),
                "perturbation_norm": clean["resampled_norm"].mean(),
                "relative_norm": (clean["resampled_norm"] / clean["image_norm"]).mean(),
                "accuracy": (clean["clean_prediction"] == clean["label"]).mean(),
            }  # fmt: skip
            for attack, name in (("transfer", "fooled"), ("random", "random")):
                for factor, some in part[part["attack"] == attack].groupby("factor"):
                    line[f"{name}_{factor:g}"] = fooled(some).mean()
            line |= {"found": clean["found"].mean(), "original_norm": original.median()}
            for attack in KNOWING:
                line |= norms_of_attack(attack, perturbed(part, attack), original)
            line["dimensions"] = int(clean["dimensions"].iloc[0])
            lines.append(line)
    return frame_of(lines)


def norms_of_attack(name: str, rows: Frame, original: Any) -> dict[str, Any]:
    """Of one attack: share found, median norm, its ratio to that of the network without resampling, share fooled, directions."""
    if not len(rows):
        return {f"{name}_{column}": math.nan for column in ("found", "norm", "ratio", "fooled", "directions")}
    norms = minimal_norms(rows)
    return {
        f"{name}_found": rows["found"].mean(), f"{name}_norm": norms.median(),
        f"{name}_ratio": norms.median() / original.median(), f"{name}_fooled": fooled(rows).mean(),
        f"{name}_directions": int(rows["directions"].iloc[0]),
    }  # fmt: skip


def verdicts(table: Frame, params: DownsamplingParams) -> list[Claim]:
    """The statements of section 4.4 at each size below the images' own, and their control."""
    side, claims = table["size"].max(), []
    full = table[table["size"] == side]
    for size, rows in table[table["size"] < side].groupby("size", sort=False):
        claims += transfer_claims(rows, full, f"{size} of {side} px", params)
        claims += white_box_claims(rows, full, f"{size} of {side} px", params)
    return claims


def transfer_claims(rows: Frame, full: Frame, subset: str, params: DownsamplingParams) -> list[Claim]:
    """Accuracy, and what longer perturbations do."""
    longest = max(params.factors)
    longer = perturbed(rows, "transfer", longest)
    rates = [fooled(perturbed(rows, "transfer", factor)) for factor in params.factors]
    ever, lost = rates[0].copy(), rates[0] & False
    for rate in rates[1:]:
        lost |= ever & ~rate
        ever |= rate
    right, still = (part["clean_prediction"] == part["label"] for part in (perturbed(full, "transfer"), longer))
    relative = longer["resampled_norm"] / longer["image_norm"]
    return [
        judge(
            "accuracy-falls", changes(right.to_numpy(), still.to_numpy(), gains=False), ">", 0.5, subset=subset,
            quantity="of the images whose correctness the resampling changes, share that it makes wrong",
            statement='section 4.4: compressing the data "must effect a loss in the classification accuracy"',
        ),
        judge(
            "grows-with-f", share_interval(lost), "<", params.lost, subset=subset,
            quantity="share of images that some f fools and a larger one does not",
            statement='section 4.4: "the corresponding fooling rates grow steadily with respect to f"',
        ),
        judge(
            "f-restores", changes(rates[0].to_numpy(), fooled(longer).to_numpy(), gains=True), ">", 0.5, subset=subset,
            quantity=f"of the images that f = {params.factors[0]:g} or f = {longest:g} alone fools, share fooled by the larger",
            statement='section 4.4: "their efficacy is steadily restored" (table 1)',
        ),
        judge(
            "restored", share_interval(fooled(longer)), ">", params.restored, subset=subset,
            quantity=f"fooling rate at f = {longest:g}",
            statement='section 4.4: "sufficient rescaling restores their effectiveness"',
        ),
        judge(
            "imperceptible", mean_interval(relative), "<", params.imperceptible, subset=subset,
            quantity=f"mean norm of the perturbation at f = {longest:g} over the image's, both resampled",
            statement='section 4.4: the norm stays "a couple of orders of magnitude smaller than the mean image norm"',
        ),
        judge(
            "above-random", changes(
                fooled(perturbed(rows, "random", longest)).to_numpy(), fooled(longer).to_numpy(), gains=True
            ), ">", 0.5, subset=subset,
            quantity=f"of the images that only one of both fools at f = {longest:g}, share not by the random perturbation",
            statement="control: random perturbations that are as long after resampling fool fewer images",
        ),
    ]  # fmt: skip


def white_box_claims(rows: Frame, full: Frame, subset: str, params: DownsamplingParams) -> list[Claim]:
    """Minimal norms of the attacks that know the resampling, against the network without it and against each other."""
    original = minimal_norms(perturbed(full, "transfer"))
    white_box = minimal_norms(perturbed(rows, "white_box"))
    confined = perturbed(rows, "confined_original")
    claims = [
        judge(
            "white-box", norm_ratio(white_box, original), "<", params.equally_vulnerable, subset=subset,
            quantity="median norm of DeepFool on the resampling network / on the network without it",
            statement='section 4.4: "the modified net continues to be equally vulnerable"',
        )
    ]  # fmt: skip
    if len(confined) and int(confined["directions"].iloc[0]) == int(confined["dimensions"].iloc[0]):
        by_norm = fooled(perturbed(rows, "transfer")), fooled(confined)
        claims += [
            judge(
                "confined", norm_ratio(minimal_norms(confined), white_box), "<", params.equally_vulnerable, subset=subset,
                quantity="median norm of DeepFool confined to the span of resampled perturbations / on the resampling network",
                statement='section 4.4: the confined attack is "analogous to designing a white-box DeepFool attack"',
            ),
            judge(
                "confined-transfers", changes(*(rate.to_numpy() for rate in by_norm), gains=True), ">", 0.5, subset=subset,
                quantity="of the images that only one of both fools at f = 1, share by the confined, not the free perturbation",
                statement='section 4.4: confined to the span, the attack "is as effective as before"',
            ),
        ]  # fmt: skip
    return claims


def norm_ratio(numerators: Any, denominators: Any) -> Interval:
    """The ratio of the medians of two series by sample."""
    return median_ratio(numerators.to_numpy(), denominators.reindex(numerators.index).to_numpy())


def changes(before: Any, after: Any, *, gains: bool) -> Interval:
    """Of the images where two booleans (N,) differ, the share where the second is true (gains) or false (McNemar 1947)."""
    differing = before != after
    return share_interval(after[differing] == gains) if differing.any() else NOT_MEASURED
