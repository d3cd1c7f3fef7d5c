"""The verdicts of a run as a terminal shows them."""

from __future__ import annotations

from collections.abc import Sequence

from advlab.results.console import VERDICTS, show, show_table
from advlab.statistics.claims import Claim, family_lines, numbers_of_claim, numbers_text, subset_lines


def show_claims(claims: Sequence[Claim]) -> None:
    """Print the claims of a run on a terminal: for each subset how many hold, and a table of its verdicts."""
    names = ["verdict", "what decides it", "estimate [interval]", "claimed", "units"]
    for subset, line in zip(dict.fromkeys(claim.subset for claim in claims), subset_lines(claims), strict=True):
        show(line, {**VERDICTS, r"^.*?:(?= \d+ of)": "bold"}, fold=True)
        of_subset = [claim for claim in claims if claim.subset == subset]
        rows = [[claim.verdict, claim.quantity, *numbers_of_claim(claim)] for claim in of_subset]
        show_table(names, rows, [f"{claim.verdict}  {claim.quantity}: {numbers_text(claim)}" for claim in of_subset])
    for line in family_lines(claims):
        show(line, {}, fold=True)
