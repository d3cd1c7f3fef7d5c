"""What table 1 of gunther2017 says of a table: each statement can hold, fail and stay undecided; and the counts of one row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.gunther2017.adversarial_training_measure import (  # type: ignore[import-not-found]
    outcome,
    transferred,
)
from advlab.experiments.gunther2017.training_images_measure import (  # type: ignore[import-not-found]
    Attacked,
    with_targets,
)

from advlab.attacks.status import Status
from advlab.config import components
from advlab.statistics import simultaneous

AdversarialTraining = components.REGISTRIES["experiment"].load("adversarial_training")
ATTACKS = [("fgs", "exact"), ("fgv", "exact"), ("fgs", "float32"), ("fgv", "float32"), ("hc", ""),
           ("deepfool_refined", ""), ("apgd", "exact")]  # fmt: skip
#: the paper's table 1 (PASS of +FGS in FGS but for .02), and controls that do nothing
PAPER = {
    "base": {"accuracy": 0.9909, "fgs": 0.8537, "fgv": 0.8537, "hc": 0.9992, "pass": 0.43, "l2": 1.5, "apgd": 0.5},
    "fgs": {"accuracy": 0.9923, "fgs": 0.8069, "fgv": 0.8069, "hc": 0.9999, "pass": 0.46, "l2": 1.7, "apgd": 0.4},
    "fgv": {"accuracy": 0.9918, "fgs": 0.6052, "fgv": 0.6052, "hc": 0.9995, "pass": 0.42, "l2": 1.7, "apgd": 0.4},
    "hc": {"accuracy": 0.9922, "fgs": 0.7192, "fgv": 0.7192, "hc": 0.9999, "pass": 0.45, "l2": 1.7, "apgd": 0.4},
}
CONTROLS = dict.fromkeys(("clean", "clean_long", "noise"), PAPER["base"])
CLAIMS = {"accuracy-rises", "accuracy-above-control", "rate-falls", "rate-below-control", "lowest-by-fgv", "hc-stays",
          "pass-stable", "norm-rises", "robust-accuracy-rises"}  # fmt: skip


def made_up(networks: dict[str, dict[str, float]], seeds: int = 8) -> pd.DataFrame:
    """A table of these values, which vary a little from seed to seed, each network's in its own way."""
    lines = []
    random = np.random.default_rng(0)
    for seed in range(seeds):
        for network, values in networks.items():
            for attack, arithmetic in ATTACKS:
                share = {"deepfool_refined": 1.0}.get(attack, values.get(attack, 0.0))
                some = random.normal(size=4)
                successes = min(1_000_000, round(1_000_000 * share + 200 * some[0]))
                lines.append({
                    "run": "toy", "seed": seed, "network": network, "attack": attack, "arithmetic": arithmetic, "images": 1_000_000,
                    "eligible": 1_000_000, "successes": successes, "zero_gradient": 0, "other_failures": 0, "saturated": 0,
                    "no_flip_at_saturation": 1_000_000 - successes, "mean_pass": values["pass"] + some[1] / 1000, "pass_images": 9,
                    "median_l2": values["l2"] + some[2] / 1000, "transferred_of": 10, "transferred": 5, "test_images": 1_000_000,
                    "test_correct": round(1_000_000 * values["accuracy"] + 40 * some[3]), "iterations": 1, "trained_on": 1,
                    "weights": "0",
                })  # fmt: skip
    return pd.DataFrame(lines)


def claims(table: pd.DataFrame) -> list[Any]:
    experiment = AdversarialTraining(AdversarialTraining.Params())
    return list(simultaneous(experiment.claims(table)))


def verdicts(table: pd.DataFrame) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for claim in claims(table):
        found.setdefault(claim.claim, set()).add(claim.verdict)
    return found


def changed(**changes: dict[str, float]) -> dict[str, dict[str, float]]:
    """The paper's picture with other values of some networks."""
    return {name: values | changes.get(name, {}) for name, values in (PAPER | CONTROLS).items()}


def test_all_hold_on_the_papers_table_with_eight_seeds_and_none_with_five() -> None:
    assert verdicts(made_up(PAPER | CONTROLS)) == {name: {"holds"} for name in CLAIMS}
    assert verdicts(made_up(PAPER | CONTROLS, seeds=5)) == {name: {"undecided"} for name in CLAIMS}


def test_none_holds_on_the_opposite_table() -> None:
    worse = {"accuracy": 0.98, "fgs": 0.95, "fgv": 0.95, "hc": 0.9, "pass": 0.6, "l2": 1.4, "apgd": 0.6}
    table = made_up(changed(fgs=worse, hc=worse, fgv=worse | {"fgs": 0.97, "fgv": 0.97}))
    assert verdicts(table) == {name: {"does not hold"} for name in CLAIMS}


@pytest.mark.parametrize(
    ("control", "values", "failing"),
    [
        ("clean", {"accuracy": 0.995}, {"accuracy-above-control"}),
        ("clean", {"fgs": 0.5, "fgv": 0.5}, {"rate-below-control"}),
        ("clean_long", {"l2": 1.9}, {"norm-rises"}),
        ("noise", {"l2": 1.9}, {"norm-rises"}),
        ("noise", {"apgd": 0.2}, {"robust-accuracy-rises"}),
        ("noise", {"accuracy": 0.999, "fgs": 0.1, "fgv": 0.1}, set()),
    ],
)
def test_a_control_that_does_as_much_takes_its_statement_away(
    control: str, values: dict[str, float], failing: set[str]
) -> None:
    found = verdicts(made_up(changed(**{control: values})))
    assert {name for name, kinds in found.items() if "does not hold" in kinds} == failing
    assert all("holds" in kinds or name in failing for name, kinds in found.items())


def test_each_arithmetic_is_judged_by_its_own_rows() -> None:
    table = made_up(PAPER | CONTROLS)
    exact = table["arithmetic"].eq("exact") & table["attack"].isin(["fgs", "fgv"])
    table.loc[exact, "successes"] = 1_000_000 - (5 + table.loc[exact, "seed"]) * table.loc[exact, "network"].eq("base")
    found = {(c.claim, c.subset): c.verdict for c in claims(table)}
    for key in (("rate-falls", "FGV, float32, +FGV"), ("lowest-by-fgv", "FGV, float32")):
        assert found[key] == "holds"
    assert found["rate-falls", "FGV, exact, +FGV"] == "does not hold"  # the base network's is lower
    assert found["lowest-by-fgv", "FGV, exact"] == "undecided"  # equal everywhere


def test_mixtures_are_judged_beside_controls_of_their_length_and_half_a_table_by_what_it_has() -> None:
    table = made_up({"base": PAPER["base"], "fgs+hc": PAPER["hc"], "clean_long": PAPER["base"], "pgd": PAPER["fgs"]})
    found = {(c.claim, c.subset) for c in claims(table) if c.verdict == "holds"}
    assert ("accuracy-above-control", "+FGS+HC") in found
    assert ("rate-below-control", "FGV, exact, +FGS+HC") in found
    assert {subset for name, subset in found if name == "norm-rises"} == {"+FGS+HC against +clean, long"}
    assert not any(name == "lowest-by-fgv" for name, _ in found)
    assert claims(made_up({"base": PAPER["base"]})) == []
    assert AdversarialTraining(AdversarialTraining.Params()).claims(made_up(PAPER, 1).iloc[:0]) == []


def test_failures_count_as_infinite_perturbations_and_by_their_cause() -> None:
    statuses = [Status.SUCCESS, Status.ZERO_GRADIENT, Status.NO_FLIP_AT_SATURATION, Status.LOST, Status.INELIGIBLE]
    x = torch.zeros(5, 1, 1, 4)
    adv = x + torch.tensor([0.5, 0.0, 1.0, 1.0, 0.0])[:, None, None, None]
    success, eligible = torch.tensor([True, *[False] * 4]), torch.tensor([*[True] * 4, False])
    saturated = torch.tensor([True, False, True, False, True])
    attacked = Attacked(x, torch.zeros(5, dtype=torch.int64), adv, success, eligible, saturated, torch.tensor(statuses))
    counts = {"images": 5, "eligible": 4, "successes": 1, "zero_gradient": 1, "no_flip_at_saturation": 1,
              "other_failures": 1, "saturated": 2}  # fmt: skip
    assert outcome(attacked) == counts | {"median_l2": math.inf}
    alone = Attacked(*(getattr(attacked, name)[[0, 4]] for name in attacked.__dataclass_fields__))
    assert outcome(alone)["median_l2"] == 1.0  # sqrt(4) * .5
    assert transferred(None, None) == {"transferred_of": 0, "transferred": 0}
    table = made_up(PAPER | CONTROLS)
    table.loc[table["attack"] == "deepfool_refined", "median_l2"] = math.inf
    assert verdicts(table)["norm-rises"] == {"not measured"}


def test_targets_are_all_other_classes_of_each_image_in_turn() -> None:
    x, labels = torch.arange(3.0)[:, None, None, None], torch.tensor([2, 0, 1])
    images, truth, targets = with_targets(x, labels, 3, True)
    pairs = [
        (float(image), int(label), int(target)) for image, label, target in zip(images, truth, targets, strict=True)
    ]
    assert pairs == [(0, 2, 0), (0, 2, 1), (1, 0, 1), (1, 0, 2), (2, 1, 0), (2, 1, 2)]
    assert with_targets(x, labels, 3, False) == (x, labels, None)
