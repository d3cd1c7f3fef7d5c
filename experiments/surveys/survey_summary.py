"""One line for each run and attack of a survey: rates with intervals and denominators, sizes, price, causes, transfer."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from advlab.statistics.intervals import share_interval

if TYPE_CHECKING:
    import pandas as pd

SELF = "self"  # the attacked network among the victims


def attack_label(name: str, attack: Any) -> str:
    """An attack's name with the hyperparameters that are not its defaults."""
    changed = []
    for f in fields(attack):
        value = getattr(attack, f.name)
        default = f.default_factory() if callable(f.default_factory) else f.default
        if value != default:
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            changed.append(f.name if value is True else f"{f.name}={shown}")
    return f"{name} ({', '.join(changed)})" if changed else name


def summarise(rows: pd.DataFrame) -> dict[str, Any]:
    """One run's numbers as a line; `rows` of one run and attack."""
    own = rows[rows["victim"] == SELF]
    eligible, won = own[own["eligible"]], own[own["success"]]
    rate, of_all = share_interval(eligible["success"]), share_interval(own["success"])
    line: dict[str, Any] = {
        "run": rows["run"].iloc[0], "attack": rows["attack"].iloc[0],
        "images": len(own), "eligible": len(eligible), "successes": len(won),
        "success_rate": rate.estimate, "success_low": rate.low, "success_high": rate.high,
        "success_of_all": of_all.estimate, "of_all_low": of_all.low, "of_all_high": of_all.high,
    }  # fmt: skip
    for column in ("l1", "l2", "linf", "pass_score", "ssim"):
        line |= {f"mean_{column}": won[column].mean(), f"median_{column}": won[column].median()}
    line["mean_steps"] = eligible["steps"].mean()
    line |= {f"{price}_per_image": own[price].mean() for price in ("forwards", "backwards")}
    causes = eligible.loc[~eligible["success"], "status"].value_counts().sort_index()
    line["failures"] = ", ".join(f"{count} {cause}" for cause, count in causes.items()) or "none"
    for victim, part in rows[rows["victim"] != SELF].groupby("victim", sort=False):
        share = share_interval(part.loc[part["eligible"], "success"])
        line |= {
            f"transfer_{victim}": share.estimate, f"transfer_{victim}_low": share.low,
            f"transfer_{victim}_high": share.high, f"transfer_{victim}_eligible": share.samples,
        }  # fmt: skip
    return line
