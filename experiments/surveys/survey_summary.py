"""One line for each run and attack of a survey: success rates with intervals, sizes, cost, reasons of failure, transfer."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from advlab.lab import Frame
from advlab.statistics import share_interval

SELF = "self"  # the attacked network among the victims


def attack_label(name: str, attack: Any) -> str:
    """An attack's name with the hyperparameters that are not its defaults; options of another library each by its name."""
    changed = []
    for parameter in fields(attack):
        value = getattr(attack, parameter.name)
        default = parameter.default_factory() if callable(parameter.default_factory) else parameter.default
        if value == default or parameter.name == "options_for":
            continue
        for key, part in (value if isinstance(value, dict) else {parameter.name: value}).items():
            text = f"{part:.4g}" if isinstance(part, float) else str(part)
            changed.append(key if part is True else f"{key}={text}")
    return f"{name} ({', '.join(changed)})" if changed else name


def share_by_sample(rows: Frame, column: str) -> Any:
    """The share of each sample's targets of which a column is true, a series: the images of one sample are not independent."""
    return rows[column].astype(float).groupby(rows["sample"]).mean()


def accuracies(own: Frame) -> dict[str, float]:
    """The share of all images that are classified correctly, before the attack and after it, the latter with its interval.

    What withstands an attack says something of the network where the attack has a budget and aims at any other class:
    otherwise the robust accuracy is NaN.

    Args:
        own: rows of the attacked network.
    """
    if "correct" not in own or own["correct"].isna().any():  # tables of earlier versions do not say
        return {}
    summary = {"accuracy": share_by_sample(own, "correct").mean()}
    if own["minimal"].any() or (own["target"] >= 0).any():
        return summary | dict.fromkeys(("robust_accuracy", "robust_low", "robust_high"), math.nan)
    robust = share_interval((own["correct"] == 1) & ~own["success"])
    return summary | {"robust_accuracy": robust.estimate, "robust_low": robust.low, "robust_high": robust.high}


def summarise(rows: Frame) -> dict[str, Any]:
    """The line of the summary about one run.

    Args:
        rows: of `attack_survey`, of one run and attack.
    """
    own = rows[rows["victim"] == SELF]
    eligible, successes = own[own["eligible"]], own[own["success"]]
    rate, of_all = share_interval(share_by_sample(eligible, "success")), share_interval(share_by_sample(own, "success"))
    summary: dict[str, Any] = {
        "run": rows["run"].iloc[0], "attack": rows["attack"].iloc[0],
        "images": len(own), "eligible": len(eligible), "successes": len(successes),
        "success_rate": rate.estimate, "success_low": rate.low, "success_high": rate.high,
        "success_of_all": of_all.estimate, "of_all_low": of_all.low, "of_all_high": of_all.high,
        **accuracies(own),
    }  # fmt: skip
    for column in ("l1", "l2", "linf", "pass_score", "ssim"):
        summary |= {f"mean_{column}": successes[column].mean(), f"median_{column}": successes[column].median()}
    rounded = successes.dropna(subset=["survives_rounding"]) if "survives_rounding" in successes else successes[:0]
    if len(rounded):  # tables of earlier versions do not say
        survive = share_interval(share_by_sample(rounded, "survives_rounding"))
        summary |= {
            "survive_rounding": int(rounded["survives_rounding"].sum()), "survival_rate": survive.estimate,
            "survival_low": survive.low, "survival_high": survive.high,
        }  # fmt: skip
    summary["mean_steps"] = eligible["steps"].mean()
    summary |= {f"{passes}_per_image": own[passes].mean() for passes in ("forwards", "backwards")}
    if "saturated" in own and own["saturated"].notna().any():
        summary["saturated_share"] = eligible["saturated"].mean()
    failures = eligible.loc[~eligible["success"], "status"].value_counts().sort_index()
    summary["failures"] = ", ".join(f"{images} {cause}" for cause, images in failures.items()) or "none"
    for victim, transferred in rows[rows["victim"] != SELF].groupby("victim", sort=False):
        attempts = transferred[transferred["eligible"]]
        share = share_interval(share_by_sample(attempts, "success"))
        summary |= {
            f"transfer_{victim}": share.estimate, f"transfer_{victim}_low": share.low,
            f"transfer_{victim}_high": share.high, f"transfer_{victim}_eligible": len(attempts),
        }  # fmt: skip
    return summary
