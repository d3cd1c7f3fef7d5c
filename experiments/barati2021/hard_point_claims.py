"""The statements of section IV-C of barati2021 about figure 5, and controls that the paper lacks, judged over seeds."""

from __future__ import annotations

from advlab.lab import Frame
from advlab.statistics import Claim, judge, median_interval

from .accuracy_over_seeds import AccuracyCurves
from .training_variants import NETWORKS


def paper_claims(table: Frame, comparable: float, transfers: float) -> list[Claim]:
    """What the paper says of the robust network and the reference.

    Args:
        table: rows of `hard_point_training`.
        comparable: the difference of clean accuracies below which they are.
        transfers: the share of the victim's own loss of accuracy above which images transfer.
    """
    curves, over, section = AccuracyCurves(table), averaged_over(table), "section IV-C: "
    return [
        judge(
            "comparable", median_interval(curves.clean("reference") - curves.clean("hard")), "<", comparable,
            subset="figure 5",
            statement=section + '"gets a comparable performance with the reference network on the natural samples"',
            quantity="clean accuracy, reference less robust",
        ),
        judge(
            "robust-direct", median_interval(curves.mean("hard") - curves.mean("reference")), ">", 0, subset="figure 5",
            statement=section + '"more robust compared to the reference network" in the direct setting',
            quantity=f"accuracy under its own attack, robust less reference, {over}",
        ),
        judge(
            "robust-transfer",
            median_interval(curves.mean("hard", "reference") - curves.mean("reference", "hard")), ">", 0,
            subset="figure 5", statement=section + "the same in the transfer setting",
            quantity=f"accuracy under the other's attack, robust less reference, {over}",
        ),
        judge(
            "transfers-to-reference", median_interval(curves.damage("reference", "hard")), ">", transfers,
            subset="figure 5",
            statement='figure 5: "adversarial examples of the adversarially trained network does transfer"',
            quantity="accuracy that the reference loses to the robust network's images, of what it loses to its own",
        ),
        judge(
            "not-vice-versa", median_interval(curves.damage("hard", "reference")), "<", transfers, subset="figure 5",
            statement='figure 5: "but not vice versa"',
            quantity="accuracy that the robust network loses to the reference's images, of what it loses to its own",
        ),
    ]  # fmt: skip


def control_claims(table: Frame) -> list[Claim]:
    """Whether hard points do more than noise, less data, and PGD training do."""
    curves, over = AccuracyCurves(table), averaged_over(table)
    return [
        judge(
            "beyond-noise",
            median_interval(curves.damage("reference", "hard") - curves.damage("reference", "none")), ">", 0,
            subset="controls", statement="control: the transfer to the reference is more than the length of a perturbation",
            quantity="the share that the reference loses to the robust network's images, less that to noise",
        ),
        *(
            judge(
                f"above-{name}", median_interval(curves.mean("hard") - curves.mean(name)), ">", 0, subset="controls",
                statement=f"control: {NETWORKS[name]}",
                quantity=f"accuracy under its own attack, robust less {name}, {over}",
            )
            for name in ("third", "noise", "pgd")
        ),
        judge(
            "pgd-above-pgd", median_interval(curves.mean("hard", attack="pgd") - curves.mean("pgd", attack="pgd")), ">",
            0, subset="controls", statement="control: PGD training of the same cost, attacked by PGD",
            quantity=f"accuracy under PGD, robust less pgd, {over}",
        ),
    ]  # fmt: skip


def averaged_over(table: Frame) -> str:
    """Over which lengths of perturbations accuracies are averaged, in words."""
    return f"mean over epsilon up to {table['epsilon'].max():g}"
