"""Accuracies under perturbation as series over seeds: what the claims and the summary of figure 5 are made of."""

from __future__ import annotations

from typing import Any

from advlab.lab import Frame, frame_of
from advlab.statistics import median_interval


class AccuracyCurves:
    """Accuracies of one run's networks; every method gives a Series indexed by seed.

    Args:
        table: rows of `hard_point_training` of one run.
    """

    def __init__(self, table: Frame) -> None:
        keys = ["victim", "source", "attack", "epsilon", "seed"]
        self.accuracy = (table["correct"] / table["images"]).groupby([table[key] for key in keys]).first()

    def _by_epsilon(self, victim: str, source: str, attack: str) -> Frame:
        """Accuracies, a row for each epsilon and a column for each seed; empty where nothing was measured."""
        try:
            return self.accuracy.loc[(victim, source, attack)].unstack("seed")
        except KeyError:
            return frame_of([])

    def clean(self, victim: str) -> Any:
        """Accuracy at epsilon 0."""
        return self._by_epsilon(victim, victim, "one_step").head(1).sum(min_count=1)

    def mean(self, victim: str, source: str = "", attack: str = "one_step") -> Any:
        """Mean over the epsilons above 0, each with the same weight; without a source, the victim attacks itself."""
        return self._by_epsilon(victim, source or victim, attack).iloc[1:].mean()

    def damage(self, victim: str, source: str) -> Any:
        """Accuracy lost on images made with the source's gradients (`none`: with noise), as a fraction of the accuracy lost on
        images made with the victim's own; by seed.
        """
        clean = self.clean(victim)
        attack = "noise" if source == "none" else "one_step"
        return (clean - self.mean(victim, source, attack)) / (clean - self.mean(victim))


def summarise(run: str, ascent: str, table: Frame) -> list[dict[str, Any]]:
    """A line for each network of a run: medians over seeds of its accuracies, with their intervals."""
    curves, summary = AccuracyCurves(table), []
    for name in dict.fromkeys(table["victim"]):
        series = {
            "clean": curves.clean(name), "one_step": curves.mean(name), "pgd": curves.mean(name, attack="pgd"),
            "one_step_clipped": curves.mean(name, attack="one_step_clipped"),
            "noise": curves.mean(name, "none", attack="noise"),
            "images_of_reference": curves.mean(name, "reference"),
            "reference_on_its_images": curves.mean("reference", name),
        }  # fmt: skip
        of_victim = table[table["victim"] == name]
        row = {"run": run, "ascent": ascent, "network": name, "seeds": table["seed"].nunique()}
        row["reach"] = of_victim.groupby("seed")["reach"].first().median()
        for key, accuracies in series.items():
            median = median_interval(accuracies)
            row |= {key: median.estimate, f"{key}_low": median.low, f"{key}_high": median.high}
        summary.append(row)
    return summary
