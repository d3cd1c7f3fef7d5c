"""Accuracy against perturbation as series over seeds: what the claims and the summary of figure 5 are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class Curves:
    """One run's accuracies as series over seeds.

    Args:
        table: rows of one run.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        keys = ["victim", "source", "attack", "epsilon", "seed"]
        self.accuracy = (table["correct"] / table["images"]).groupby([table[key] for key in keys]).first()

    def _curve(self, victim: str, source: str, attack: str) -> pd.DataFrame:
        """(epsilons, seeds); empty where nothing was measured."""
        import pandas as pd

        try:
            found: pd.DataFrame = self.accuracy.loc[(victim, source, attack)].unstack("seed")
        except KeyError:
            return pd.DataFrame()
        return found

    def clean(self, victim: str) -> pd.Series:
        """Accuracy at epsilon 0."""
        return self._curve(victim, victim, "one_step").head(1).sum(min_count=1)

    def mean(self, victim: str, source: str = "", attack: str = "one_step") -> pd.Series:
        """Mean over the epsilons above 0, each with the same weight; the source is the victim unless given."""
        return self._curve(victim, source or victim, attack).iloc[1:].mean()

    def damage(self, victim: str, source: str) -> pd.Series:
        """What the victim loses to images of the source (`none`: to noise), of what it loses to those of its own."""
        clean = self.clean(victim)
        attack = "noise" if source == "none" else "one_step"
        return (clean - self.mean(victim, source, attack)) / (clean - self.mean(victim))
