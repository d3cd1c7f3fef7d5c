"""The conclusions that gunther2017 draws from table 1, each beside its control, as means over seeds.

One name is one family of up to twelve, whose intervals cover together. Order statistics of eight seeds would not decide it; means
do, and those of six only by luck: many of their resamples hold but two values.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from advlab.lab import Frame
from advlab.statistics import Claim, Interval, judge, mean_interval, median_interval

from .fine_tuned_networks import ASCENT, BASE, MINIMAL, TABLE_ATTACKS, controls, fine_tuning

SECTION = "section 2.1: "
LOSS_ATTACKS = ("fgs", "fgv")  # the two whose direction depends on the arithmetic


class TrainingThresholds(NamedTuple):
    """What was fixed before anything was measured: HC's rate after training, and how little PASS changes."""

    hc_rate: float
    pass_change: float


def by_seed(rows: Frame) -> dict[str, Frame]:
    """Series over the seeds of rows of one network and attack: `accuracy`, `rate`, `pass`, `l2`, `transfer`, `saturated`.

    Rates are of the images that were classified correctly; `transfer` is the share of the base network's adversarial images
    that fool the network, of those whose originals it classifies correctly.
    """
    rows = rows.set_index("seed")
    return {
        "accuracy": rows["test_correct"] / rows["test_images"],
        "rate": rows["successes"] / rows["eligible"],
        "pass": rows["mean_pass"],
        "l2": rows["median_l2"],
        "transfer": rows["transferred"] / rows["transferred_of"],
        "saturated": rows["saturated"] / rows["eligible"],
    }


def mean_over_seeds(values: Any, least: float = -1.0, most: float = 1.0) -> Interval:
    """The mean with its interval, of differences of shares if no other bounds are told; infinite where a median perturbation is."""
    with np.errstate(invalid="ignore"):
        return mean_interval(values, least=least, most=most)


class Measured:
    """Series over seeds of one run, by network, attack and arithmetic."""

    def __init__(self, table: Frame) -> None:
        self.table = table
        self.networks = list(dict.fromkeys(table["network"]))

    def __call__(self, network: str, attack: str, arithmetic: str, quantity: str) -> Frame:
        """One quantity of `by_seed`, (seeds,)."""
        table = self.table
        which = (table["network"] == network) & (table["attack"] == attack)
        return by_seed(table[which & (table["arithmetic"].fillna("") == arithmetic)])[quantity]


def table_claims(table: Frame, thresholds: TrainingThresholds) -> list[Claim]:
    """What the paper concludes from its table, and what the smallest perturbations say; one of them for each training."""
    of = Measured(table)
    tuned = [name for name in of.networks if fine_tuning(name).images == "adversarial"]
    claims = [claim for name in tuned for claim in accuracy_claims(of, name)]
    for attack in LOSS_ATTACKS:
        for arithmetic in ("exact", "float32"):
            claims += rate_claims(of, tuned, attack, arithmetic)
    if tuned:
        rates = np.min([of(name, "hc", "", "rate") for name in tuned], axis=0)
        claims.append(
            judge(
                "hc-stays", median_interval(rates), ">", thresholds.hc_rate, subset="after all",
                statement=SECTION + '"HC adversarial images could be generated in almost all cases"',
                quantity=f"success rate of HC, the lowest of {', '.join(fine_tuning(name).words for name in tuned)}, median "
                "over seeds",
            )
        )  # fmt: skip
    for name in tuned:
        for attack in TABLE_ATTACKS:
            arithmetic = "exact" if attack in LOSS_ATTACKS else ""
            change = (of(name, attack, arithmetic, "pass") - of(BASE, attack, arithmetic, "pass")).abs()
            claims.append(
                judge(
                    "pass-stable", mean_over_seeds(change), "<", thresholds.pass_change,
                    subset=f"{fine_tuning(name).words}, {attack.upper()}",
                    statement=SECTION + '"the quality of adversarial images did not change substantially"',
                    quantity="change of the mean PASS, without its sign, mean over seeds",
                )
            )  # fmt: skip
    return claims + [claim for name in of.networks for claim in stability_claims(of, name)]


def accuracy_claims(of: Measured, name: str) -> list[Claim]:
    """Clean accuracy of one training less that of the base network, and less that of as many iterations on clean images."""
    accuracy, claims = of(name, "fgs", "exact", "accuracy"), []
    for label, other in (("accuracy-rises", BASE), ("accuracy-above-control", controls(name)[0])):
        if other in of.networks:
            claims.append(
                judge(
                    label, mean_over_seeds(accuracy - of(other, "fgs", "exact", "accuracy")), ">", 0.0,
                    subset=fine_tuning(name).words,
                    statement=SECTION + '"improves the (already very high) classification accuracy a little"'
                    if other == BASE else "control: as many iterations on clean images",
                    quantity=f"clean accuracy, less that of {fine_tuning(other).words}, mean over seeds",
                )
            )  # fmt: skip
    return claims


def rate_claims(of: Measured, tuned: list[str], attack: str, arithmetic: str) -> list[Claim]:
    """Success rates of one attack in one arithmetic: below the base network's, below the control's, and lowest where trained so."""
    claims, words = [], f"{attack.upper()}, {arithmetic}"
    for name in tuned:
        for label, other in (("rate-falls", BASE), ("rate-below-control", controls(name)[0])):
            if other in of.networks:
                difference = of(name, attack, arithmetic, "rate") - of(other, attack, arithmetic, "rate")
                claims.append(
                    judge(
                        label, mean_over_seeds(difference), "<", 0.0, subset=f"{words}, {fine_tuning(name).words}",
                        statement=SECTION + '"the success rate of adversarial images does drop moderately"'
                        if other == BASE else "control: as many iterations on clean images",
                        quantity=f"success rate, less that of {fine_tuning(other).words}, mean over seeds",
                    )
                )  # fmt: skip
    if set(TABLE_ATTACKS) <= set(tuned):
        own = of("fgv", attack, arithmetic, "rate")
        others = np.minimum(of("fgs", attack, arithmetic, "rate"), of("hc", attack, arithmetic, "rate"))
        claims.append(
            judge(
                "lowest-by-fgv", mean_over_seeds(own - others), "<", 0.0, subset=words,
                statement=SECTION + '"the highest drop, i.e., from 85 % to 60 % is seen when trained with FGV"',
                quantity="success rate after training with FGV, less the lower of the other two, mean over seeds",
            )
        )  # fmt: skip
    return claims


def stability_claims(of: Measured, name: str) -> list[Claim]:
    """Whether one training's smallest perturbations and robust accuracy grow by more than under each of its controls."""
    claims = []
    for control in [other for other in controls(name) if other in of.networks]:
        words, subset = fine_tuning(control).words, f"{fine_tuning(name).words} against {fine_tuning(control).words}"
        ratio = of(name, MINIMAL, "", "l2") / of(control, MINIMAL, "", "l2")
        claims.append(
            judge(
                "norm-rises", mean_over_seeds(ratio, least=0.0, most=math.inf), ">", 1.0, subset=subset,
                statement="ours: training on adversarial images makes the smallest perturbations longer than its control does",
                quantity=f"median smallest L2 perturbation, over that of {words}, mean over seeds",
            )
        )  # fmt: skip
        gain = of(control, ASCENT, "exact", "rate") - of(name, ASCENT, "exact", "rate")
        claims.append(
            judge(
                "robust-accuracy-rises", mean_over_seeds(gain), ">", 0.0, subset=subset,
                statement="ours: and fewer images are within reach of Auto-PGD",
                quantity=f"share of correct images that Auto-PGD leaves, less that of {words}, mean over seeds",
            )
        )  # fmt: skip
    return claims
